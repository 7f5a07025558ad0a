//! The learning rate as a function of the step.
//!
//! Burn's schedulers carry a state that must be saved and restored; a pure
//! function of the step needs neither and can be plotted beforehand.

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// How the learning rate falls after the warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Decay {
    /// It stays at the peak.
    #[default]
    Constant,
    /// It falls on a straight line to `floor · peak` at the last step.
    Linear {
        /// Part of the peak that is left at the end, `0.0..=1.0`.
        floor: f64,
    },
    /// It falls on half a cosine wave to `floor · peak` at the last step
    /// (SGDR, Loshchilov and Hutter 2017, without restarts).
    Cosine {
        /// Part of the peak that is left at the end, `0.0..=1.0`.
        floor: f64,
    },
}

/// Linear warm-up from zero to a peak, then a [`Decay`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The highest learning rate, reached at step `warmup_steps`.
    pub peak: f64,
    /// Number of steps of the warm-up; 0 starts at the peak.
    #[serde(default)]
    pub warmup_steps: usize,
    /// What follows the warm-up.
    #[serde(default)]
    pub decay: Decay,
}

impl Schedule {
    /// A constant learning rate without warm-up.
    pub fn constant(peak: f64) -> Self {
        Self {
            peak,
            warmup_steps: 0,
            decay: Decay::Constant,
        }
    }

    /// The learning rate of a step counted from 1, in a run of `steps` steps.
    ///
    /// Step `warmup_steps` has the peak, step `steps` the floor. Past `steps`
    /// the floor stays.
    pub fn learning_rate(&self, step: usize, steps: usize) -> f64 {
        if step < self.warmup_steps {
            return self.peak * step as f64 / self.warmup_steps as f64;
        }
        let start = self.warmup_steps.max(1);
        let passed = step.saturating_sub(start) as f64;
        let whole = steps.saturating_sub(start).max(1) as f64;
        let progress = (passed / whole).min(1.0);
        let factor = match self.decay {
            Decay::Constant => 1.0,
            Decay::Linear { floor } => 1.0 - (1.0 - floor) * progress,
            Decay::Cosine { floor } => {
                let wave = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
                floor + (1.0 - floor) * wave
            }
        };
        self.peak * factor
    }

    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first one that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        if !(self.peak.is_finite() && self.peak >= 0.0) {
            return Err(TrainError::Setting {
                name: "schedule.peak",
                value: self.peak.to_string(),
                expected: "finite and not negative",
            });
        }
        match self.decay {
            Decay::Linear { floor } | Decay::Cosine { floor } if !(0.0..=1.0).contains(&floor) => {
                Err(TrainError::Setting {
                    name: "schedule.decay.floor",
                    value: floor.to_string(),
                    expected: "between 0 and 1",
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "the values compared are exact")]
    use super::*;

    fn schedule(decay: Decay) -> Schedule {
        Schedule {
            peak: 0.5,
            warmup_steps: 10,
            decay,
        }
    }

    #[test]
    fn warm_up_is_a_line_to_the_peak() {
        let schedule = schedule(Decay::Constant);
        assert_eq!(schedule.learning_rate(1, 100), 0.05);
        assert_eq!(schedule.learning_rate(5, 100), 0.25);
        assert_eq!(schedule.learning_rate(10, 100), 0.5);
        assert_eq!(schedule.learning_rate(100, 100), 0.5);
    }

    #[test]
    fn decays_pass_the_middle_and_end_at_the_floor() {
        for decay in [Decay::Linear { floor: 0.2 }, Decay::Cosine { floor: 0.2 }] {
            let schedule = schedule(decay);
            assert_eq!(schedule.learning_rate(10, 110), 0.5);
            assert!((schedule.learning_rate(60, 110) - 0.3).abs() < 1e-12);
            assert!((schedule.learning_rate(110, 110) - 0.1).abs() < 1e-12);
            assert!((schedule.learning_rate(500, 110) - 0.1).abs() < 1e-12);
        }
    }

    #[test]
    fn without_warm_up_the_first_step_has_the_peak() {
        let schedule = Schedule {
            warmup_steps: 0,
            ..schedule(Decay::Cosine { floor: 0.0 })
        };
        assert_eq!(schedule.learning_rate(1, 1), 0.5);
        assert_eq!(schedule.learning_rate(1, 50), 0.5);
        assert!(schedule.learning_rate(50, 50) < 1e-12);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        assert!(Schedule::constant(f64::NAN).validate().is_err());
        assert!(Schedule::constant(-1.0).validate().is_err());
        let error = schedule(Decay::Linear { floor: 1.5 }).validate();
        assert!(error.is_err_and(|error| error.to_string().contains("floor")));
        assert!(Schedule::constant(1e-4).validate().is_ok());
    }
}
