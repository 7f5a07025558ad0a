//! Which of the training timesteps a sampler visits.

/// The spacing of a sampler's timesteps (table 2 of <https://arxiv.org/abs/2305.08891>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timesteps {
    /// Whole multiples of `trained / steps`, rounded down, counted up from an offset: 980, 960, …
    /// 0 for 50 of 1000. Leaves out the noisiest timesteps, so a plan of few steps begins in the
    /// middle, and one of a single step at timestep `offset`.
    Leading {
        /// Added to every timestep.
        offset: usize,
    },
    /// Counted down from the last timestep by `trained / steps`: 999, 979, … 19 for 50 of 1000.
    /// Suits plans of few steps.
    Trailing,
    /// Evenly from the last timestep to the first: 999, 978.6, … 0 for 50 of 1000. A single step
    /// is at the last, where the reference puts it at the first, which has nothing to denoise.
    Linspace,
}

impl Timesteps {
    /// `steps` timesteps out of `trained`, noisiest first; fractions only of
    /// [`Timesteps::Linspace`]. Both numbers are at least 1.
    pub(super) fn spaced(self, steps: usize, trained: usize) -> Vec<f64> {
        let last = (trained - 1) as f64;
        match self {
            Self::Leading { offset } => {
                let ratio = trained / steps;
                let timesteps = (0..steps).rev();
                timesteps
                    .map(|i| (i * ratio).saturating_add(offset) as f64)
                    .collect()
            }
            Self::Trailing => {
                let ratio = trained as f64 / steps as f64;
                let timestep = |i| (trained as f64 - i as f64 * ratio).round_ties_even() - 1.0;
                (0..steps).map(timestep).collect()
            }
            Self::Linspace => {
                // The last one by itself: rounding must not put it past the end.
                let distance = last / (steps - 1) as f64;
                let others = (0..steps - 1).rev().map(|i| i as f64 * distance);
                std::iter::once(last).chain(others).collect()
            }
        }
    }

    /// `steps` whole timesteps that leave room for one more after them, which a solver takes as
    /// the place where its last step ends.
    pub(super) fn before_end(self, steps: usize, trained: usize) -> Vec<f64> {
        let mut timesteps = match self {
            Self::Trailing => self.spaced(steps, trained),
            Self::Leading { .. } | Self::Linspace => self.spaced(steps + 1, trained),
        };
        timesteps.truncate(steps);
        timesteps.iter().map(|t| t.round_ties_even()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacings_are_those_of_the_paper() {
        let leading = Timesteps::Leading { offset: 1 };
        assert_eq!(leading.spaced(4, 10), [7.0, 5.0, 3.0, 1.0]);
        assert_eq!(leading.before_end(4, 10), [9.0, 7.0, 5.0, 3.0]);
        assert_eq!(Timesteps::Trailing.spaced(4, 10), [9.0, 7.0, 4.0, 1.0]);
        assert_eq!(Timesteps::Trailing.before_end(4, 10), [9.0, 7.0, 4.0, 1.0]);
        assert_eq!(Timesteps::Linspace.spaced(3, 10), [9.0, 4.5, 0.0]);
        assert_eq!(Timesteps::Linspace.before_end(3, 10), [9.0, 6.0, 3.0]);
    }

    #[test]
    fn a_single_step_is_taken() {
        assert_eq!(Timesteps::Linspace.spaced(1, 1000), [999.0]);
        assert_eq!(Timesteps::Trailing.spaced(1, 1000), [999.0]);
        assert_eq!(Timesteps::Leading { offset: 1 }.spaced(1, 1000), [1.0]);
        assert_eq!(Timesteps::Linspace.spaced(1, 1), [0.0]);
    }
}
