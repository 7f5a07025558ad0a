//! Bringing pictures to where the language model keeps their English names.
//!
//! Gradients through a small frozen language model are weak as long as it takes the
//! features for noise. So the features first learn to be the embeddings of the name,
//! repeated over the slots, as if it were written there: English only, and the language
//! model gives nothing but its embeddings.

use burn::tensor::{
    Int, Tensor, TensorData,
    backend::{AutodiffBackend, Backend},
};
use mpm_core::MpmBackend;
use mpm_data::emoji::{Language, Tasks};
use mpm_llm::{
    cpm_bee::CpmBee,
    tokenizer::{CpmBeeTokenizer, escape},
};
use mpm_train::{BoxError, CountedTargets, LossOutput, Objective};
use mpm_vision::Muffin;

use crate::encoder::ClassBatch;

/// How fast the likelihood of a class falls with the distance of its embeddings.
const SHARPNESS: f64 = 8.0;

/// Cross entropy over the distances to the names of all classes, plus the distance to
/// the right one.
pub struct AlignmentObjective<B: Backend> {
    /// `[classes, num_queries · d_llm]`
    names: Tensor<B, 2>,
    num_queries: usize,
}

impl<B: MpmBackend> AlignmentObjective<B> {
    pub fn new(
        llm: &CpmBee<B>,
        tokenizer: &CpmBeeTokenizer,
        tasks: &Tasks<'_>,
        num_queries: usize,
    ) -> Result<Self, BoxError> {
        let mut ids = Vec::new();
        for class in tasks.classes() {
            let name = class.name(Language::English).unwrap_or_default();
            let encoding = tokenizer.encode(&escape(name))?;
            ids.extend(encoding.ids.iter().cycle().take(num_queries));
        }
        let classes = tasks.classes().len();
        // The vocabulary was built from texts with all names in them: none is unknown.
        let names = llm.embed(&ids, &vec![0; ids.len()], [classes, num_queries])?;
        Ok(Self {
            names: names.flatten::<2>(1, 2).detach(),
            num_queries,
        })
    }
}

impl<B: AutodiffBackend + MpmBackend> Objective<B> for AlignmentObjective<B> {
    type Model = Muffin<B>;
    type Batch = ClassBatch;

    fn loss(&self, model: &Muffin<B>, batch: ClassBatch) -> Result<LossOutput<B>, BoxError> {
        let device = self.names.device();
        let features = model.forward(batch.pixel_values(&device))?;
        // |f − n|² = |f|² − 2 f·n + |n|², per slot.
        let features = features.flatten::<2>(1, 2);
        let squared = |x: Tensor<B, 2>| (x.clone() * x).sum_dim(1);
        let products = features.clone().matmul(self.names.clone().transpose());
        let distances =
            squared(features) - products.mul_scalar(2.0) + squared(self.names.clone()).transpose();
        let distances = distances.div_scalar(self.num_queries as f64);

        let count = batch.classes.len();
        let targets = CountedTargets::new(&batch.classes, [count, 1], &device)?;
        let mut output = targets.cross_entropy(distances.clone().mul_scalar(-SHARPNESS))?;
        let classes = TensorData::new(batch.classes, [count, 1]);
        let classes: Tensor<B, 2, Int> = Tensor::from_data(classes, &device);
        output.loss = output.loss + distances.gather(1, classes).mean();
        Ok(output)
    }
}
