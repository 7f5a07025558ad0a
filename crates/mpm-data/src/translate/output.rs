//! The translated data set on the disk.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{self, Path, PathBuf},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    dataset::{Columns, DatasetConfig, DatasetFormat, Dialogue, ExampleText, PictureSource},
    translate::TranslationError,
};

const EXAMPLES: &str = "examples.jsonl";
const DATASET: &str = "dataset.json";
const PICTURES: &str = "pictures";

/// A folder of JSON lines and their pictures. It gets its name when all is written.
#[derive(Debug)]
pub(super) struct Output {
    /// Absolute
    folder: PathBuf,
    staging: PathBuf,
    lines: BufWriter<File>,
    pictures: HashSet<String>,
}

impl Output {
    /// Fails if the folder is there.
    pub fn check(folder: &Path) -> Result<(), TranslationError> {
        match folder.try_exists() {
            Ok(false) => Ok(()),
            Ok(true) => Err(TranslationError::Exists {
                path: folder.to_owned(),
            }),
            Err(error) => Err(TranslationError::file(folder, error)),
        }
    }

    /// Begins a folder. What a killed run left of it is removed.
    pub fn create(folder: &Path) -> Result<Self, TranslationError> {
        Self::check(folder)?;
        // Beside the folder, also where its name is written with a slash at its end.
        let mut name = folder.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let staging = folder.with_file_name(name);
        let create = || {
            if staging.try_exists()? {
                fs::remove_dir_all(&staging)?;
            }
            fs::create_dir_all(&staging)?;
            let lines = BufWriter::new(File::create(staging.join(EXAMPLES))?);
            Ok((lines, path::absolute(folder)?))
        };
        let (lines, folder) = create().map_err(|error| TranslationError::file(&staging, error))?;
        Ok(Self {
            folder,
            staging,
            lines,
            pictures: HashSet::new(),
        })
    }

    /// Writes an example: a line, or one for each of several captions.
    pub fn push(
        &mut self,
        pictures: &[PictureSource],
        text: &ExampleText,
    ) -> Result<(), TranslationError> {
        self.write(pictures, text)
            .map_err(|error| TranslationError::file(&self.staging, error))
    }

    fn write(&mut self, pictures: &[PictureSource], text: &ExampleText) -> io::Result<()> {
        let pictures = pictures.iter().map(|picture| self.picture(picture));
        let pictures: Vec<String> = pictures.collect::<io::Result<_>>()?;
        for line in lines(&pictures, text) {
            serde_json::to_writer(&mut self.lines, &line)?;
            self.lines.write_all(b"\n")?;
        }
        Ok(())
    }

    /// The name of a picture. Bytes become a file first.
    fn picture(&mut self, picture: &PictureSource) -> io::Result<String> {
        let bytes = match picture {
            PictureSource::File(file) => {
                let file = path::absolute(file)?;
                let name = file.to_str().map(str::to_owned);
                return name.ok_or_else(|| {
                    let path = file.display();
                    io::Error::other(format!("the name of the picture {path} is not UTF-8"))
                });
            }
            PictureSource::Bytes(bytes) => bytes,
        };
        let format = image::guess_format(bytes).ok();
        let extension = format.and_then(|format| format.extensions_str().first());
        let name = format!(
            "{PICTURES}/{:x}.{}",
            Sha256::digest(bytes),
            extension.unwrap_or(&"bin")
        );
        if self.pictures.insert(name.clone()) {
            fs::create_dir_all(self.staging.join(PICTURES))?;
            fs::write(self.staging.join(&name), bytes)?;
        }
        Ok(name)
    }

    /// Gives the folder its name.
    pub fn finish(mut self, language: &str) -> Result<DatasetConfig, TranslationError> {
        let dataset = DatasetConfig {
            format: DatasetFormat::JsonLines,
            files: vec![self.folder.join(EXAMPLES)],
            pictures: None,
            language: Some(language.to_owned()),
            columns: Columns::default(),
        };
        let finish = || {
            self.lines.flush()?;
            self.lines.get_ref().sync_all()?;
            let mut json = serde_json::to_vec_pretty(&dataset)?;
            json.push(b'\n');
            fs::write(self.staging.join(DATASET), json)?;
            fs::rename(&self.staging, &self.folder)
        };
        write_named(&self.folder.clone(), finish)?;
        Ok(dataset)
    }

    /// Removes what was begun.
    pub fn discard(self) -> Result<(), TranslationError> {
        let Self { staging, .. } = self;
        write_named(&staging, || fs::remove_dir_all(&staging))
    }
}

fn write_named(
    path: &Path,
    write: impl FnOnce() -> io::Result<()>,
) -> Result<(), TranslationError> {
    write().map_err(|error| TranslationError::file(path, error))
}

/// The lines of an example, with the keys of [`Columns::default`].
fn lines(pictures: &[String], text: &ExampleText) -> Vec<Value> {
    match text {
        ExampleText::Captions(captions) => {
            let captions = captions.iter().map(|caption| &caption.text);
            captions
                .map(|caption| json!({"image": pictures, "caption": caption}))
                .collect()
        }
        ExampleText::Dialogue(Dialogue { turns, .. }) => {
            let mut markers = "<image>\n".repeat(pictures.len());
            let turns = turns.iter().flat_map(|turn| {
                let question = std::mem::take(&mut markers) + &turn.question;
                [
                    json!({"from": "human", "value": question}),
                    json!({"from": "gpt", "value": turn.answer}),
                ]
            });
            let turns: Vec<_> = turns.collect();
            vec![json!({"image": pictures, "conversations": turns})]
        }
    }
}
