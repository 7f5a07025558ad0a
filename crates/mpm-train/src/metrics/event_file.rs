//! TensorBoard's event files: protobuf messages in TFRecord frames.
//!
//! The messages are written down here with `prost`, because the crates that write event files
//! either need `protoc` to build or are not kept any more.
//!
//! Source: `event.proto` and `summary.proto` of TensorBoard, `record_writer.cc` of TensorFlow.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use prost::Message;

use crate::TrainError;

/// The version that TensorBoard understands: steps that are taken again replace the older ones.
const FILE_VERSION: &str = "brain.Event:2";

/// What event files begin their names with. The seconds since 1970 follow.
const NAME: &str = "events.out.tfevents.";

/// A file of scalars over steps, in a folder that TensorBoard shows as one run.
///
/// Each session of a run has a file of its own. TensorBoard reads the files of a folder in the
/// order of their names and shows them as one curve.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Starts a file behind those of the folder, which is made if it is not there.
    ///
    /// What earlier files say of `first_step` and later steps is not shown any more, because
    /// these steps are taken again.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn create(folder: &Path, first_step: usize) -> Result<Self, TrainError> {
        fs::create_dir_all(folder).map_err(TrainError::io("create", folder))?;
        let (path, file) = create_last(folder)?;
        let mut events = Self { path, file };
        events.write(first_step, What::FileVersion(FILE_VERSION.to_owned()))?;
        let start = SessionLog {
            status: Some(SessionStatus::Start.into()),
        };
        events.write(first_step, What::SessionLog(start))?;
        Ok(events)
    }

    /// Appends values of a step under their names, which may be paths such as `train/loss`.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn scalars<'a>(
        &mut self,
        step: usize,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<(), TrainError> {
        let values = values.into_iter().map(|(tag, value)| SummaryValue {
            tag: tag.to_owned(),
            simple_value: Some(value as f32),
        });
        let value = values.collect();
        self.write(step, What::Summary(Summary { value }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, step: usize, what: What) -> Result<(), TrainError> {
        let event = Event {
            wall_time: since_1970().as_secs_f64(),
            step: i64::try_from(step).unwrap_or(i64::MAX),
            what: Some(what),
        };
        // One write a record, so that a killed run leaves at most one half record at the end,
        // where TensorBoard stops and goes on with the next file.
        self.file
            .write_all(&frame(&event.encode_to_vec()))
            .map_err(TrainError::io("write", &self.path))
    }
}

fn since_1970() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default()
}

/// Creates the file that comes last by name, even where the clock went back or two sessions
/// start within a second.
fn create_last(folder: &Path) -> Result<(PathBuf, File), TrainError> {
    let mut seconds = since_1970().as_secs();
    let entries = fs::read_dir(folder).map_err(TrainError::io("list", folder))?;
    for entry in entries {
        let entry = entry.map_err(TrainError::io("list", folder))?;
        let name = entry.file_name();
        let time = name.to_str().and_then(|name| name.strip_prefix(NAME));
        let time = time.and_then(|time| time.split('.').next()?.parse::<u64>().ok());
        if let Some(time) = time {
            seconds = seconds.max(time.saturating_add(1));
        }
    }
    loop {
        let path = folder.join(format!("{NAME}{seconds:010}.mpm"));
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => seconds += 1,
            Err(error) => return Err(TrainError::io("create", &path)(error)),
        }
    }
}

/// A TFRecord: length, its checksum, content, its checksum, all little-endian.
fn frame(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(content.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(content);
    record.extend(masked_crc(content).to_le_bytes());
    record
}

/// CRC-32C, changed so that the checksum of data with checksums in them is no trivial one.
fn masked_crc(bytes: &[u8]) -> u32 {
    const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    CRC.checksum(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    /// Part of a oneof, so that a zero is written, too.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(enumeration = "SessionStatus", optional, tag = "1")]
    status: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum SessionStatus {
    Unspecified = 0,
    Start = 1,
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use proptest::prelude::*;

    use super::*;

    /// The events of a file, and whether it ends with a whole one.
    fn read(path: &Path) -> (Vec<Event>, bool) {
        let bytes = fs::read(path).unwrap();
        let (mut rest, mut events) = (bytes.as_slice(), Vec::new());
        while let Some((length, after)) = rest.split_first_chunk::<8>() {
            let Some((checksum, after)) = after.split_first_chunk::<4>() else {
                break;
            };
            assert_eq!(u32::from_le_bytes(*checksum), masked_crc(length));
            let length = u64::from_le_bytes(*length) as usize;
            let Some((content, after)) = after.split_at_checked(length) else {
                break;
            };
            let Some((checksum, after)) = after.split_first_chunk::<4>() else {
                break;
            };
            assert_eq!(u32::from_le_bytes(*checksum), masked_crc(content));
            events.push(Event::decode(content).unwrap());
            rest = after;
        }
        (events, rest.is_empty())
    }

    /// The step with which the session starts, and all steps, names and values.
    pub(in crate::metrics) fn scalars(path: &Path) -> (i64, Vec<(i64, String, f32)>) {
        let (mut start, mut scalars) = (0, Vec::new());
        for event in read(path).0 {
            match event.what {
                Some(What::SessionLog(_)) => start = event.step,
                Some(What::Summary(summary)) => {
                    let values = summary.value.into_iter();
                    scalars.extend(values.map(|value| {
                        let number = value.simple_value.unwrap();
                        (event.step, value.tag, number)
                    }));
                }
                _ => {}
            }
        }
        (start, scalars)
    }

    #[test]
    fn a_record_is_what_tensorflow_writes() {
        // RFC 3720, B.4: CRC-32C of 32 zeros is 8a9136aa.
        let crc: u32 = 0x8a91_36aa;
        let masked = crc.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(masked_crc(&[0; 32]), masked);
        // With the checksums of TensorBoard's own `masked_crc32c`.
        let expected = b"\x03\0\0\0\0\0\0\0\xb0\x99I\x0eabcnW\xf1!";
        assert_eq!(frame(b"abc"), expected);
    }

    #[test]
    fn a_file_begins_with_its_version_and_the_start_of_the_session() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(&folder.path().join("new"), 7).unwrap();
        file.scalars(7, [("train/loss", 0.0), ("train/rate", 0.5)])
            .unwrap();
        let (events, whole) = read(file.path());
        assert!(whole);
        assert!(events.iter().all(|event| event.step == 7));
        let status = Some(1);
        let value = |tag: &str, value| SummaryValue {
            tag: tag.to_owned(),
            simple_value: Some(value),
        };
        let values = vec![value("train/loss", 0.0), value("train/rate", 0.5)];
        let whats: Vec<_> = events.into_iter().filter_map(|event| event.what).collect();
        assert_eq!(
            whats,
            [
                What::FileVersion("brain.Event:2".to_owned()),
                What::SessionLog(SessionLog { status }),
                What::Summary(Summary { value: values }),
            ]
        );
    }

    #[test]
    fn later_files_come_later_by_name_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("events.out.tfevents.x"), "").unwrap();
        let future = folder.path().join("events.out.tfevents.4000000000.host.1");
        fs::write(&future, "").unwrap();
        let mut names = vec![future];
        for _ in 0..3 {
            let file = EventFile::create(folder.path(), 1).unwrap();
            names.push(file.path().to_owned());
        }
        assert!(names.is_sorted());
        names.dedup();
        assert_eq!(names.len(), 4);
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = EventFile::create(file.path(), 1).unwrap_err().to_string();
        assert!(error.contains("cannot create"), "{error}");
    }

    proptest! {
        #[test]
        fn any_scalars_come_back(
            steps in prop::collection::vec((0..1000usize, "\\PC{0,12}", any::<f32>()), 0..9),
            cut in 1..40u64,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut file = EventFile::create(folder.path(), 1).unwrap();
            for (step, tag, value) in &steps {
                file.scalars(*step, [(tag.as_str(), f64::from(*value))]).unwrap();
            }
            let (events, whole) = read(file.path());
            prop_assert!(whole);
            prop_assert_eq!(events.len(), steps.len() + 2);
            for (event, (step, tag, value)) in events[2..].iter().zip(&steps) {
                prop_assert_eq!(event.step, *step as i64);
                let Some(What::Summary(summary)) = &event.what else {
                    panic!("no summary");
                };
                prop_assert_eq!(&summary.value[0].tag, tag);
                let read = summary.value[0].simple_value.unwrap();
                prop_assert!(read == *value || (read.is_nan() && value.is_nan()));
            }
            // A killed run: all whole records can still be read.
            let length = file.file.metadata().unwrap().len();
            file.file.set_len(length.saturating_sub(cut)).unwrap();
            prop_assert!(read(file.path()).0.len() <= events.len());
        }
    }
}
