//! Scaling the loss so that small gradients do not vanish in f16.
//!
//! Source: "Mixed Precision Training", <https://arxiv.org/abs/1710.03740>, section 3.2, with the
//! dynamic factor of PyTorch's `GradScaler`: it grows while all is well, and falls back when a
//! gradient overflows.

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// How the factor of the loss changes. Used in f16 only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossScaling {
    /// The factor of the first step.
    pub initial: f64,
    /// Steps without overflow after which the factor doubles.
    pub growth_interval: usize,
    /// The run stops where the factor would fall below this: then not the range of f16 is to
    /// blame.
    pub minimum: f64,
}

impl Default for LossScaling {
    fn default() -> Self {
        Self {
            initial: 65_536.0,
            growth_interval: 2_000,
            minimum: 1.0,
        }
    }
}

impl LossScaling {
    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first one that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let setting = |name, value: String, expected| {
            Err(TrainError::Setting {
                name,
                value,
                expected,
            })
        };
        if !positive(self.minimum) {
            let value = self.minimum.to_string();
            return setting("loss_scaling.minimum", value, "finite and positive");
        }
        if !(positive(self.initial) && self.initial >= self.minimum) {
            let value = self.initial.to_string();
            return setting("loss_scaling.initial", value, "at least `minimum`");
        }
        if self.growth_interval == 0 {
            let value = "0".to_owned();
            return setting("loss_scaling.growth_interval", value, "at least 1");
        }
        Ok(())
    }
}

/// The factor of the next step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LossScale {
    pub factor: f64,
    /// Steps without overflow since the factor changed.
    quiet: usize,
}

impl LossScale {
    pub fn new(config: &LossScaling) -> Self {
        Self {
            factor: config.initial,
            quiet: 0,
        }
    }

    /// After a step whose gradient was finite.
    pub fn keep(&mut self, config: &LossScaling) {
        self.quiet += 1;
        if self.quiet >= config.growth_interval {
            self.factor *= 2.0;
            self.quiet = 0;
        }
    }

    /// After a gradient that overflowed. False where the factor cannot fall any further.
    pub fn back_off(&mut self, config: &LossScaling) -> bool {
        self.factor /= 2.0;
        self.quiet = 0;
        self.factor >= config.minimum
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "powers of two are exact")]
    use super::*;

    #[test]
    fn the_factor_grows_in_quiet_times_and_falls_on_overflow() {
        let config = LossScaling {
            initial: 8.0,
            growth_interval: 2,
            minimum: 4.0,
        };
        let mut scale = LossScale::new(&config);
        scale.keep(&config);
        assert_eq!(scale.factor, 8.0);
        scale.keep(&config);
        assert_eq!(scale.factor, 16.0);
        scale.keep(&config);
        assert!(scale.back_off(&config));
        assert_eq!(scale.factor, 8.0);
        scale.keep(&config);
        assert_eq!(scale.factor, 8.0, "the count of quiet steps began anew");
        assert!(scale.back_off(&config));
        assert!(!scale.back_off(&config));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let bad = [
            LossScaling {
                initial: 0.5,
                ..LossScaling::default()
            },
            LossScaling {
                minimum: f64::NAN,
                ..LossScaling::default()
            },
            LossScaling {
                growth_interval: 0,
                ..LossScaling::default()
            },
        ];
        for config in bad {
            assert!(config.validate().is_err(), "{config:?}");
        }
        assert!(LossScaling::default().validate().is_ok());
    }
}
