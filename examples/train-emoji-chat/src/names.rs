//! Names where the language model keeps them: in its embeddings.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use mpm_core::MpmBackend;
use mpm_data::emoji::{Language, Tasks};
use mpm_llm::{LanguageModel, LlmError, any::AnyTokenizer};
use mpm_train::{BoxError, CountedTargets, LossOutput, objective::IGNORED_TARGET};

/// How fast the likelihood of a class falls with the distance of its embeddings. Names
/// without a common token are 2 apart, so features that have come half the way to the
/// right one outweigh hundreds of wrong ones.
const SHARPNESS: f64 = 8.0;

/// The weight of the distance to the right name. Without it features overstate what is
/// seen: they should be a mixture of names where a picture may be one or another.
const PULL: f64 = 4.0;

/// The tokens of all names, each repeated over the slots of a picture.
pub struct Names {
    ids: Vec<i32>,
    slots: usize,
}

/// The names of all classes in embeddings.
pub struct NameEmbeddings<B: Backend> {
    /// `[classes, slots · d_llm]`
    names: Tensor<B, 2>,
    /// Squared length of each name, `[1, classes]`.
    lengths: Tensor<B, 2>,
    slots: usize,
}

impl Names {
    /// The names of all classes in a language, for pictures of so many slots.
    ///
    /// # Errors
    /// Those of the tokenizer.
    pub fn new(
        tokenizer: &AnyTokenizer,
        tasks: &Tasks<'_>,
        language: Language,
        slots: usize,
    ) -> Result<Self, BoxError> {
        let mut ids = Vec::new();
        for class in 0..tasks.classes().len() {
            // The vocabulary was built from texts with all names in them: none is unknown.
            let name = tokenizer.words(tasks.name(class, language))?;
            ids.extend(name.iter().cycle().take(slots));
        }
        Ok(Self { ids, slots })
    }

    /// Looks the names up in a model's embeddings, which no gradient reaches from here.
    ///
    /// # Errors
    /// Those of the model.
    pub fn embed<B: MpmBackend>(
        &self,
        llm: &impl LanguageModel<B>,
    ) -> Result<NameEmbeddings<B>, LlmError> {
        let shape = [self.ids.len() / self.slots, self.slots];
        let names = llm.embed_tokens(&self.ids, shape)?;
        let names = names.flatten::<2>(1, 2).detach();
        let lengths = squared_lengths(names.clone()).transpose();
        Ok(NameEmbeddings {
            names,
            lengths,
            slots: self.slots,
        })
    }
}

impl<B: MpmBackend> NameEmbeddings<B> {
    /// How far features are from the name of their class, and whether another is nearer:
    /// cross entropy over the distances to all names plus the distance to the right one.
    ///
    /// # Shapes
    /// - features: `[pictures, slots, d_llm]`
    /// - classes: one for each picture, [`IGNORED_TARGET`] where it has none
    ///
    /// # Errors
    /// For a class that there is not.
    pub fn loss(&self, features: Tensor<B, 3>, classes: &[i64]) -> Result<LossOutput<B>, BoxError> {
        let device = features.device();
        let targets = CountedTargets::new(classes, [classes.len(), 1], &device)?;
        let features = features.flatten::<2>(1, 2).unsqueeze_dim(1);
        let distances = self.distances(targets.select(features)?);
        let mut output = targets.cross_entropy(distances.clone().mul_scalar(-SHARPNESS))?;
        if targets.counted() > 0 {
            let right = classes
                .iter()
                .copied()
                .filter(|&class| class != IGNORED_TARGET);
            let right = TensorData::new(right.collect(), [targets.counted(), 1]);
            let right = Tensor::<B, 2, Int>::from_data(right, &device);
            output.loss = output.loss + distances.gather(1, right).mean().mul_scalar(PULL);
        }
        Ok(output)
    }

    /// A name as features, `[1, slots, d_llm]`.
    pub fn features(&self, class: usize) -> Tensor<B, 3> {
        let name = self.names.clone().narrow(0, class, 1);
        name.reshape([1, self.slots as i32, -1])
    }

    /// The class whose name is nearest to each picture's features,
    /// `[pictures, slots, d_llm]`.
    pub fn nearest(&self, features: Tensor<B, 3>) -> Vec<usize> {
        let nearest = self.distances(features.flatten(1, 2)).argmin(1).into_data();
        nearest.iter::<i64>().map(|class| class as usize).collect()
    }

    /// Squared distances `[pictures, classes]`; the unit is a name's mean squared length.
    fn distances(&self, features: Tensor<B, 2>) -> Tensor<B, 2> {
        // |f − n|² = |f|² − 2 f·n + |n|²
        let products = features.clone().matmul(self.names.clone().transpose());
        let distances = squared_lengths(features) - products.mul_scalar(2.0) + self.lengths.clone();
        distances / self.lengths.clone().mean().unsqueeze()
    }
}

fn squared_lengths<B: Backend>(rows: Tensor<B, 2>) -> Tensor<B, 2> {
    (rows.clone() * rows).sum_dim(1)
}
