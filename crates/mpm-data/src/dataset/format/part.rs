//! Some of the examples of a file.

/// Which examples of a file are wanted, by their numbers in it. The others are not unpacked.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Part {
    /// The first that is.
    pub first: u64,
    /// From each `ranks` in a row, the one of this number.
    pub rank: u64,
    /// Above 0.
    pub ranks: u64,
}

impl Part {
    /// All examples.
    pub const ALL: Self = Self {
        first: 0,
        rank: 0,
        ranks: 1,
    };

    /// Whether the example of a number is wanted.
    pub fn contains(self, number: u64) -> bool {
        number >= self.first && number % self.ranks == self.rank
    }
}
