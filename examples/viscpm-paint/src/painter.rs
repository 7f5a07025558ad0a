//! From hidden states to pictures.
//!
//! Source: `SDWrapper.generate` in VisCPM's `models/stablediffusion.py`.

use std::ops::{ControlFlow, Range};

use burn::tensor::{DType, Tensor, TensorData, backend::Backend};
use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_diffusion::{
    LatentDiffusion,
    noise::NoiseSource,
    pipeline::{Denoising, DenoisingProgress, GuidedText, Start},
    schedule::{Convention, DenoisingPlan, NoiseSchedule, SchedulerKind},
    vae::{AutoencoderKl, Tiling},
};
use serde::{Deserialize, Serialize};

use crate::{
    PaintError, PromptStates,
    pixels::{from_pictures, require_finite, require_size, to_pictures},
};

/// The longest side that is painted, in pixels: attention over the pixels of the latents takes
/// memory for the square of their number on some backends.
pub const MAX_SIDE: usize = 2048;

/// Latents of more than this many pixels are decoded in tiles.
const DECODED_AT_ONCE: usize = 96 * 96;

/// The draw of noise that encodes a picture to begin with. Steps count up from 0.
const ENCODING_DRAW: u64 = u64::MAX;

/// The diffusion model, its autoencoder and its schedule.
#[derive(Clone, Debug)]
pub struct Painter<B: Backend> {
    /// The UNet and the trans block.
    pub diffusion: LatentDiffusion<B>,
    /// Between latents and pictures.
    pub vae: AutoencoderKl<B>,
    /// The noise that the UNet was trained with.
    pub schedule: NoiseSchedule,
    /// How samplers place their steps.
    pub convention: Convention,
}

/// What is painted, but for the prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaintRequest {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// The number of steps.
    pub steps: usize,
    /// The sampler.
    pub scheduler: SchedulerKind,
    /// How far away from the negative prompt; 1 does not read it.
    pub guidance: f64,
    /// Decides the noise. Pictures of one seed differ by their number.
    pub seed: u64,
}

/// A picture that changes instead of noise.
#[derive(Clone, Debug)]
pub struct InitialPicture {
    /// Of the size that is painted.
    pub picture: Picture,
    /// How much changes: above 0 to 1.
    pub strength: f64,
    /// What changes, for inpainting: light there, dark where the picture stays; of the same
    /// size. `None` changes all.
    pub mask: Option<Picture>,
}

/// How far a batch of pictures has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaintProgress {
    /// The number of steps taken, counted from 1.
    pub step: usize,
    /// The number of steps to take.
    pub steps: usize,
}

/// What all pictures of a request share, from [`Painter::prepare`].
#[derive(Clone, Debug)]
pub struct PreparedPainting<B: Backend> {
    plan: DenoisingPlan,
    /// For one picture.
    text: GuidedText<B>,
    start: Start<B>,
    noise: NoiseSource,
    /// Of a picture's latents: channels, height, width.
    shape: [usize; 3],
    device: B::Device,
}

impl<B: Backend> Painter<B> {
    /// Checks a request without painting, and plans its steps.
    ///
    /// # Errors
    /// [`PaintError::Size`]; [`PaintError::OtherSize`] for a picture or a mask of another
    /// size; [`PaintError::Diffusion`] for steps, a guidance scale or a strength that cannot
    /// be.
    pub fn plan(
        &self,
        request: &PaintRequest,
        initial: Option<&InitialPicture>,
    ) -> Result<DenoisingPlan, PaintError> {
        request.plan(
            &self.schedule,
            self.convention,
            self.vae.downsampling(),
            initial,
        )
    }
}

impl PaintRequest {
    /// As [`Painter::plan`], for a painter that is not loaded yet: `multiple` is the number of
    /// pixels of a latent pixel along a side.
    ///
    /// # Errors
    /// See [`Painter::plan`].
    pub fn plan(
        &self,
        schedule: &NoiseSchedule,
        convention: Convention,
        multiple: usize,
        initial: Option<&InitialPicture>,
    ) -> Result<DenoisingPlan, PaintError> {
        let (width, height) = (self.width, self.height);
        let fits = |side: usize| (1..=MAX_SIDE).contains(&side) && side.is_multiple_of(multiple);
        if !fits(width) || !fits(height) {
            return Err(PaintError::Size {
                width,
                height,
                multiple,
                limit: MAX_SIDE,
            });
        }
        if !self.guidance.is_finite() {
            return Err(mpm_diffusion::DiffusionError::Guidance {
                scale: self.guidance,
            }
            .into());
        }
        let scheduler = self.scheduler.scheduler(schedule.config(), convention);
        let plan = scheduler.plan(schedule, self.steps)?;
        if let Some(initial) = initial {
            require_size(
                "the picture to begin with",
                &initial.picture,
                [width, height],
            )?;
            if let Some(mask) = &initial.mask {
                require_size("the mask", mask, [width, height])?;
            }
            plan.steps_from(initial.strength)?;
        }
        Ok(plan)
    }
}

impl<B: MpmBackend> Painter<B> {
    /// Paints pictures by their numbers. `None` when `progress` broke off.
    ///
    /// All of them are denoised at the same time, and none depends on which others are:
    /// painting `0..4` and painting `3..4` give the same last picture, up to rounding.
    ///
    /// # Errors
    /// Those of [`prepare`](Self::prepare) and [`paint_prepared`](Self::paint_prepared).
    pub fn paint(
        &self,
        text: &PromptStates<B>,
        request: &PaintRequest,
        initial: Option<&InitialPicture>,
        pictures: Range<u64>,
        progress: impl FnMut(PaintProgress) -> ControlFlow<()>,
    ) -> Result<Option<Vec<Picture>>, PaintError> {
        let prepared = self.prepare(text, request, initial)?;
        self.paint_prepared(&prepared, pictures, progress)
    }

    /// Reads the text and encodes the picture to begin with.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan), and [`PaintError::Diffusion`] for states of another model, or
    /// when the latents of the picture are no numbers.
    pub fn prepare(
        &self,
        text: &PromptStates<B>,
        request: &PaintRequest,
        initial: Option<&InitialPicture>,
    ) -> Result<PreparedPainting<B>, PaintError> {
        let plan = self.plan(request, initial)?;
        let device = text.prompt.device();
        let factor = self.vae.downsampling();
        let channels = self.vae.latent_channels();
        let shape = [channels, request.height / factor, request.width / factor];
        let noise = NoiseSource::new(request.seed);
        let (prompt, negative) = (text.prompt.clone(), text.negative.clone());
        Ok(PreparedPainting {
            plan,
            text: self
                .diffusion
                .guide(prompt, negative, request.guidance, 1)?,
            start: match initial {
                None => Start::Noise,
                Some(initial) => {
                    let noise = noise.tensor::<B>(0..1, ENCODING_DRAW, shape, &device);
                    self.start(initial, noise)?
                }
            },
            noise,
            shape,
            device,
        })
    }

    /// As [`paint`](Self::paint), of what was prepared once for all pictures.
    ///
    /// # Errors
    /// [`PaintError::NoPictures`]; [`PaintError::Diffusion`] when the model's output is no number.
    pub fn paint_prepared(
        &self,
        prepared: &PreparedPainting<B>,
        pictures: Range<u64>,
        mut progress: impl FnMut(PaintProgress) -> ControlFlow<()>,
    ) -> Result<Option<Vec<Picture>>, PaintError> {
        let count = usize::try_from(pictures.end.saturating_sub(pictures.start)).unwrap_or(0);
        if count == 0 {
            return Err(PaintError::NoPictures);
        }
        let PreparedPainting { shape, device, .. } = prepared;
        let noise = |draw| {
            let pictures = pictures.clone();
            prepared.noise.tensor::<B>(pictures, draw, *shape, device)
        };
        let text = prepared.text.clone().repeat(count);
        let denoising = Denoising {
            unet: &self.diffusion.unet,
            plan: &prepared.plan,
            text: &text,
            start: prepared.start.clone(),
        };
        let latents = denoising.run(
            |draw| noise(draw as u64),
            |DenoisingProgress { step, steps, .. }| progress(PaintProgress { step, steps }),
        )?;
        latents.map(|latents| self.decode(latents)).transpose()
    }

    /// Pictures of latents in the UNet's scale, one at a time, for the autoencoder takes more
    /// memory than the UNet.
    ///
    /// # Shapes
    /// - latents: `[pictures, latent_channels, height, width]`
    ///
    /// # Errors
    /// [`PaintError::Diffusion`] for latents of another model, and when what they become is no
    /// number.
    pub fn decode(&self, latents: Tensor<B, 4>) -> Result<Vec<Picture>, PaintError> {
        let weights = self.vae.post_quant_conv.weight.val().dtype();
        let latents = self.vae.unscale_latents(latents).cast(weights);
        let [pictures, _, height, width] = latents.dims();
        let mut decoded = Vec::with_capacity(pictures);
        for picture in 0..pictures {
            let latents = latents.clone().narrow(0, picture, 1);
            let pixels = match height * width <= DECODED_AT_ONCE {
                true => self.vae.decode(latents)?,
                false => self.vae.decode_tiled(latents, Tiling::default())?,
            };
            decoded.extend(to_pictures(pixels)?);
        }
        Ok(decoded)
    }

    /// Encodes a picture to begin with, and its mask.
    fn start(&self, initial: &InitialPicture, noise: Tensor<B, 4>) -> Result<Start<B>, PaintError> {
        let device = noise.device();
        let weights = self.vae.quant_conv.weight.val().dtype();
        let pixels = from_pictures::<B>(std::slice::from_ref(&initial.picture), &device)?;
        let distribution = self.vae.encode(pixels.cast(weights))?;
        let latents = distribution.sample(noise.cast(weights)).cast(DType::F32);
        require_finite("the latents of the picture to begin with", &latents)?;
        Ok(Start::Picture {
            latents: self.vae.scale_latents(latents),
            strength: initial.strength,
            mask: initial
                .mask
                .as_ref()
                .map(|mask| latent_mask(mask, self.vae.downsampling(), &device)),
        })
    }
}

/// Which latent pixels change: those of whose pixels at least one is light, so that no part of
/// what is to change stays.
fn latent_mask<B: Backend>(mask: &Picture, factor: usize, device: &B::Device) -> Tensor<B, 4> {
    let (width, height) = (
        mask.width() as usize / factor,
        mask.height() as usize / factor,
    );
    let mut changes = vec![0.0_f32; width * height];
    for (index, pixel) in mask.pixels().chunks_exact(3).enumerate() {
        let (x, y) = (index % mask.width() as usize, index / mask.width() as usize);
        let brightness: u32 = pixel.iter().map(|&level| u32::from(level)).sum();
        if brightness > 3 * 127 && y / factor < height && x / factor < width {
            changes[y / factor * width + x / factor] = 1.0;
        }
    }
    Tensor::from_data(TensorData::new(changes, [1, 1, height, width]), device)
}
