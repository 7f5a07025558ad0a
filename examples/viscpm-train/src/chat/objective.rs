//! The language-model loss of the chat model.

use burn::tensor::backend::AutodiffBackend;
use mpm_core::MpmBackend;
use mpm_train::{BoxError, LossOutput, Objective, language::answer_loss};
use viscpm_chat::VisCpmChat;

use super::ChatBatch;

/// Cross entropy of the answers' tokens: captions in the first stage, responses in the second.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChatObjective;

impl<B: AutodiffBackend + MpmBackend> Objective<B> for ChatObjective {
    type Model = VisCpmChat<B>;
    type Batch = ChatBatch;

    fn loss(&self, model: &VisCpmChat<B>, batch: ChatBatch) -> Result<LossOutput<B>, BoxError> {
        let features = match batch.pictures.as_slice() {
            [] => None,
            pictures => Some(model.encode_pictures(pictures)?),
        };
        let embeddings = model.embed(&batch.input, features, &batch.bounds)?;
        answer_loss(&model.llm, embeddings, &batch.input, &batch.targets)
    }
}
