//! Writes the emoji set as files that anybody has: PNG pictures with JSON lines of English
//! captions and of questions with answers in several languages, and a table of names in these
//! languages: all of them, and split into some to train on and some to measure with.
//!
//! ```sh
//! cargo run --example emoji-dataset -- data/emoji
//! ```

use std::{error::Error, fs, path::PathBuf};

use clap::Parser;
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

/// Write the emoji set as pictures with captions, questions and names.
#[derive(Parser)]
struct Args {
    /// The folder to write.
    folder: PathBuf,

    /// The languages of questions and names.
    #[arg(long, value_delimiter = ',', default_value = "en,zh", value_parser = language)]
    languages: Vec<Language>,

    /// Only so many things, each with a name in all of the languages. Default: all that have an
    /// English and a Chinese one.
    #[arg(long)]
    names: Option<usize>,
}

fn language(code: &str) -> Result<Language, String> {
    serde_json::from_value(json!(code)).map_err(|error| error.to_string())
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args {
        folder,
        languages,
        names,
    } = Args::parse();
    fs::create_dir_all(folder.join("pictures"))?;
    let set = EmojiSet::open(SET)?;
    let options = TaskOptions {
        names: names.unwrap_or(usize::MAX),
        named_in: match names {
            None => Vec::new(),
            Some(_) => languages.clone(),
        },
        question_languages: languages.clone(),
        description_languages: languages.clone(),
        ..TaskOptions::default()
    };
    let tasks = Tasks::new(&set, &options)?;
    let dataset = Dataset {
        set: &set,
        tasks: &tasks,
        folder,
        languages,
    };

    let captions = (0..CAPTIONS).map(|index| Ok(tasks.caption(SEED, index)));
    dataset.write(
        "captions",
        captions,
        |sample| json!({"caption": sample.answer}),
    )?;
    for &language in &dataset.languages {
        let instructions =
            (0..INSTRUCTIONS).map(|index| Ok(tasks.instruction(SEED, index, language)?));
        dataset.write(
            &format!("instructions-{language}"),
            instructions,
            |sample| json!({"question": sample.question, "answer": sample.answer}),
        )?;
    }

    let classes = || 0..tasks.classes().len();
    let held_out = |class: &usize| class.is_multiple_of(HELD_OUT);
    dataset.write_names("names.tsv", classes())?;
    dataset.write_names("names-held-out.tsv", classes().filter(held_out))?;
    let others = classes().filter(|class| !held_out(class));
    dataset.write_names("names-training.tsv", others)
}

/// What is written where.
struct Dataset<'a> {
    set: &'a EmojiSet,
    tasks: &'a Tasks<'a>,
    folder: PathBuf,
    languages: Vec<Language>,
}

impl Dataset<'_> {
    /// Writes names in all languages, a thing a line.
    fn write_names(
        &self,
        file: &str,
        classes: impl Iterator<Item = usize>,
    ) -> Result<(), Box<dyn Error>> {
        let line = |words: Vec<&str>| words.join("\t") + "\n";
        let codes = self.languages.iter().map(|language| language.code());
        let mut names = line(codes.collect());
        for class in classes {
            let languages = self.languages.iter();
            let words = languages.map(|&language| self.tasks.name(class, language));
            names.push_str(&line(words.collect()));
        }
        Ok(fs::write(self.folder.join(file), names)?)
    }

    /// Writes samples as JSON lines, and their pictures as files.
    fn write(
        &self,
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
                let png = self.set.compose(scene)?.encode_png(&[])?;
                fs::write(self.folder.join(&picture), png)?;
                line["image"] = json!(picture);
            }
            lines.push_str(&format!("{line}\n"));
        }
        Ok(fs::write(self.folder.join(format!("{name}.jsonl")), lines)?)
    }
}
