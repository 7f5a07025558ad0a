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
use mpm_vision::{NormalisedStem, VisionError, VisualModule, VisualModuleConfig};
use viscpm_chat::stack_pictures;

use crate::{names::NameEmbeddings, pictures::NamedPictures};

/// A visual module that also says what it sees.
#[derive(Module, Debug)]
pub struct AlignedModule<B: Backend> {
    /// For BEiT-3 with queries: a stem with batch normalisation in the place of its own.
    pub stem: Option<ReadStem<B>>,
    /// The visual module.
    pub visual: VisualModule<B>,
    /// From the mean of the states before the connector to classes: a short way for gradients,
    /// which the connector is not before it has learnt something.
    pub readout: Linear<B>,
}

/// A stem that also says what it sees.
#[derive(Module, Debug)]
pub struct ReadStem<B: Backend> {
    /// The stem.
    pub stem: NormalisedStem<B>,
    /// From the mean of its features to classes: a shorter way still.
    pub readout: Linear<B>,
}

/// What an [`AlignedModule`] makes of pictures.
struct Seen<B: Backend> {
    /// In the language model's embeddings, `[batch, num_features, d_llm]`
    features: Tensor<B, 3>,
    /// Scores of the classes, `[batch, classes]`, from each readout
    classes: Vec<Tensor<B, 2>>,
}

impl<B: Backend> AlignedModule<B> {
    /// Random weights.
    pub fn new(
        config: &VisualModuleConfig,
        classes: usize,
        device: &B::Device,
    ) -> Result<Self, VisionError> {
        let readout = |width| LinearConfig::new(width, classes).init(device);
        let muffin = config.as_muffin();
        let stem = muffin.map(|muffin| -> Result<_, VisionError> {
            Ok(ReadStem {
                stem: NormalisedStem::new(&muffin.encoder, device)?,
                readout: readout(muffin.encoder.stem_out_channels()),
            })
        });
        Ok(Self {
            stem: stem.transpose()?,
            visual: config.init(device)?,
            readout: readout(config.encoder.width()),
        })
    }
}

impl<B: MpmBackend> AlignedModule<B> {
    /// The visual module, with the stem folded in where there is one; its statistics are those of
    /// `pictures`, each `[batch, channels, side, side]`.
    ///
    /// # Errors
    /// [`VisionError::NoPictures`] for a stem without any.
    pub fn finish(self, pictures: Vec<Tensor<B, 4>>) -> Result<VisualModule<B>, VisionError> {
        Ok(match (self.visual, self.stem) {
            (VisualModule::Muffin(mut muffin), Some(stem)) => {
                muffin.vpm.beit3.vision_embed.stem = stem.stem.fold(pictures)?;
                VisualModule::Muffin(muffin)
            }
            (visual, _) => visual,
        })
    }

    /// Takes pictures, `[batch, channels, side, side]`.
    fn forward(&self, pixel_values: Tensor<B, 4>) -> Result<Seen<B>, VisionError> {
        let mut classes = Vec::new();
        let (states, features) = match &self.visual {
            VisualModule::Muffin(muffin) => {
                let beit3 = &muffin.vpm.beit3;
                let picture = match &self.stem {
                    None => beit3.vision_embed.forward(pixel_values)?,
                    Some(ReadStem { stem, readout }) => {
                        let stem = stem.forward(pixel_values);
                        let mean = stem.clone().flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2);
                        classes.push(readout.forward(mean));
                        beit3.vision_embed.project(stem)
                    }
                };
                let queries = Some(muffin.query.val());
                let states = beit3.encoder.forward(beit3.encoder.embed(picture, queries));
                (states.clone(), muffin.project(states))
            }
            VisualModule::Connected(module) => {
                let states = module.states(pixel_values)?;
                (states.clone(), module.connect(states))
            }
        };
        let mean = states.mean_dim(1).squeeze_dim(1);
        classes.push(self.readout.forward(mean));
        Ok(Seen { features, classes })
    }
}

/// [`NameEmbeddings::loss`] plus the cross entropies of both readouts.
pub struct AlignmentObjective<B: Backend> {
    pub names: NameEmbeddings<B>,
}

impl<B: AutodiffBackend + MpmBackend> Objective<B> for AlignmentObjective<B> {
    type Model = AlignedModule<B>;
    type Batch = NamedPictures;

    fn loss(
        &self,
        model: &AlignedModule<B>,
        batch: NamedPictures,
    ) -> Result<LossOutput<B>, BoxError> {
        let device = model.readout.weight.device();
        let seen = model.forward(stack_pictures(&batch.pictures, &device)?)?;
        let mut output = self.names.loss(seen.features, &batch.classes)?;
        let targets = CountedTargets::new(&batch.classes, [batch.classes.len(), 1], &device)?;
        for classes in seen.classes {
            output.loss = output.loss + targets.cross_entropy(classes)?.loss;
        }
        Ok(output)
    }
}
