//! The language-model loss of the chat model.

use burn::tensor::backend::AutodiffBackend;
use mpm_core::MpmBackend;
use mpm_llm::cpm_bee::splice_features;
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
        let input = &batch.input;
        let shape = [input.batch, input.seq_len];
        let mut embeddings = model.llm.embed(&input.ids, &input.sub_ids, shape)?;
        if !batch.pictures.is_empty() {
            let features = model.encode_pictures(&batch.pictures)?;
            embeddings = splice_features(embeddings, features, &batch.bounds)?;
        }
        answer_loss(&model.llm, embeddings, input, &batch.targets)
    }
}
