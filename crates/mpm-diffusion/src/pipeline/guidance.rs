//! Classifier-free guidance: away from the negative prompt, towards the prompt.
//!
//! "Classifier-Free Diffusion Guidance", <https://arxiv.org/abs/2207.12598>.

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;

use crate::{
    DiffusionError, LatentDiffusion,
    unet::{TextStates, UNet2DConditionModel},
};

/// A prompt and what to stay away from, ready for every step of one or more pictures.
#[derive(Clone, Debug)]
pub struct GuidedText<B: Backend> {
    /// The negative prompt for each picture, then the prompt for each; without guidance only
    /// the latter.
    text: TextStates<B>,
    pictures: usize,
    /// `None`: only the prompt is asked.
    scale: Option<f64>,
}

impl<B: MpmBackend> LatentDiffusion<B> {
    /// Reads a prompt and a negative prompt for `pictures` pictures.
    ///
    /// `scale` 1 is the prompt alone, at half the cost, and what `negative` holds is not read
    /// then; VisCPM's is 7.5. Negative scales lead away from the prompt.
    ///
    /// # Shapes
    /// - prompt, negative: `[1, seq, d_llm]` of the same length, for the reference pads them
    ///
    /// # Errors
    /// [`DiffusionError::Guidance`] when `scale` is no finite number,
    /// [`DiffusionError::Shape`] for other shapes or no picture.
    pub fn guide(
        &self,
        prompt: Tensor<B, 3>,
        negative: Tensor<B, 3>,
        scale: f64,
        pictures: usize,
    ) -> Result<GuidedText<B>, DiffusionError> {
        if !scale.is_finite() {
            return Err(DiffusionError::Guidance { scale });
        }
        let [texts, seq, width] = prompt.dims();
        if texts != 1 || pictures == 0 {
            return Err(DiffusionError::Shape {
                what: "prompt",
                expected: "[1, seq, d_llm], for at least one picture,".to_owned(),
                found: prompt.dims().to_vec(),
            });
        }
        let guided = scale != 1.0;
        let hidden = match guided {
            false => prompt,
            true if negative.dims() == [1, seq, width] => Tensor::cat(vec![negative, prompt], 0),
            true => {
                return Err(DiffusionError::Shape {
                    what: "negative prompt",
                    expected: format!("[1, {seq}, {width}], as the prompt,"),
                    found: negative.dims().to_vec(),
                });
            }
        };
        Ok(GuidedText {
            text: self.read_text(hidden)?.repeat(pictures),
            pictures,
            scale: guided.then_some(scale),
        })
    }
}

impl<B: MpmBackend> GuidedText<B> {
    /// The same for `count` times the pictures, without reading the text again.
    #[must_use]
    pub fn repeat(self, count: usize) -> Self {
        Self {
            text: self.text.repeat(count),
            pictures: self.pictures * count,
            scale: self.scale,
        }
    }

    /// Number of pictures.
    pub fn pictures(&self) -> usize {
        self.pictures
    }

    /// The guided prediction for all pictures at one time.
    ///
    /// # Shapes
    /// - sample, output: `[pictures, channels, height, width]`
    ///
    /// # Errors
    /// [`DiffusionError::Shape`] when the sample is not of as many pictures or of another
    /// model.
    pub fn predict(
        &self,
        unet: &UNet2DConditionModel<B>,
        sample: Tensor<B, 4>,
        timestep: f64,
    ) -> Result<Tensor<B, 4>, DiffusionError> {
        let weights = unet.conv_in.weight.val().dtype();
        let sample = sample.cast(weights);
        let Some(scale) = self.scale else {
            return unet.forward(sample, &[timestep], &self.text);
        };
        let both = sample.repeat_dim(0, 2);
        let output = unet.forward(both, &[timestep], &self.text)?;
        let away = output.clone().narrow(0, 0, self.pictures);
        let towards = output.narrow(0, self.pictures, self.pictures);
        Ok(away.clone() + (towards - away) * scale)
    }
}
