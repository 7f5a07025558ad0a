//! Bringing pictures to where the language model keeps their English names.
//!
//! The paper starts from a BEiT-3 that was pretrained on hundreds of millions of English
//! picture-text pairs; this is its place in miniature. Gradients through a small frozen
//! language model are weak as long as it takes the features for noise. So the features
//! first learn to be the embeddings of the name, repeated over the slots, as if it were
//! written there: English only, and the language model gives nothing but its embeddings.

use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use mpm_core::MpmBackend;
use mpm_train::{BoxError, CountedTargets, LossOutput, Objective};
use mpm_vision::{Muffin, MuffinConfig, NormalisedStem, VisionError};
use viscpm_chat::stack_pictures;

use crate::{names::NameEmbeddings, pictures::NamedPictures};

/// A visual module behind a stem with batch normalisation.
#[derive(Module, Debug)]
pub struct AlignedMuffin<B: Backend> {
    /// Takes the place of the encoder's own stem in this stage.
    pub stem: NormalisedStem<B>,
    /// The visual module.
    pub visual: Muffin<B>,
    /// From the mean of the queries' states to classes: a short way for gradients, which
    /// the mapping is not before it has learnt something.
    pub readout: Linear<B>,
    /// From the mean of the stem's features to classes: a shorter one still.
    pub stem_readout: Linear<B>,
}

/// What an [`AlignedMuffin`] makes of pictures.
struct Seen<B: Backend> {
    /// In the language model's embeddings, `[batch, num_queries, d_llm]`
    features: Tensor<B, 3>,
    /// Scores of the classes, `[batch, classes]`, from each readout
    classes: [Tensor<B, 2>; 2],
}

impl<B: Backend> AlignedMuffin<B> {
    /// Random weights.
    pub fn new(
        config: &MuffinConfig,
        classes: usize,
        device: &B::Device,
    ) -> Result<Self, VisionError> {
        let readout = |width| LinearConfig::new(width, classes).init(device);
        Ok(Self {
            stem: NormalisedStem::new(&config.encoder, device)?,
            visual: config.init(device)?,
            readout: readout(config.encoder.d_model),
            stem_readout: readout(config.encoder.stem_out_channels()),
        })
    }
}

impl<B: MpmBackend> AlignedMuffin<B> {
    /// The visual module with the stem folded in; the statistics are those of `pictures`,
    /// each `[batch, channels, side, side]`.
    ///
    /// # Errors
    /// [`VisionError::NoPictures`] without any.
    pub fn finish(self, pictures: Vec<Tensor<B, 4>>) -> Result<Muffin<B>, VisionError> {
        let mut visual = self.visual;
        visual.vpm.beit3.vision_embed.stem = self.stem.fold(pictures)?;
        Ok(visual)
    }

    /// Takes pictures, `[batch, channels, side, side]`.
    fn forward(&self, pixel_values: Tensor<B, 4>) -> Seen<B> {
        let stem = self.stem.forward(pixel_values);
        let mean = stem.clone().flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2);
        let beit3 = &self.visual.vpm.beit3;
        let picture = beit3.vision_embed.project(stem);
        let queries = Some(self.visual.query.val());
        let states = beit3.encoder.forward(beit3.encoder.embed(picture, queries));
        Seen {
            features: self.visual.project(states.clone()),
            classes: [
                self.readout.forward(states.mean_dim(1).squeeze_dim(1)),
                self.stem_readout.forward(mean),
            ],
        }
    }
}

/// [`NameEmbeddings::loss`] plus the cross entropies of both readouts.
pub struct AlignmentObjective<B: Backend> {
    pub names: NameEmbeddings<B>,
}

impl<B: AutodiffBackend + MpmBackend> Objective<B> for AlignmentObjective<B> {
    type Model = AlignedMuffin<B>;
    type Batch = NamedPictures;

    fn loss(
        &self,
        model: &AlignedMuffin<B>,
        batch: NamedPictures,
    ) -> Result<LossOutput<B>, BoxError> {
        let device = model.visual.query.val().device();
        let seen = model.forward(stack_pictures(&batch.pictures, &device)?);
        let mut output = self.names.loss(seen.features, &batch.classes)?;
        let targets = CountedTargets::new(&batch.classes, [batch.classes.len(), 1], &device)?;
        for classes in seen.classes {
            output.loss = output.loss + targets.cross_entropy(classes)?.loss;
        }
        Ok(output)
    }
}
