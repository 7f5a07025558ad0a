//! Tar archives of examples whose parts follow each other.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use super::{
    super::{Caption, DatasetError, ExampleText, Flaw, PictureSource, Place},
    Content, Context, NumberedExamples, examples, input,
    limited::{Budget, MAX_HEADERS},
    record,
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

pub(super) fn open(file: &Path, context: Context) -> Result<NumberedExamples, DatasetError> {
    let reader = input::open_limited(file, MAX_HEADERS)?;
    let budget = reader.budget();
    let archive = tar::Archive::new(reader);
    let (sender, receiver) = sync_channel(AHEAD);
    // An archive's entries borrow from it, so both live in a thread.
    thread::Builder::new()
        .name("tar".into())
        .spawn(move || send_groups(archive, &budget, &sender))?;
    Ok(examples(
        file,
        context.part,
        Groups::new(receiver),
        |group| Place::Entry(group.key.as_str().into()),
        move |group| content(group, &context),
    ))
}

/// Looks at the first entry alone.
pub(super) fn probe(file: &Path) -> Result<(), DatasetError> {
    let mut archive = tar::Archive::new(input::open_limited(file, MAX_HEADERS)?);
    let first = archive.entries()?.next().transpose();
    first.map(drop).map_err(|error| DatasetError::Damaged {
        place: "at its head".into(),
        reason: error.to_string(),
    })
}

/// An example, or `None` at the end of the archive.
type Message = Result<Option<Group>, DatasetError>;

/// The examples that a thread sends.
struct Groups {
    receiver: Receiver<Message>,
    /// The name of the last one.
    last: String,
    ended: bool,
}

impl Groups {
    fn new(receiver: Receiver<Message>) -> Self {
        Self {
            receiver,
            last: String::new(),
            ended: false,
        }
    }
}

impl Iterator for Groups {
    type Item = Result<Group, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        // Without a message of the end the thread died, and may have had more to send.
        let message = self.receiver.recv().unwrap_or_else(|_| {
            Err(DatasetError::Damaged {
                place: behind_entry(&self.last),
                reason: "the thread that reads the archive stopped".to_owned(),
            })
        });
        match &message {
            Ok(Some(group)) => self.last.clone_from(&group.key),
            Ok(None) | Err(_) => self.ended = true,
        }
        message.transpose()
    }
}

fn behind_entry(name: &str) -> String {
    match name {
        "" => "at its head".to_owned(),
        _ => format!("behind entry {name}"),
    }
}

/// Sends all examples, until nobody listens any more.
fn send_groups<R: Read>(
    mut archive: tar::Archive<R>,
    budget: &Budget,
    sender: &SyncSender<Message>,
) {
    let mut group: Option<Group> = None;
    let mut last = String::new();
    let mut read = || -> io::Result<bool> {
        let mut entries = archive.entries()?;
        // Bytes of the last entry, which are passed over unless they were read.
        let mut passed = 0;
        loop {
            budget.renew_behind(passed);
            let Some(entry) = entries.next() else {
                return Ok(true);
            };
            let mut entry = entry?;
            // What is kept of its content has a limit of its own.
            budget.lift();
            passed = entry.size();
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
                && sender.send(Ok(Some(done))).is_err()
            {
                return Ok(false);
            }
            let group = group.get_or_insert_with(|| Group::new(key));
            // Others belong to other readers.
            if is_read(&extension) {
                group.add(extension, &mut entry)?;
            }
        }
    };
    let result = read();
    // Nobody may listen; then there is nothing more to do either.
    let _ = match result {
        Ok(false) => Ok(()),
        Ok(true) => {
            let group = group.map_or(Ok(()), |group| sender.send(Ok(Some(group))));
            group.and_then(|()| sender.send(Ok(None)))
        }
        Err(error) => sender.send(Err(DatasetError::Damaged {
            place: behind_entry(&last),
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_dies_is_not_the_end_of_the_archive() {
        for (last, ends) in [(Some(Ok(None)), true), (None, false)] {
            let (sender, receiver) = sync_channel(AHEAD);
            sender.send(Ok(Some(Group::new("00/1".into())))).unwrap();
            if let Some(last) = last {
                sender.send(last).unwrap();
            }
            drop(sender);
            let mut groups = Groups::new(receiver);
            assert_eq!(groups.next().unwrap().unwrap().key, "00/1");
            match groups.next() {
                None => assert!(ends),
                Some(Err(error @ DatasetError::Damaged { .. })) => {
                    assert!(!ends);
                    assert!(error.to_string().contains("behind entry 00/1"), "{error}");
                }
                Some(_) => panic!("neither an end nor an error"),
            }
            assert!(groups.next().is_none());
        }
    }
}
