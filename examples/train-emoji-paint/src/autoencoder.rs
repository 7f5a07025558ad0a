//! The autoencoder's objective and pictures.

use std::sync::Arc;

use burn::{
    backend::Autodiff,
    tensor::{Tensor, TensorData},
};
use emoji_training::{BoxError, sample_rng};
use mpm_core::MpmBackend;
use mpm_data::{emoji::Scene, picture::Picture};
use mpm_diffusion::{noise::NoiseSource, vae::AutoencoderKl};
use mpm_train::{
    DataSource, LossOutput, Objective,
    diffusion::{AutoencoderLossConfig, ResolutionSchedule},
};
use rand::{Rng, RngExt};
use viscpm_paint::from_pictures;

use crate::things::Things;

/// The side of the pictures that parts are cut out of, in pixels: that of the drawings.
const WHOLE: usize = Scene::SIZE as usize;

/// The levels of a random ground.
const GROUND: std::ops::RangeInclusive<u8> = 0..=255;

/// Encodes pictures and decodes a sample of their latents.
pub struct AutoencoderObjective {
    pub loss: AutoencoderLossConfig,
}

/// Pictures and the noise that samples their latents.
pub struct PictureBatch {
    pub pictures: Vec<Picture>,
    /// `[pictures, latent_channels, height / f, width / f]`
    pub noise: TensorData,
}

impl<B: MpmBackend> Objective<Autodiff<B>> for AutoencoderObjective {
    type Model = AutoencoderKl<Autodiff<B>>;
    type Batch = PictureBatch;

    fn loss(
        &self,
        model: &Self::Model,
        batch: PictureBatch,
    ) -> Result<LossOutput<Autodiff<B>>, BoxError> {
        let device = model.quant_conv.weight.val().device();
        let pixels = from_pictures(&batch.pictures, &device)?;
        let noise = Tensor::from_data(batch.noise, &device);
        self.loss.loss(model, pixels, noise)
    }
}

/// All things on all grounds; parts of them at smaller sizes, for what the autoencoder learns
/// is mostly about neighbouring pixels.
pub struct PictureSource {
    pub things: Arc<Things>,
    pub resolutions: ResolutionSchedule,
    pub seed: u64,
    /// Pictures of a batch, and batches of a step.
    pub batch: usize,
    pub parts: usize,
    pub latent_channels: usize,
    /// Pixels per latent pixel, along a side.
    pub downsampling: usize,
    /// The number of batches delivered.
    pub next: u64,
}

impl DataSource for PictureSource {
    type Batch = PictureBatch;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<PictureBatch>, BoxError> {
        let step = (self.next / self.parts as u64) as usize;
        let size = self.resolutions.size_at(step);
        let (channels, side) = (self.latent_channels, size / self.downsampling);
        let source = NoiseSource::new(self.seed);
        let len = channels * side * side;
        let mut pictures = Vec::with_capacity(self.batch);
        let mut noise = Vec::with_capacity(self.batch * len);
        let start = self.next * self.batch as u64;
        for index in start..start + self.batch as u64 {
            let mut rng = sample_rng(self.seed, index);
            let thing = rng.random_range(0..self.things.len());
            // Half of them as they are painted later.
            let picture = match rng.random_bool(0.5) {
                true => self.things.draw_to_paint(thing, WHOLE, &mut rng)?,
                false => {
                    let ground = std::array::from_fn(|_| rng.random_range(GROUND));
                    self.things.draw(thing, ground, &mut rng)?
                }
            };
            pictures.push(random_part(&picture, size, &mut rng)?);
            noise.extend(source.values(index, 0, len));
        }
        self.next += 1;
        Ok(Some(PictureBatch {
            pictures,
            noise: TensorData::new(noise, [self.batch, channels, side, side]),
        }))
    }

    fn position(&self) -> u64 {
        self.next
    }

    fn seek(&mut self, position: &u64) -> Result<(), BoxError> {
        self.next = *position;
        Ok(())
    }
}

/// A square of `size` pixels cut out of a picture, which may be the whole.
fn random_part(picture: &Picture, size: usize, rng: &mut impl Rng) -> Result<Picture, BoxError> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let size = size.min(width).min(height);
    let left = rng.random_range(0..=width - size);
    let top = rng.random_range(0..=height - size);
    let rows = picture.pixels().chunks_exact(3 * width);
    let rows = rows.skip(top).take(size);
    let pixels = rows.flat_map(|row| &row[3 * left..3 * (left + size)]);
    let side = u32::try_from(size)?;
    Ok(Picture::from_rgb(side, side, pixels.copied().collect())?)
}
