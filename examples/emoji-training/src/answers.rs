//! What both trainers ask a language model, and how its answers are measured.

use burn::tensor::{Tensor, backend::AutodiffBackend};
use mpm_core::MpmBackend;
use mpm_data::emoji::Sample;
use mpm_llm::{
    cpm_bee::{CpmBee, CpmBeeInput},
    prompt::{ANSWER_KEY, PICTURE_KEY, PromptValue},
    tokenizer::escape,
};
use mpm_train::{CountedTargets, LossOutput};

use crate::BoxError;

/// The prompt of a sample: the reference's chat format. Without slots for a picture its
/// description, empty where there is none, stands in the picture's place.
pub fn prompt(sample: &Sample, slots: Option<usize>, context: &str) -> PromptValue {
    let question = escape(&sample.question);
    let answer = escape(&sample.answer);
    if let Some(slots) = slots {
        return PromptValue::chat(slots, context, &question, &answer);
    }
    let description = sample.description.as_deref().unwrap_or_default();
    PromptValue::from([
        (PICTURE_KEY, &*escape(description)),
        ("context", context),
        ("question", &*question),
        (ANSWER_KEY, &*answer),
    ])
}

/// Cross entropy of the answers' tokens (paper, section 3.3).
///
/// # Shapes
/// - embeddings: `[batch, seq, d_llm]`
/// - targets: `[batch · seq]`, the next token of each position, or −100
///
/// # Errors
/// When input and targets do not fit together.
pub fn answer_loss<B: AutodiffBackend + MpmBackend>(
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
