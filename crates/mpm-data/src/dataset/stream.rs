//! The examples of a data set in the order of training.

use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
    vec,
};

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{
    BadExample, DatasetConfig, DatasetError, Example, Fault,
    format::{NumberedExamples, Part},
};
use crate::DataError;

/// The stream of random numbers that orders the files of an epoch; those of windows have lower
/// numbers.
const FILES: u64 = u64::MAX;

/// In which order, and which part of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Decides the order.
    pub seed: u64,
    /// How many examples are held, to be delivered in random order. The files come in random
    /// order, too.
    pub window: NonZeroUsize,
    /// Which of the parts of the data this is.
    pub rank: usize,
    /// How many parts there are. Each gets files of its own, where there are enough of them, and
    /// examples of its own otherwise.
    pub ranks: NonZeroUsize,
    /// How often the data is read; endlessly for `None`.
    pub epochs: Option<NonZeroU64>,
    /// How many examples may be unusable before the stream ends with an error.
    pub max_bad: u64,
}

impl StreamOptions {
    /// All of the data, endlessly, in windows of 1,000 examples, of which 100 may be unusable.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            window: NonZeroUsize::new(1000).unwrap_or(NonZeroUsize::MIN),
            rank: 0,
            ranks: NonZeroUsize::MIN,
            epochs: None,
            max_bad: 100,
        }
    }
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamPosition {
    /// Where the window begins that is delivered from.
    window: FilePlace,
    /// Examples of the window that were delivered.
    delivered: usize,
    /// Unusable examples before the window, and later ones that were reported.
    bad: u64,
    /// Examples before the window, usable or not.
    #[serde(default)]
    read: u64,
}

impl StreamPosition {
    /// How often the data was read to its end before.
    pub fn epoch(&self) -> u64 {
        self.window.epoch
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct FilePlace {
    epoch: u64,
    /// In the order of the epoch.
    file: usize,
    /// Examples of the file, usable or not.
    example: u64,
}

/// Delivers examples; each order is a function of the seed, and can be taken up anywhere.
pub struct ExampleStream {
    dataset: DatasetConfig,
    options: StreamOptions,
    position: StreamPosition,
    /// What is left of the window.
    window: vec::IntoIter<Example>,
    /// Unusable examples that were met on the way through the window.
    bad_in_window: u64,
    /// All examples that were met there.
    read_in_window: u64,
    /// Where reading goes on behind the window.
    next: FilePlace,
    /// The file of `next`, if it is open.
    reader: Option<(PathBuf, NumberedExamples)>,
    /// The files of the epoch that `next` is in.
    order: (u64, Vec<PathBuf>),
    /// Whether the window could not be read to its end, so that `next` is behind a gap.
    failed: bool,
}

impl ExampleStream {
    /// A stream at its beginning.
    ///
    /// # Errors
    /// [`DatasetError::NoFiles`] for a data set without files.
    pub fn new(dataset: DatasetConfig, options: StreamOptions) -> Result<Self, DataError> {
        if dataset.files.is_empty() {
            return Err(DataError::Dataset {
                path: PathBuf::new(),
                source: DatasetError::NoFiles,
            });
        }
        let mut stream = Self {
            dataset,
            options,
            position: StreamPosition::default(),
            window: Vec::new().into_iter(),
            bad_in_window: 0,
            read_in_window: 0,
            next: FilePlace::default(),
            reader: None,
            order: (0, Vec::new()),
            failed: false,
        };
        stream.order = (0, stream.files(0));
        Ok(stream)
    }

    /// The next example; `None` at the end of the last epoch.
    ///
    /// Unusable ones are skipped, and logged with their file and place.
    ///
    /// # Errors
    /// [`DataError::Dataset`] for a file that cannot be read, or after too many unusable
    /// examples. The next call tries the same again: no example is passed over.
    pub fn next_example(&mut self) -> Result<Option<Example>, DataError> {
        if self.failed {
            self.seek(self.position)?;
        }
        loop {
            if let Some(example) = self.window.next() {
                self.position.delivered += 1;
                return Ok(Some(example));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Where the stream stands: what it delivers next.
    pub fn position(&self) -> StreamPosition {
        self.position
    }

    /// Goes to a position of a stream of the same data and options.
    ///
    /// # Errors
    /// As [`next_example`](Self::next_example), which then goes on from the position.
    pub fn seek(&mut self, position: StreamPosition) -> Result<(), DataError> {
        self.position = position;
        self.bad_in_window = 0;
        self.read_in_window = 0;
        self.window = Vec::new().into_iter();
        self.failed = false;
        self.go_to(position.window);
        if position.delivered > 0 {
            let filled = self.fill();
            self.position.delivered = position.delivered;
            filled?;
            self.window.by_ref().take(position.delivered).for_each(drop);
        }
        Ok(())
    }

    /// Counts an example that was delivered and turned out to be unusable, and logs it.
    ///
    /// # Errors
    /// [`DatasetError::TooManyBad`].
    pub fn report(&mut self, bad: &BadExample) -> Result<(), DataError> {
        self.position.bad += 1;
        self.check(bad)
    }

    /// The number of unusable examples so far.
    pub fn bad(&self) -> u64 {
        self.position.bad + self.bad_in_window
    }

    fn check(&self, bad: &BadExample) -> Result<(), DataError> {
        tracing::warn!("skipped {bad}");
        if self.bad() <= self.options.max_bad {
            return Ok(());
        }
        Err(DataError::Dataset {
            path: bad.origin.file.to_path_buf(),
            source: DatasetError::TooManyBad {
                bad: self.bad(),
                read: self.position.read + self.read_in_window,
                last: bad.to_string(),
            },
        })
    }

    /// The files that belong to this part, in the order of an epoch.
    fn files(&self, epoch: u64) -> Vec<PathBuf> {
        let Self { options, .. } = self;
        let files = self.dataset.files.iter().cloned();
        let mut own: Vec<_> = match self.files_are_shared_out() {
            true => files
                .skip(options.rank)
                .step_by(options.ranks.get())
                .collect(),
            false => files.collect(),
        };
        own.shuffle(&mut self.rng(epoch, FILES));
        own
    }

    fn files_are_shared_out(&self) -> bool {
        self.dataset.files.len() >= self.options.ranks.get()
    }

    fn rng(&self, epoch: u64, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed.wrapping_add(epoch));
        rng.set_stream(stream);
        rng
    }

    fn go_to(&mut self, place: FilePlace) {
        self.next = place;
        self.reader = None;
        self.order = (place.epoch, self.files(place.epoch));
    }

    /// Reads the next window. False at the end of the last epoch.
    fn fill(&mut self) -> Result<bool, DataError> {
        let filled = self.read_window();
        self.failed = filled.is_err();
        filled
    }

    /// After an error, the position is that before the window.
    fn read_window(&mut self) -> Result<bool, DataError> {
        self.position.bad += self.bad_in_window;
        self.position.read += self.read_in_window;
        self.bad_in_window = 0;
        self.read_in_window = 0;
        self.position.window = self.next;
        self.position.delivered = 0;
        if self.next.file >= self.order.1.len() {
            let epoch = self.next.epoch + 1;
            if self
                .options
                .epochs
                .is_some_and(|epochs| epoch >= epochs.get())
            {
                return Ok(false);
            }
            self.go_to(FilePlace {
                epoch,
                ..FilePlace::default()
            });
        }
        self.position.window = self.next;
        let mut window = Vec::new();
        while window.len() < self.options.window.get() {
            let next = self.read_next()?;
            self.read_in_window += u64::from(next.is_some());
            match next {
                None => break,
                Some(Ok(example)) => window.push(example),
                Some(Err(bad)) => {
                    self.bad_in_window += 1;
                    self.check(&bad)?;
                }
            }
        }
        let FilePlace { file, example, .. } = self.position.window;
        if window.is_empty() && (file, example) == (0, 0) {
            // The next epoch would have none either.
            return Err(DataError::Dataset {
                path: self.order.1.first().cloned().unwrap_or_default(),
                source: DatasetError::NoExamples { bad: self.bad() },
            });
        }
        let stream = ((file as u64) << 40) ^ example;
        window.shuffle(&mut self.rng(self.position.window.epoch, stream));
        self.window = window.into_iter();
        Ok(true)
    }

    /// The next example of this part; `None` at the end of the epoch.
    fn read_next(&mut self) -> Result<Option<Result<Example, BadExample>>, DataError> {
        let part = self.part();
        loop {
            let Some(path) = self.order.1.get(self.next.file) else {
                return Ok(None);
            };
            let named = |path: &Path, source| DataError::Dataset {
                path: path.to_path_buf(),
                source,
            };
            let (path, reader) = match &mut self.reader {
                Some(reader) => reader,
                None => {
                    let first = self.next.example;
                    let opened = self.dataset.open_part(path, Part { first, ..part });
                    let opened = opened.map_err(|source| named(path, source))?;
                    self.reader.insert((path.clone(), opened))
                }
            };
            let Some((number, item)) = reader.next() else {
                self.reader = None;
                self.next.file += 1;
                self.next.example = 0;
                continue;
            };
            self.next.example = number + 1;
            return match item {
                Ok(example) => Ok(Some(Ok(example))),
                Err(Fault::Skip(bad)) => Ok(Some(Err(bad))),
                Err(Fault::Stop(source)) => Err(named(path, source)),
            };
        }
    }

    /// Which examples of its files belong to this part of the data.
    fn part(&self) -> Part {
        let Self { options, .. } = self;
        match self.files_are_shared_out() {
            true => Part::ALL,
            false => Part {
                first: 0,
                rank: options.rank as u64,
                ranks: options.ranks.get() as u64,
            },
        }
    }
}
