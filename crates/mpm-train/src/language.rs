//! The loss of a language model's answers.

use burn::tensor::Tensor;
use mpm_core::MpmBackend;
use mpm_llm::cpm_bee::{CpmBee, CpmBeeInput};

use crate::{BoxError, CountedTargets, LossOutput};

/// Cross entropy of the answers' tokens (paper, section 3.3), for training and for measuring.
///
/// # Shapes
/// - embeddings: `[batch, seq, d_llm]`
/// - targets: `[batch · seq]`, the next token of each position, or −100
///
/// # Errors
/// When input and targets do not fit together.
pub fn answer_loss<B: MpmBackend>(
    llm: &CpmBee<B>,
    embeddings: Tensor<B, 3>,
    input: &CpmBeeInput,
    targets: &[i64],
) -> Result<LossOutput<B>, BoxError> {
    let hidden = llm.hidden_states(embeddings, input, |_, _| {})?;
    // Only the answers' positions are projected onto the vocabulary.
    let targets = CountedTargets::new(targets, [input.batch, input.seq_len], &llm.device())?;
    let hidden = targets.select(hidden)?;
    let ext_table = llm.embed_ext_table(&input.ext_table_ids, &input.ext_table_sub)?;
    let logits = llm.logits(hidden.unsqueeze_dim(0), ext_table);
    Ok(targets.cross_entropy(logits.squeeze_dim(0))?)
}
