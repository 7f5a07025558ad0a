//! What holds for all samplers, and what they refuse.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod configuration;
mod plans;
mod state;

use super::{NoiseSchedule, NoiseScheduleConfig};

fn schedule(change: impl FnOnce(&mut NoiseScheduleConfig)) -> NoiseSchedule {
    let mut config = NoiseScheduleConfig::stable_diffusion();
    change(&mut config);
    NoiseSchedule::new(config).unwrap()
}

fn close(left: f64, right: f64, tolerance: f64) -> bool {
    (left - right).abs() <= tolerance * (1.0 + right.abs())
}
