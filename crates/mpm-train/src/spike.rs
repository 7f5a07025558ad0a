//! Stopping a run whose loss runs away.

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// The share of the running mean that a step keeps.
const KEPT: f64 = 0.98;

/// Steps before the running mean means anything.
const WARM_UP: usize = 50;

/// When a run is taken for lost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeLimit {
    /// A loss above this multiple of its running mean is a spike.
    pub factor: f64,
    /// The run stops after this many spikes in a row; the parameters are not updated by the
    /// last one.
    pub steps: usize,
}

impl SpikeLimit {
    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first one that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        let setting = |name, value: String, expected| {
            Err(TrainError::Setting {
                name,
                value,
                expected,
            })
        };
        if !(self.factor.is_finite() && self.factor > 1.0) {
            let value = self.factor.to_string();
            return setting("spike.factor", value, "finite and above 1");
        }
        if self.steps == 0 {
            return setting("spike.steps", "0".to_owned(), "at least 1");
        }
        Ok(())
    }
}

/// The running mean of the loss, and the spikes since it was last below the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LossMean {
    mean: f64,
    steps: usize,
    spikes: usize,
}

impl LossMean {
    /// Takes in the loss of a step. `Err` with the mean where the run shall stop.
    ///
    /// Spikes do not enter the mean.
    pub fn add(&mut self, loss: f64, limit: &SpikeLimit) -> Result<(), f64> {
        if self.steps >= WARM_UP && loss > limit.factor * self.mean {
            self.spikes += 1;
            return match self.spikes < limit.steps {
                true => Ok(()),
                false => Err(self.mean),
            };
        }
        self.spikes = 0;
        self.steps += 1;
        // The plain mean until there are enough steps for the running one.
        let share = (1.0 / self.steps as f64).max(1.0 - KEPT);
        self.mean += (loss - self.mean) * share;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: SpikeLimit = SpikeLimit {
        factor: 3.0,
        steps: 2,
    };

    #[test]
    fn spikes_in_a_row_stop_the_run() {
        let mut mean = LossMean::default();
        for _ in 0..WARM_UP {
            assert!(mean.add(1.0, &LIMIT).is_ok());
        }
        assert!(mean.add(3.5, &LIMIT).is_ok());
        assert!(mean.add(1.0, &LIMIT).is_ok());
        assert!(mean.add(3.5, &LIMIT).is_ok());
        let stopped = mean.add(9.0, &LIMIT);
        assert!(stopped.is_err_and(|mean| (mean - 1.0).abs() < 1e-9));
    }

    #[test]
    fn the_first_steps_may_be_wild() {
        let mut mean = LossMean::default();
        for step in 0..WARM_UP {
            let loss = if step % 2 == 0 { 0.1 } else { 100.0 };
            assert!(mean.add(loss, &LIMIT).is_ok());
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        assert!(
            SpikeLimit {
                factor: 1.0,
                ..LIMIT
            }
            .validate()
            .is_err()
        );
        assert!(SpikeLimit { steps: 0, ..LIMIT }.validate().is_err());
        assert!(LIMIT.validate().is_ok());
    }
}
