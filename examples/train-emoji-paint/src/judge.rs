//! The classifier that judges what is painted, trained apart from the painter.

use std::sync::Arc;

use burn::{
    backend::Autodiff,
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use emoji_training::{BoxError, sample_rng};
use mpm_core::{
    MpmBackend,
    nn::{GroupNorm, TorchConv2d, TorchLinear},
};
use mpm_data::{emoji::EVALUATION_GROUND, picture::Picture};
use mpm_train::{CountedTargets, DataSource, LossOutput, Objective};
use rand::RngExt;
use viscpm_paint::from_pictures;

use crate::things::{Things, resized};

/// Channels behind each halving of the picture.
const CHANNELS: [usize; 4] = [32, 64, 128, 192];
const GROUPS: usize = 16;
const EPSILON: f64 = 1e-5;

/// How far the levels of a ground differ from those of the painted ones.
const GROUND_SPREAD: i16 = 24;

/// Convolutions of stride 2 with group norms, the mean over all pixels, a linear layer.
#[derive(Module, Debug)]
pub struct Judge<B: Backend> {
    convolutions: Vec<TorchConv2d<B>>,
    norms: Vec<GroupNorm<B>>,
    output: TorchLinear<B>,
}

impl<B: Backend> Judge<B> {
    /// The width of its features.
    pub const WIDTH: usize = CHANNELS[CHANNELS.len() - 1];

    /// A fresh one that knows so many things.
    pub fn new(things: usize, device: &B::Device) -> Self {
        let inputs = std::iter::once(3).chain(CHANNELS);
        Self {
            convolutions: inputs
                .zip(CHANNELS)
                .map(|(input, output)| TorchConv2d::new([input, output], 3, 2, 1, device))
                .collect(),
            norms: CHANNELS
                .map(|channels| GroupNorm::new(GROUPS, channels, EPSILON, device))
                .into(),
            output: TorchLinear::new(Self::WIDTH, things, device),
        }
    }
}

impl<B: MpmBackend> Judge<B> {
    /// What things are told apart by.
    ///
    /// # Shapes
    /// - pixels: `[batch, 3, height, width]` in -1..1
    /// - output: `[batch, Self::WIDTH]`
    pub fn features(&self, pixels: Tensor<B, 4>) -> Tensor<B, 2> {
        let layers = self.convolutions.iter().zip(&self.norms);
        let features = layers.fold(pixels, |x, (convolution, norm)| {
            norm.forward_silu(convolution.forward(x))
        });
        features.flatten::<3>(2, 3).mean_dim(2).squeeze_dim::<2>(2)
    }

    /// # Shapes
    /// - pixels: `[batch, 3, height, width]` in -1..1
    /// - output: `[batch, things]`
    pub fn forward(&self, pixels: Tensor<B, 4>) -> Tensor<B, 2> {
        self.output.forward(self.features(pixels))
    }

    /// The place of a thing among all things, by likelihood, for each picture
    /// `[things.len(), 3, height, width]`: 0 where the judge sees it.
    pub fn ranks(&self, pixels: Tensor<B, 4>, things: &[usize]) -> Vec<usize> {
        let logits = self.forward(pixels);
        let [_, classes] = logits.dims();
        let values: Vec<f32> = logits.into_data().iter().collect();
        let rows = values.chunks_exact(classes).zip(things);
        let rank = |(row, &thing): (&[f32], &usize)| {
            row.iter().filter(|&&logit| logit > row[thing]).count()
        };
        rows.map(rank).collect()
    }
}

/// Names the thing that a picture shows.
pub struct JudgeObjective;

/// Pictures and the things that they show.
pub struct JudgedPictures {
    pub pictures: Vec<Picture>,
    pub things: Vec<i64>,
}

impl<B: MpmBackend> Objective<Autodiff<B>> for JudgeObjective {
    type Model = Judge<Autodiff<B>>;
    type Batch = JudgedPictures;

    fn loss(
        &self,
        model: &Self::Model,
        batch: JudgedPictures,
    ) -> Result<LossOutput<Autodiff<B>>, BoxError> {
        let device = model.output.weight.device();
        let logits = model.forward(from_pictures(&batch.pictures, &device)?);
        let shape = [batch.things.len(), 1];
        let targets = CountedTargets::new(&batch.things, shape, &device)?;
        Ok(targets.cross_entropy(logits)?)
    }
}

/// Draws things on grounds like the painted ones.
pub struct JudgeSource {
    pub things: Arc<Things>,
    pub seed: u64,
    /// Side of the pictures in pixels.
    pub size: usize,
    /// Pictures of a batch.
    pub batch: usize,
    /// The number of batches delivered.
    pub next: u64,
}

impl DataSource for JudgeSource {
    type Batch = JudgedPictures;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<JudgedPictures>, BoxError> {
        let mut batch = JudgedPictures {
            pictures: Vec::with_capacity(self.batch),
            things: Vec::with_capacity(self.batch),
        };
        let start = self.next * self.batch as u64;
        for index in start..start + self.batch as u64 {
            let mut rng = sample_rng(self.seed, index);
            let thing = rng.random_range(0..self.things.len());
            let ground = EVALUATION_GROUND.map(|level| {
                let level = i16::from(level) + rng.random_range(-GROUND_SPREAD..=GROUND_SPREAD);
                level.clamp(0, 255) as u8
            });
            let picture = self.things.draw(thing, ground, &mut rng)?;
            batch.pictures.push(resized(picture, self.size)?);
            batch.things.push(thing as i64);
        }
        self.next += 1;
        Ok(Some(batch))
    }

    fn position(&self) -> u64 {
        self.next
    }

    fn seek(&mut self, position: &u64) -> Result<(), BoxError> {
        self.next = *position;
        Ok(())
    }
}
