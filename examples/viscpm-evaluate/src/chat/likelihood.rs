//! How well a model foresees a given answer.

use burn::tensor::{ElementConversion, Tensor};
use mpm_core::MpmBackend;
use mpm_llm::{
    cpm_bee::{CpmBeeInput, splice_features},
    prompt::{Collator, PromptEncoder, PromptValue},
    tokenizer::escape,
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
    let prompt = PromptValue::chat(slots, "", &escape(question), &escape(answer));
    let prompt = PromptEncoder::new(&model.tokenizer).encode(&prompt)?;
    let batch = Collator::new(&model.tokenizer, prompt.len()).collate(&[prompt])?;
    let targets: Vec<i64> = batch.target.iter().map(|&target| target.into()).collect();
    let bounds = batch.image_bound.clone();
    let input = CpmBeeInput::from(batch);
    let llm = &model.model.llm;
    let shape = [input.batch, input.seq_len];
    let mut embeddings = llm.embed(&input.ids, &input.sub_ids, shape)?;
    if let Some(features) = features {
        embeddings = splice_features(embeddings, features, &bounds)?;
    }
    let output = answer_loss(llm, embeddings, &input, &targets)?;
    let mean: f64 = output.loss.into_scalar().elem();
    let mut loss = Perplexity::default();
    loss.add(mean * output.counted as f64, output.counted as u64);
    Ok(loss)
}
