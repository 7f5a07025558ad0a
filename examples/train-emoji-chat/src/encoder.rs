//! Pretraining of the picture encoder: English names of pictures, by a linear readout.
//!
//! The paper starts from a BEiT-3 that was pretrained on English picture-text pairs;
//! this is its place in miniature. The language model has no part in it.

use std::marker::PhantomData;

use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{
        Tensor, TensorData,
        backend::{AutodiffBackend, Backend},
    },
};
use mpm_core::MpmBackend;
use mpm_data::{
    emoji::{EmojiSet, Tasks},
    picture::{PixelValues, augment::TrainAugmentation},
};
use mpm_train::{BoxError, CountedTargets, DataSource, LossOutput, Objective};
use mpm_vision::{Beit3Config, Muffin, NormalisedStem, VisionError};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

use crate::source::SOURCE_SALT;

/// The visual module with a readout of its queries.
#[derive(Module, Debug)]
pub struct PictureClassifier<B: Backend> {
    /// Takes the place of the encoder's own stem in this stage.
    pub stem: NormalisedStem<B>,
    /// The visual module; its mapping has no part in this stage.
    pub visual: Muffin<B>,
    /// From the mean of the queries' states to classes.
    pub readout: Linear<B>,
}

impl<B: Backend> PictureClassifier<B> {
    /// Puts a fresh stem before and a fresh readout behind a visual module.
    pub fn new(
        visual: Muffin<B>,
        config: &Beit3Config,
        classes: usize,
        device: &B::Device,
    ) -> Result<Self, VisionError> {
        Ok(Self {
            stem: NormalisedStem::new(config, device)?,
            visual,
            readout: LinearConfig::new(config.d_model, classes).init(device),
        })
    }

    /// The visual module with the stem folded in; the statistics are those of `pictures`.
    pub fn finish(self, pictures: Vec<Tensor<B, 4>>) -> Muffin<B> {
        let mut visual = self.visual;
        visual.vpm.beit3.vision_embed.stem = self.stem.fold(pictures);
        visual
    }
}

impl<B: MpmBackend> PictureClassifier<B> {
    /// `[batch, channels, side, side]` to `[batch, classes]`.
    pub fn forward(&self, pixel_values: Tensor<B, 4>) -> Tensor<B, 2> {
        let beit3 = &self.visual.vpm.beit3;
        let picture = beit3.vision_embed.project(self.stem.forward(pixel_values));
        let queries = Some(self.visual.query.val());
        let states = beit3.encoder.forward(beit3.encoder.embed(picture, queries));
        self.readout.forward(states.mean_dim(1).squeeze_dim(1))
    }
}

/// Pictures and their classes.
pub struct ClassBatch {
    pub pictures: Vec<PixelValues>,
    pub classes: Vec<i64>,
}

impl ClassBatch {
    /// `[batch, channels, side, side]`
    pub fn pixel_values<B: Backend>(&self, device: &B::Device) -> Tensor<B, 4> {
        let values = self.pictures.iter().flat_map(|picture| &picture.data);
        let [channels, height, width] = self.pictures.first().map_or([0; 3], PixelValues::shape);
        let shape = [self.pictures.len(), channels, height, width];
        Tensor::from_data(TensorData::new(values.copied().collect(), shape), device)
    }
}

/// Cross entropy of the classes.
pub struct ClassObjective<B>(PhantomData<B>);

impl<B> ClassObjective<B> {
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<B: AutodiffBackend + MpmBackend> Objective<B> for ClassObjective<B> {
    type Model = PictureClassifier<B>;
    type Batch = ClassBatch;

    fn loss(
        &self,
        model: &PictureClassifier<B>,
        batch: ClassBatch,
    ) -> Result<LossOutput<B>, BoxError> {
        let device = model.readout.weight.device();
        let shape = [batch.classes.len(), 1];
        let targets = CountedTargets::new(&batch.classes, shape, &device)?;
        Ok(targets.cross_entropy(model.forward(batch.pixel_values(&device)))?)
    }
}

/// Draws training pictures, augmented.
pub struct PictureSource {
    pub set: &'static EmojiSet,
    pub tasks: Arc<Tasks<'static>>,
    pub augmentation: TrainAugmentation,
    pub seed: u64,
    pub batch: usize,
    /// The number of batches delivered.
    pub next: u64,
}

impl DataSource for PictureSource {
    type Batch = ClassBatch;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<ClassBatch>, BoxError> {
        let start = self.next * self.batch as u64;
        let mut batch = ClassBatch {
            pictures: Vec::with_capacity(self.batch),
            classes: Vec::with_capacity(self.batch),
        };
        for index in start..start + self.batch as u64 {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ SOURCE_SALT);
            rng.set_stream(index);
            let (scene, class) = self.tasks.named_picture(self.seed, index);
            let picture = self.set.compose(&scene)?;
            batch
                .pictures
                .push(self.augmentation.apply(&picture, &mut rng));
            batch.classes.push(class as i64);
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
