//! Readers that give up on records without an end.

use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes of a line, a row of a table or an element of a list. No example has more: what is longer
/// has lost the end of a text or of a list.
pub(super) const MAX_RECORD: u64 = 256 << 20;

/// Bytes of the headers of an entry of an archive, which may hold long names.
pub(super) const MAX_HEADERS: u64 = 1 << 20;

/// A reader that fails when its [`Budget`] is spent. Parsers gather a record in memory before
/// they give anything of it.
pub(super) struct Limited<R> {
    reader: R,
    budget: Budget,
}

/// How much of a [`Limited`] reader may be read. The owner of the parser that it is hidden in
/// renews it for each record.
#[derive(Clone)]
pub(super) struct Budget {
    limit: u64,
    left: Arc<AtomicU64>,
}

impl<R> Limited<R> {
    /// A reader that is good for the first record, and for what is read ahead of it.
    pub fn new(reader: R, limit: u64) -> Self {
        let left = Arc::new(AtomicU64::new(limit));
        Self {
            reader,
            budget: Budget { limit, left },
        }
    }

    /// What says how much may be read.
    pub fn budget(&self) -> Budget {
        self.budget.clone()
    }
}

impl Budget {
    /// Allows a record.
    pub fn renew(&self) {
        self.renew_behind(0);
    }

    /// Allows a record behind bytes that nobody keeps.
    pub fn renew_behind(&self, bytes: u64) {
        let left = self.limit.saturating_add(bytes);
        self.left.store(left, Ordering::Relaxed);
    }

    /// Allows everything, where nothing is gathered.
    pub fn lift(&self) {
        self.left.store(u64::MAX, Ordering::Relaxed);
    }

    fn spend(&self, bytes: u64) -> io::Result<()> {
        let left = self.left.load(Ordering::Relaxed);
        let Some(left) = left.checked_sub(bytes) else {
            let limit = self.limit;
            let reason = format!("more than {limit} bytes belong together; an end may be missing");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        };
        self.left.store(left, Ordering::Relaxed);
        Ok(())
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.budget.spend(count as u64)?;
        Ok(count)
    }
}

/// Costs nothing.
impl<R: Seek> Seek for Limited<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}
