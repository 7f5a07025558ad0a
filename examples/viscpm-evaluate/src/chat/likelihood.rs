//! How well a model foresees a given answer.

use burn::tensor::{ElementConversion, Tensor};
use mpm_core::MpmBackend;
use mpm_llm::{
    any::AnyDialogue,
    dialogue::{Dialogue, PicturePlace},
};
use mpm_train::{BoxError, evaluate::perplexity::Perplexity, language::answer_loss};
use viscpm_chat::ChatModel;

/// The loss of an answer, token by token behind the right tokens before it (teacher forcing), its
/// end included. Question and answer are plain texts.
///
/// # Shapes
/// - features: `[1, slots, d_llm]`, none without a picture
///
/// # Errors
/// Those of tokenizer and language model.
pub fn reference_loss<B: MpmBackend>(
    model: &ChatModel<B>,
    features: Option<Tensor<B, 3>>,
    question: &str,
    answer: &str,
) -> Result<Perplexity, BoxError> {
    let slots = features.as_ref().map_or(0, |features| features.dims()[1]);
    let dialogue = Dialogue {
        picture: PicturePlace::slots(slots),
        turns: Vec::new(),
        question: question.to_owned(),
        answer: answer.to_owned(),
    };
    let dialogue = AnyDialogue::new(&model.tokenizer, &dialogue)?;
    let batch = AnyDialogue::collate(&model.tokenizer, vec![dialogue])?;
    let embeddings = model.model.embed(&batch.input, features, &batch.bounds)?;
    let output = answer_loss(&model.model.llm, embeddings, &batch.input, &batch.targets)?;
    let mean: f64 = output.loss.into_scalar().elem();
    let mut loss = Perplexity::default();
    loss.add(mean * output.counted as f64, output.counted as u64);
    Ok(loss)
}
