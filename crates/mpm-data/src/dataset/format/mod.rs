//! Formats of data sets as people have them.

mod coco;
mod conceptual_captions;
mod conversation;
mod csv_table;
mod input;
mod json_lines;
mod json_list;
mod limited;
mod llava;
mod m3it;
mod parquet_rows;
mod parquet_table;
mod part;
mod record;
mod webdataset;
mod whole;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{BadExample, DatasetError, Example, ExampleText, Fault, Flaw, Origin, PictureSource};

pub(super) use part::Part;
pub use record::Columns;

/// The layout of the files of a data set. Lists, lines, tables and archives may be compressed by
/// gzip or Zstandard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DatasetFormat {
    /// LLaVA-150K and what follows it: a JSON list of
    /// `{"image": "x.jpg", "conversations": [{"from": "human", "value": "<image>\n…"}, …]}`.
    /// `image` may be a list, or not be there.
    Llava,
    /// COCO's captions: `{"images": [{"id", "file_name"}], "annotations": [{"image_id",
    /// "caption"}]}`. Each caption is an example.
    CocoCaptions,
    /// Conceptual Captions: lines of a caption, a tab and an address. The picture of line `n`
    /// (from 0) is `n.jpg` of nine digits, in the folder itself or, as img2dataset has it, in one
    /// for each 10,000 lines, of five digits.
    ConceptualCaptions,
    /// M3IT: JSON lines with `instruction`, `inputs`, `outputs` and pictures in Base64,
    /// `image_base64_str`.
    M3it,
    /// JSON lines with the keys of [`Columns`].
    JsonLines,
    /// Comma-separated values with a header, of the columns of [`Columns`].
    Csv,
    /// WebDataset and img2dataset: tar archives, in which files that follow each other and are
    /// called the same up to the first dot are an example: pictures, and a caption in `.txt`, or
    /// the keys of [`Columns`] in `.json`.
    Webdataset,
    /// Parquet, as Hugging Face writes it, with the columns of [`Columns`]. The one of pictures
    /// has structs of `bytes` and `path`, or bytes, or names of files, or lists of them.
    HuggingFace,
    /// UniMM-Chat: Parquet with a picture in `image`, maybe in Base64, and a conversation as
    /// JSON in `conversation`.
    UnimmChat,
    /// VisCPM: Parquet with a picture in `BUFFER`, maybe in Base64, and captions or
    /// conversations as JSON in `TEXT` (English) and `ZH_TEXT`, of which one may be missing. Of
    /// two conversations, the one in the data set's language is read.
    Viscpm,
}

/// A data set: its files and what they do not say themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetConfig {
    /// The layout of the files.
    pub format: DatasetFormat,
    /// The files, in their order.
    pub files: Vec<PathBuf>,
    /// The folder of pictures that the files name; the file's own where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pictures: Option<PathBuf>,
    /// The language of the texts, ISO 639-1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What columns and keys are called.
    #[serde(default)]
    pub columns: Columns,
}

/// The examples of a file, in its order, and what is wrong with others.
pub type Examples = Box<dyn Iterator<Item = Result<Example, Fault>> + Send>;

/// The same with their numbers in the file, counted from 0.
pub(super) type NumberedExamples = Box<dyn Iterator<Item = (u64, Result<Example, Fault>)> + Send>;

impl DatasetConfig {
    /// Opens one of the files. It is read as the examples are asked for.
    ///
    /// # Errors
    /// [`DatasetError`] when the file cannot be opened, or its head is not in the format.
    pub fn open(&self, file: &Path) -> Result<Examples, DatasetError> {
        let examples = self.open_part(file, Part::ALL)?;
        Ok(Box::new(examples.map(|(_, example)| example)))
    }

    /// The same for some of the examples. The others are passed over, usable or not.
    pub(super) fn open_part(
        &self,
        file: &Path,
        part: Part,
    ) -> Result<NumberedExamples, DatasetError> {
        let context = Context {
            part,
            folder: self.pictures.clone().unwrap_or_else(|| {
                let parent = file.parent().unwrap_or(Path::new(""));
                parent.to_path_buf()
            }),
            language: self.language.clone(),
            columns: self.columns.clone(),
        };
        match self.format {
            DatasetFormat::Llava => llava::open(file, context),
            DatasetFormat::CocoCaptions => coco::open(file, context),
            DatasetFormat::ConceptualCaptions => conceptual_captions::open(file, context),
            DatasetFormat::M3it => m3it::open(file, context),
            DatasetFormat::JsonLines => json_lines::open(file, context),
            DatasetFormat::Csv => csv_table::open(file, context),
            DatasetFormat::Webdataset => webdataset::open(file, context),
            DatasetFormat::HuggingFace => parquet_table::hugging_face(file, context),
            DatasetFormat::UnimmChat => parquet_table::unimm_chat(file, context),
            DatasetFormat::Viscpm => parquet_table::viscpm(file, context),
        }
    }

    /// Looks at the head and the end of one of the files.
    pub(super) fn probe(&self, file: &Path) -> Result<(), DatasetError> {
        match self.format {
            // To open it reads examples ahead.
            DatasetFormat::Webdataset => webdataset::probe(file)?,
            _ => drop(self.open(file)?),
        }
        whole::check(file, self.format)
    }
}

/// What the examples of a file have in common.
#[derive(Clone, Debug)]
struct Context {
    part: Part,
    folder: PathBuf,
    language: Option<String>,
    columns: Columns,
}

impl Context {
    fn picture(&self, name: &str) -> PictureSource {
        PictureSource::File(self.folder.join(name))
    }
}

/// What an example says, before its origin is known.
type Content = (Vec<PictureSource>, ExampleText);

/// Makes examples of those items of a file that are wanted.
fn examples<T>(
    file: &Path,
    part: Part,
    items: impl Iterator<Item = Result<T, DatasetError>> + Send + 'static,
    place: impl Fn(&T) -> super::Place + Send + 'static,
    content: impl Fn(T) -> Result<Content, Flaw> + Send + 'static,
) -> NumberedExamples {
    let file: Arc<Path> = file.into();
    let example = move |item: Result<T, DatasetError>| {
        let item = item.map_err(Fault::Stop)?;
        let origin = Origin {
            file: file.clone(),
            place: place(&item),
        };
        match content(item) {
            Ok((pictures, text)) => Ok(Example {
                pictures,
                text,
                origin,
            }),
            Err(flaw) => Err(Fault::Skip(BadExample { origin, flaw })),
        }
    };
    let items = (0..).zip(items);
    let wanted = items.filter(move |(number, item)| item.is_err() || part.contains(*number));
    Box::new(wanted.map(move |(number, item)| (number, example(item))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::sync::Mutex;

    use super::{super::Place, *};

    #[test]
    fn only_what_is_wanted_is_unpacked() {
        let unpacked = Arc::new(Mutex::new(Vec::new()));
        let seen = unpacked.clone();
        let part = Part {
            first: 3,
            rank: 1,
            ranks: 2,
        };
        // Number 8 is not wanted, but damage concerns everyone.
        let items = (0..8).map(Ok).chain([Err(DatasetError::NoFiles)]);
        let place = |row: &u64| Place::Row(*row);
        let examples = examples(Path::new("x"), part, items, place, move |row| {
            seen.lock().unwrap().push(row);
            Err(Flaw::Missing { what: "text" })
        });
        let met: Vec<_> = examples
            .map(|(number, example)| (number, matches!(example, Err(Fault::Stop(_)))))
            .collect();
        assert_eq!(met, [(3, false), (5, false), (7, false), (8, true)]);
        assert_eq!(*unpacked.lock().unwrap(), [3, 5, 7]);
    }
}
