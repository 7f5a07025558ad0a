//! From an example of a data set to a prompt, a picture and noise.

use std::num::NonZeroU32;

use mpm_data::{
    dataset::{CaptionCleaning, Example, ExampleText},
    picture::Picture,
};
use mpm_train::BoxError;
use rand::{Rng, RngExt};

/// An example, ready for a batch.
#[derive(Clone, Debug)]
pub struct PaintSample {
    /// Square, of the size of its step.
    pub picture: Picture,
    /// What it shows; empty where guidance learns to do without.
    pub prompt: String,
    /// How noisy it is made.
    pub timestep: usize,
    /// The number of its noise.
    pub noise: u64,
}

/// Makes samples of examples.
#[derive(Clone, Debug)]
pub struct PaintPreparer {
    /// The share of samples with an empty prompt.
    pub condition_dropout: f64,
    /// How captions are cleaned; `None` leaves them as they are.
    pub cleaning: Option<CaptionCleaning>,
    /// Number of timesteps.
    pub timesteps: usize,
}

impl PaintPreparer {
    /// Makes a sample of `size` pixels: the middle of the picture.
    ///
    /// # Errors
    /// The reason why the example cannot be used.
    pub fn prepare(
        &self,
        example: &Example,
        pictures: &[Picture],
        size: NonZeroU32,
        rng: &mut impl Rng,
    ) -> Result<PaintSample, BoxError> {
        let [picture] = pictures else {
            return Err(format!("it has {} pictures, not one", pictures.len()).into());
        };
        let mut cleaned;
        let mut example = example;
        if let Some(cleaning) = &self.cleaning {
            cleaned = example.clone();
            cleaning.apply(&mut cleaned, rng)?;
            example = &cleaned;
        }
        let ExampleText::Captions(captions) = &example.text else {
            return Err("it has a conversation where a caption is needed".into());
        };
        let caption = &captions[rng.random_range(0..captions.len())];
        let prompt = match rng.random_bool(self.condition_dropout) {
            true => String::new(),
            false => caption.text.clone(),
        };
        Ok(PaintSample {
            picture: picture.middle_square(size),
            prompt,
            timestep: rng.random_range(0..self.timesteps),
            noise: rng.random(),
        })
    }
}
