//! Writes the emoji set as files that anybody has: PNG pictures with JSON lines of English
//! captions and of questions with answers in English and Chinese, and a table of names in both
//! languages: all of them, and split into some to train on and some to measure with.
//!
//! ```sh
//! cargo run --example emoji-dataset -- data/emoji
//! ```

use std::{error::Error, fs, path::Path};

use mpm_data::emoji::{EmojiSet, Language, Sample, TaskOptions, Tasks};
use serde_json::{Value, json};

const SET: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../build-emoji-set/emoji.tar.zst"
);

/// Decides what is drawn.
const SEED: u64 = 1;

/// Captions, and instructions in each language.
const CAPTIONS: u64 = 2_000;
const INSTRUCTIONS: u64 = 1_000;

/// Every so many names are left out of those to train alignment on.
const HELD_OUT: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name a folder")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder.join("pictures"))?;
    let set = EmojiSet::open(SET)?;
    let tasks = Tasks::new(&set, &TaskOptions::default())?;

    let captions = (0..CAPTIONS).map(|index| Ok(tasks.caption(SEED, index)));
    write(
        &set,
        folder,
        "captions",
        captions,
        |sample| json!({"caption": sample.answer}),
    )?;
    for (name, language) in [("en", Language::English), ("zh", Language::Chinese)] {
        let instructions =
            (0..INSTRUCTIONS).map(|index| Ok(tasks.instruction(SEED, index, language)?));
        let name = format!("instructions-{name}");
        write(
            &set,
            folder,
            &name,
            instructions,
            |sample| json!({"question": sample.question, "answer": sample.answer}),
        )?;
    }

    let classes = || 0..tasks.classes().len();
    let held_out = |class: &usize| class.is_multiple_of(HELD_OUT);
    write_names(&tasks, &folder.join("names.tsv"), classes())?;
    let chosen = classes().filter(held_out);
    write_names(&tasks, &folder.join("names-held-out.tsv"), chosen)?;
    let others = classes().filter(|class| !held_out(class));
    write_names(&tasks, &folder.join("names-training.tsv"), others)
}

/// Writes names in both languages, a thing a line.
fn write_names(
    tasks: &Tasks,
    file: &Path,
    classes: impl Iterator<Item = usize>,
) -> Result<(), Box<dyn Error>> {
    let mut names = "en\tzh\n".to_owned();
    for class in classes {
        let [english, chinese] =
            [Language::English, Language::Chinese].map(|language| tasks.name(class, language));
        names.push_str(&format!("{english}\t{chinese}\n"));
    }
    Ok(fs::write(file, names)?)
}

/// Writes samples as JSON lines, and their pictures as files.
fn write(
    set: &EmojiSet,
    folder: &Path,
    name: &str,
    samples: impl Iterator<Item = Result<Sample, Box<dyn Error>>>,
    text: impl Fn(&Sample) -> Value,
) -> Result<(), Box<dyn Error>> {
    let mut lines = String::new();
    for (number, sample) in samples.enumerate() {
        let sample = sample?;
        let mut line = text(&sample);
        if let Some(scene) = &sample.picture {
            let picture = format!("pictures/{name}-{number:05}.png");
            let png = set.compose(scene)?.encode_png(&[])?;
            fs::write(folder.join(&picture), png)?;
            line["image"] = json!(picture);
        }
        lines.push_str(&format!("{line}\n"));
    }
    Ok(fs::write(folder.join(format!("{name}.jsonl")), lines)?)
}
