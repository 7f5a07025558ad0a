//! Zstandard, by the headers of its frames and blocks (RFC 8878, section 3.1).

use std::{
    fs::File,
    io::{self, Read, Seek},
};

use super::{super::super::DatasetError, cut_off};

const FRAME: u32 = 0xFD2F_B528;
/// The last four bits are free.
const SKIPPABLE_FRAME: u32 = 0x184D_2A50;

/// Goes from block to block.
pub(super) fn check(file: File) -> Result<(), DatasetError> {
    let length = file.metadata()?.len();
    let mut frames = Frames { file, length };
    loop {
        let place = frames.file.stream_position()?;
        if place == length {
            return Ok(());
        }
        let place = format!("in the frame at byte {place}");
        frames.next().map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut_off(place, length),
            io::ErrorKind::InvalidData => DatasetError::Damaged {
                place,
                reason: error.to_string(),
            },
            _ => error.into(),
        })?;
    }
}

struct Frames {
    file: File,
    length: u64,
}

impl Frames {
    /// Goes to the end of a frame.
    fn next(&mut self) -> io::Result<()> {
        let magic = u32::from_le_bytes(self.take()?);
        if magic & !0xF == SKIPPABLE_FRAME {
            let size = u32::from_le_bytes(self.take()?);
            return self.skip(size.into());
        }
        if magic != FRAME {
            return Err(invalid("no frame of Zstandard begins here"));
        }
        let [descriptor] = self.take()?;
        let is_single_segment = descriptor >> 5 & 1;
        let window = 1 - is_single_segment;
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let content_size = [is_single_segment, 2, 4, 8][usize::from(descriptor >> 6)];
        self.skip((window + dictionary + content_size).into())?;
        loop {
            let [low, middle, high] = self.take()?;
            let header = u32::from_le_bytes([low, middle, high, 0]);
            let size = header >> 3;
            self.skip(match header >> 1 & 3 {
                0 | 2 => size.into(),
                // A byte that is repeated.
                1 => 1,
                _ => return Err(invalid("a block has a type that there is not")),
            })?;
            if header & 1 == 1 {
                break;
            }
        }
        let has_checksum = descriptor >> 2 & 1;
        self.skip(4 * u64::from(has_checksum))
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        // Files can be left behind their ends without an error.
        let left = self.length.saturating_sub(self.file.stream_position()?);
        if bytes > left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.file.seek_relative(bytes as i64)
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
