//! The language-model objective of the chat model.

use burn::tensor::{Int, Tensor, TensorData, backend::AutodiffBackend};
use mpm_core::MpmBackend;
use mpm_llm::LanguageModel;
use mpm_train::{BoxError, LossOutput, Objective, language::answer_loss};
use viscpm_chat::VisCpmChat;

use crate::{imagined::Imagined, names::Names, source::Batch};

/// Cross entropy of the answers' tokens (paper, section 3.3), plus the distance of what
/// is seen from its English name.
///
/// Without the second term the features of a small encoder wander to where a few English
/// questions are answered best, and the other languages are lost on the way.
pub struct ChatObjective {
    pub names: Names,
    /// The weight of the second term.
    pub anchor: f64,
}

impl<B: AutodiffBackend + MpmBackend> Objective<B> for ChatObjective {
    type Model = VisCpmChat<B>;
    type Batch = Batch;

    fn loss(&self, model: &VisCpmChat<B>, batch: Batch) -> Result<LossOutput<B>, BoxError> {
        let llm = &model.llm;
        let mut features = Vec::new();
        let mut anchor = None;
        if !batch.pictures.is_empty() {
            let seen = model.encode_pictures(&batch.pictures)?;
            let names = self.names.embed(llm)?;
            anchor = Some(names.loss(seen.clone(), &batch.classes)?.loss);
            features.push(seen);
        }
        if !batch.imagined.is_empty() {
            features.push(Imagined::embed(&batch.imagined, llm)?);
        }
        let features = (!features.is_empty()).then(|| {
            let order = TensorData::new(batch.order.clone(), [batch.order.len()]);
            let order = Tensor::<B, 1, Int>::from_data(order, &llm.device());
            Tensor::cat(features, 0).select(0, order)
        });
        let embeddings = model.embed(&batch.input, features, &batch.bounds)?;
        let mut output = answer_loss(llm, embeddings, &batch.input, &batch.targets)?;
        if let Some(anchor) = anchor {
            output.loss = output.loss + anchor.mul_scalar(self.anchor);
        }
        Ok(output)
    }
}
