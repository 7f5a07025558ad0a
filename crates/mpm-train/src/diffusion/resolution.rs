//! Small pictures first, large ones later.

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// The size of pictures up to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    /// Side in pixels.
    pub size: usize,
    /// For how many steps.
    pub steps: usize,
}

/// Sizes of pictures, one after the other.
///
/// The paper trains 200 K steps at 384 pixels and 100 K at 512 (section 4.2): most of what is
/// learnt does not depend on the size, and small pictures cost less.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Resolution>")]
pub struct ResolutionSchedule(Vec<Resolution>);

impl ResolutionSchedule {
    /// The sizes in the order in which they are trained.
    ///
    /// # Errors
    /// [`TrainError::Setting`] without any, or when a size or its steps are 0.
    pub fn new(resolutions: Vec<Resolution>) -> Result<Self, TrainError> {
        let sound = |resolution: &Resolution| resolution.size > 0 && resolution.steps > 0;
        if resolutions.is_empty() || !resolutions.iter().all(sound) {
            return Err(TrainError::Setting {
                name: "resolutions",
                value: format!("{resolutions:?}"),
                expected: "a list of sizes and steps above 0",
            });
        }
        Ok(Self(resolutions))
    }

    /// The sizes in the order in which they are trained.
    pub fn sizes(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|resolution| resolution.size)
    }

    /// VisCPM-Paint's.
    pub fn viscpm_paint() -> Self {
        let resolution = |size, steps| Resolution { size, steps };
        Self(vec![resolution(384, 200_000), resolution(512, 100_000)])
    }

    /// Number of all steps.
    pub fn steps(&self) -> usize {
        self.0.iter().map(|resolution| resolution.steps).sum()
    }

    /// The size of the pictures of a step, counted from 0; the last one's beyond the end.
    pub fn size_at(&self, step: usize) -> usize {
        let mut end = 0;
        let current = self.0.iter().find(|resolution| {
            end += resolution.steps;
            step < end
        });
        current
            .or(self.0.last())
            .map_or(0, |resolution| resolution.size)
    }
}

impl TryFrom<Vec<Resolution>> for ResolutionSchedule {
    type Error = TrainError;

    fn try_from(resolutions: Vec<Resolution>) -> Result<Self, TrainError> {
        Self::new(resolutions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_change_at_their_steps() {
        let paper = ResolutionSchedule::viscpm_paint();
        assert_eq!(paper.steps(), 300_000);
        let sizes = [0, 199_999, 200_000, 299_999, 300_000].map(|step| paper.size_at(step));
        assert_eq!(sizes, [384, 384, 512, 512, 512]);
    }

    #[test]
    fn no_sizes_are_refused() {
        assert!(ResolutionSchedule::new(Vec::new()).is_err());
        let empty = Resolution { size: 64, steps: 0 };
        assert!(ResolutionSchedule::new(vec![empty]).is_err());
    }
}
