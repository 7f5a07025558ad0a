//! The translated data set on the disk.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{self, Path, PathBuf},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    dataset::{Columns, DatasetConfig, DatasetFormat, Dialogue, ExampleText, PictureSource},
    translate::TranslationError,
};

const EXAMPLES: &str = "examples.jsonl";
const DATASET: &str = "dataset.json";
const PICTURES: &str = "pictures";

/// A folder of JSON lines and their pictures. It gets its name when all is written; until then
/// it is one of a name that nothing else has, and vanishes where something fails.
#[derive(Debug)]
pub(super) struct Output {
    /// Absolute
    folder: PathBuf,
    // Before the folder that it is in: not every system removes files that are open.
    lines: BufWriter<File>,
    staging: TempDir,
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

    /// Begins a folder, beside the one to make: only within a file system it can be renamed.
    pub fn create(folder: &Path) -> Result<Self, TranslationError> {
        Self::check(folder)?;
        let create = || {
            let folder = path::absolute(folder)?;
            let parent = parent(&folder);
            fs::create_dir_all(parent)?;
            let mut name = folder.file_name().unwrap_or_default().to_owned();
            name.push(".partial-");
            let staging = tempfile::Builder::new().prefix(&name).tempdir_in(parent)?;
            let lines = BufWriter::new(File::create(staging.path().join(EXAMPLES))?);
            Ok(Self {
                folder,
                lines,
                staging,
                pictures: HashSet::new(),
            })
        };
        create().map_err(|error| TranslationError::file(folder, error))
    }

    /// Writes an example: a line, or one for each of several captions.
    pub fn push(
        &mut self,
        pictures: &[PictureSource],
        text: &ExampleText,
    ) -> Result<(), TranslationError> {
        self.write(pictures, text)
            .map_err(|error| TranslationError::file(&self.folder, error))
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
            fs::create_dir_all(self.staging.path().join(PICTURES))?;
            write_synced(&self.staging.path().join(&name), bytes)?;
        }
        Ok(name)
    }

    /// Gives the folder its name, when all that is in it is on the disk.
    pub fn finish(mut self, language: &str) -> Result<DatasetConfig, TranslationError> {
        // Another run may have been faster.
        Self::check(&self.folder)?;
        let dataset = DatasetConfig {
            format: DatasetFormat::JsonLines,
            files: vec![self.folder.join(EXAMPLES)],
            pictures: None,
            language: Some(language.to_owned()),
            columns: Columns::default(),
        };
        self.publish(&dataset)
            .map_err(|error| TranslationError::file(&self.folder, error))?;
        Ok(dataset)
    }

    fn publish(&mut self, dataset: &DatasetConfig) -> io::Result<()> {
        self.lines.flush()?;
        self.lines.get_ref().sync_all()?;
        let staging = self.staging.path();
        let mut json = serde_json::to_vec_pretty(dataset)?;
        json.push(b'\n');
        write_synced(&staging.join(DATASET), &json)?;
        if !self.pictures.is_empty() {
            sync_folder(&staging.join(PICTURES))?;
        }
        sync_folder(staging)?;
        fs::rename(staging, &self.folder)?;
        self.staging.disable_cleanup(true);
        sync_folder(parent(&self.folder))
    }

    /// Removes what was begun.
    pub fn discard(self) -> Result<(), TranslationError> {
        let Self {
            folder,
            lines,
            staging,
            ..
        } = self;
        drop(lines);
        staging
            .close()
            .map_err(|error| TranslationError::file(&folder, error))
    }
}

/// The folder that an absolute path is in.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes names in a folder survive a loss of power, where the system can open folders.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(folder)?.sync_all(),
        false => Ok(()),
    }
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
