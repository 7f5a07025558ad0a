//! The size of a step.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// How many samples make a step, and how many are computed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchConfig {
    /// Samples of a step, over all workers.
    pub samples: NonZeroUsize,
    /// Samples of one forward pass: what fits into the device's memory.
    pub micro: NonZeroUsize,
    /// How many of these passes a CPU computes at the same time.
    #[serde(default = "one")]
    pub threads: NonZeroUsize,
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

impl BatchConfig {
    /// How many forward passes of each of `workers` workers make a step.
    ///
    /// # Errors
    /// [`TrainError::Setting`] when they do not make exactly `samples`: the gradient would be
    /// that of another batch than asked for.
    pub fn accumulation(&self, workers: usize) -> Result<NonZeroUsize, TrainError> {
        let pass = self.micro.get() * workers.max(1);
        let passes = NonZeroUsize::new(self.samples.get() / pass);
        match passes {
            Some(passes) if self.samples.get().is_multiple_of(pass) => Ok(passes),
            _ => Err(TrainError::Setting {
                name: "batch.samples",
                value: format!("{} for {workers} workers of {}", self.samples, self.micro),
                expected: "a multiple of `batch.micro` times the number of workers",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn passes_and_workers_make_the_batch() {
        let batch = BatchConfig {
            samples: NonZeroUsize::new(768).unwrap(),
            micro: NonZeroUsize::new(8).unwrap(),
            threads: NonZeroUsize::MIN,
        };
        assert_eq!(batch.accumulation(1).unwrap().get(), 96);
        assert_eq!(batch.accumulation(8).unwrap().get(), 12);
        assert!(batch.accumulation(5).is_err());
        assert!(batch.accumulation(128).is_err());
    }
}
