//! Builds the emoji picture-text set from npm packages.
//!
//! See `docs/emoji-set.md` for the packages and the command.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use mpm_data::emoji::{self, EmojiSet, Split};

/// Builds the emoji picture-text set and prints what it holds.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The folder given to `npm install --prefix`; holds `node_modules`
    #[arg(long, value_name = "DIR")]
    packages: PathBuf,

    /// The file to write
    #[arg(
        long,
        value_name = "FILE",
        default_value = "examples/build-emoji-set/emoji.tar.zst"
    )]
    output: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "{wide_bar} {pos}/{len} pictures, {eta} left",
    )?);
    let report = emoji::build(&arguments.packages, &arguments.output, |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();

    let set = EmojiSet::open(&arguments.output)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} concepts", report.concepts)?;
    for (style, count) in &report.pictures {
        writeln!(out, "{count:5} pictures in style {style}")?;
    }
    let total: usize = report.pictures.iter().map(|(_, count)| count).sum();
    writeln!(out, "{total:5} pictures in all")?;
    for split in [Split::Train, Split::HeldOutPair, Split::TextOnly] {
        let mut count = 0;
        for (concept, style) in set.pairs() {
            count += usize::from(set.split(concept, style)? == split);
        }
        writeln!(out, "{count:5} pictures in split {split:?}")?;
    }
    let names = set.naming().classes().len();
    writeln!(out, "{names:5} names with pictures to tell apart")?;
    writeln!(
        out,
        "{} bytes in {}",
        report.bytes,
        arguments.output.display()
    )?;
    Ok(())
}
