//! Batches for the paint model.

use mpm_data::picture::Picture;

use super::PaintSample;

/// What one forward pass takes.
#[derive(Clone, Debug, Default)]
pub struct PaintBatch {
    /// Of one size.
    pub pictures: Vec<Picture>,
    /// What each shows; empty where guidance learns to do without.
    pub prompts: Vec<String>,
    /// How noisy each is made.
    pub timesteps: Vec<usize>,
    /// The number of each one's noise.
    pub noise: Vec<u64>,
}

impl FromIterator<PaintSample> for PaintBatch {
    fn from_iter<I: IntoIterator<Item = PaintSample>>(samples: I) -> Self {
        let mut batch = Self::default();
        for sample in samples {
            batch.pictures.push(sample.picture);
            batch.prompts.push(sample.prompt);
            batch.timesteps.push(sample.timestep);
            batch.noise.push(sample.noise);
        }
        batch
    }
}
