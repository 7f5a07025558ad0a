//! How much memory the reading of a pickle may take.
//!
//! An instruction of a pickle is a byte long or more, and what it adds by itself is small. But a
//! few bytes can also ask for a copy of what was there before, and of that copy again: a file of a
//! megabyte would take gigabytes. Honest pickles hardly have anything copied.

/// What every pickle may have copied, in bytes.
const BASE: usize = 1 << 20;

/// What may be copied beyond that for each byte of the pickle.
const PER_BYTE: usize = 16;

/// The bytes that were copied at the demand of a pickle so far.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: usize,
}

impl Budget {
    /// Whether so many bytes more may be copied for a pickle of length `len`.
    pub fn allows(&mut self, bytes: usize, len: usize) -> bool {
        self.spent = self.spent.saturating_add(bytes);
        self.spent <= BASE.saturating_add(len.saturating_mul(PER_BYTE))
    }
}
