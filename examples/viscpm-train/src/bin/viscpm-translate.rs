//! Translates a data set by a command or an HTTP endpoint of the user's.

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use mpm_data::translate::{TranslatedDataset, TranslationConfig, translate_dataset};
use viscpm_common::cli::{BoxError, failure, note, show};

/// Translate the captions, questions and answers of a data set. What was translated is kept: run
/// it again to go on. See docs/translation.md.
#[derive(Parser)]
#[command(version)]
struct Translate {
    /// What is translated, by whom and to where: JSON.
    config: PathBuf,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    match run(&Translate::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::fail(error),
    }
}

fn run(translate: &Translate) -> Result<(), BoxError> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", translate.config.display());
    let text = fs::read_to_string(&translate.config).map_err(|error| named(&error))?;
    let config: TranslationConfig = serde_json::from_str(&text).map_err(|error| named(&error))?;
    let mut service = config.service.open()?;
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} texts, {msg} {eta} left")?;
    let bar = ProgressBar::new(0).with_style(style);
    bar.enable_steady_tick(Duration::from_secs(1));
    let translated = translate_dataset(&config, &mut *service, &mut |progress| {
        bar.set_length(progress.texts as u64);
        bar.set_position(progress.translated as u64);
        bar.set_message(format!("round {},", progress.round));
    })?;
    bar.finish_and_clear();
    note(&summary(&translated));
    show(&format!(
        "{}\n",
        serde_json::to_string(&translated.dataset)?
    ))?;
    Ok(())
}

/// What became of the data set, in words.
fn summary(translated: &TranslatedDataset) -> String {
    let TranslatedDataset {
        examples,
        untranslated,
        other_language,
        unusable,
        ..
    } = translated;
    format!(
        "{examples} examples; left out: {untranslated} with a text that was not translated (see \
         failures.jsonl in the cache), {other_language} in another language, {unusable} unusable\n"
    )
}
