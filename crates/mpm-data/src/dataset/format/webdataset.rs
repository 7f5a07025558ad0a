//! Tar archives of examples whose parts follow each other.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use super::{
    super::{Caption, DatasetError, ExampleText, Flaw, PictureSource, Place},
    Content, Context, Examples, examples, input, record,
};

/// Examples that are read before they are asked for.
const AHEAD: usize = 8;

/// Files that are taken for pictures.
const PICTURES: [&str; 6] = ["jpg", "jpeg", "png", "webp", "gif", "bmp"];

/// Bytes of the parts of an example together. No picture is larger.
const MAX_EXAMPLE: u64 = 256 << 20;

/// The parts of an example.
struct Group {
    key: String,
    /// Extension and content.
    parts: Vec<(String, Vec<u8>)>,
    /// Of all parts, also those that were too large to be kept.
    bytes: u64,
}

impl Group {
    fn new(key: String) -> Self {
        Self {
            key,
            parts: Vec::new(),
            bytes: 0,
        }
    }

    /// Reads a part, unless that makes the example too large.
    fn add<R: Read>(&mut self, extension: String, entry: &mut tar::Entry<R>) -> io::Result<()> {
        self.bytes = self.bytes.saturating_add(entry.size());
        if self.bytes > MAX_EXAMPLE {
            self.parts = Vec::new();
            return Ok(());
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        self.parts.push((extension, content));
        Ok(())
    }
}

pub(super) fn open(file: &Path, context: Context) -> Result<Examples, DatasetError> {
    let archive = tar::Archive::new(input::open(file)?);
    let (sender, groups) = sync_channel(AHEAD);
    // An archive's entries borrow from it, so both live in a thread.
    thread::Builder::new()
        .name("tar".into())
        .spawn(move || send_groups(archive, &sender))?;
    Ok(examples(
        file,
        Groups(groups),
        |group| Place::Entry(group.key.as_str().into()),
        move |group| content(group, &context),
    ))
}

/// Looks at the first entry alone.
pub(super) fn probe(file: &Path) -> Result<(), DatasetError> {
    let mut archive = tar::Archive::new(input::open(file)?);
    let first = archive.entries()?.next().transpose();
    first.map(drop).map_err(|error| DatasetError::Damaged {
        place: "at its head".into(),
        reason: error.to_string(),
    })
}

struct Groups(Receiver<Result<Group, DatasetError>>);

impl Iterator for Groups {
    type Item = Result<Group, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.recv().ok()
    }
}

/// Sends all examples, until nobody listens any more.
fn send_groups<R: Read>(
    mut archive: tar::Archive<R>,
    sender: &SyncSender<Result<Group, DatasetError>>,
) {
    let mut group: Option<Group> = None;
    let mut last = String::new();
    let mut read = || -> io::Result<bool> {
        for entry in archive.entries()? {
            let mut entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = entry.path()?.into_owned();
            let Some((key, extension)) = split(&path) else {
                continue;
            };
            last.clone_from(&key);
            if group.as_ref().is_some_and(|group| group.key != key)
                && let Some(done) = group.take()
                && sender.send(Ok(done)).is_err()
            {
                return Ok(false);
            }
            let group = group.get_or_insert_with(|| Group::new(key));
            // Others belong to other readers.
            if is_read(&extension) {
                group.add(extension, &mut entry)?;
            }
        }
        Ok(true)
    };
    let result = read();
    // Nobody may listen; then there is nothing more to do either.
    let _ = match result {
        Ok(false) => Ok(()),
        Ok(true) => group.map_or(Ok(()), |group| sender.send(Ok(group))),
        Err(error) => sender.send(Err(DatasetError::Damaged {
            place: format!("behind entry {last}"),
            reason: error.to_string(),
        })),
    };
}

/// The name up to the first dot of its last part, and the rest in lower case.
fn split(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_str()?;
    let (stem, extension) = name.split_once('.')?;
    if stem.is_empty() {
        return None;
    }
    let key: PathBuf = path.with_file_name(stem);
    Some((key.to_str()?.to_owned(), extension.to_ascii_lowercase()))
}

fn is_read(extension: &str) -> bool {
    ["txt", "json"].contains(&extension) || PICTURES.contains(&extension)
}

fn content(group: Group, context: &Context) -> Result<Content, Flaw> {
    if group.bytes > MAX_EXAMPLE {
        return Err(Flaw::TooLarge {
            bytes: group.bytes,
            limit: MAX_EXAMPLE,
        });
    }
    let (mut pictures, mut text, mut object) = (Vec::new(), None, None);
    for (extension, bytes) in group.parts {
        match extension.as_str() {
            "txt" => text = Some(String::from_utf8_lossy(&bytes).trim().to_owned()),
            "json" => object = Some(serde_json::from_slice(&bytes)?),
            _ => pictures.push(PictureSource::Bytes(bytes.into())),
        }
    }
    if pictures.is_empty() {
        return Err(Flaw::Missing { what: "picture" });
    }
    let text = match (text.filter(|text| !text.is_empty()), object) {
        (Some(text), _) => ExampleText::Captions(vec![Caption {
            language: context.language.clone(),
            text,
        }]),
        (None, Some(object)) => record::text(&object, pictures.len(), context)?,
        (None, None) => return Err(Flaw::Missing { what: "text" }),
    };
    Ok((pictures, text))
}
