//! The training pictures in latents, computed once.

use burn::tensor::Tensor;
use emoji_training::{BoxError, sample_rng};
use mpm_core::MpmBackend;
use mpm_diffusion::vae::AutoencoderKl;
use viscpm_paint::from_pictures;

use crate::things::Things;

/// Pictures that are encoded at the same time.
const BATCH: usize = 32;

/// Latents of all versions of the pictures of one size, in the UNet's scale.
pub struct Latents {
    /// `[latent_channels, height, width]`
    pub shape: [usize; 3],
    /// For each thing its pictures, each with mean and deviation.
    pub things: Vec<Vec<[Vec<f32>; 2]>>,
}

impl Latents {
    /// Encodes `versions` versions of each look of all things at `size` pixels.
    pub fn encode<B: MpmBackend>(
        vae: &AutoencoderKl<B>,
        things: &Things,
        size: usize,
        versions: usize,
        seed: u64,
    ) -> Result<Self, BoxError> {
        let mut pictures = Vec::new();
        for thing in 0..things.len() {
            let count = versions * things.painted_looks(thing);
            for version in 0..count {
                let index = ((thing as u64) << 32) | version as u64;
                let mut rng = sample_rng(seed, index);
                pictures.push((thing, things.draw_to_paint(thing, size, &mut rng)?));
            }
        }
        let side = size / vae.downsampling();
        let shape = [vae.latent_channels(), side, side];
        let mut latents = vec![Vec::new(); things.len()];
        let device = vae.quant_conv.weight.val().device();
        for batch in pictures.chunks(BATCH) {
            let (owners, pictures): (Vec<_>, Vec<_>) = batch.iter().cloned().unzip();
            let encoded = vae.encode(from_pictures::<B>(&pictures, &device)?)?;
            let mean = rows(vae.scale_latents(encoded.mean.clone()));
            // A deviation is scaled, but not shifted.
            let shift = vae.scale_latents(encoded.mean.zeros_like());
            let std = rows(vae.scale_latents(encoded.std()) - shift);
            for ((owner, mean), std) in owners.into_iter().zip(mean).zip(std) {
                latents[owner].push([mean, std]);
            }
        }
        Ok(Self {
            shape,
            things: latents,
        })
    }
}

/// The values of each row.
fn rows<B: MpmBackend>(x: Tensor<B, 4>) -> Vec<Vec<f32>> {
    let len = x.dims()[1..].iter().product::<usize>();
    let values: Vec<f32> = x.into_data().iter().collect();
    values.chunks_exact(len).map(<[f32]>::to_vec).collect()
}
