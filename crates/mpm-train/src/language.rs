//! The loss of a language model's answers.

use burn::tensor::Tensor;
use mpm_core::MpmBackend;
use mpm_llm::LanguageModel;

use crate::{BoxError, CountedTargets, LossOutput};

/// Cross entropy of the answers' tokens (paper, section 3.3), for training and for measuring.
///
/// # Shapes
/// - embeddings: `[batch, seq, d_llm]`
/// - targets: `[batch · seq]`, the next token of each position, or −100
///
/// # Errors
/// When input and targets do not fit together.
pub fn answer_loss<B: MpmBackend, L: LanguageModel<B>>(
    llm: &L,
    embeddings: Tensor<B, 3>,
    input: &L::Input,
    targets: &[i64],
) -> Result<LossOutput<B>, BoxError> {
    let [batch, seq, _] = embeddings.dims();
    let states = llm.states(embeddings, input, &mut |_, _| {})?;
    // Only the answers' positions are projected onto the vocabulary.
    let targets = CountedTargets::new(targets, [batch, seq], &llm.device())?;
    let logits = llm.next_token(targets.select(states)?, input)?;
    Ok(targets.cross_entropy(logits)?)
}
