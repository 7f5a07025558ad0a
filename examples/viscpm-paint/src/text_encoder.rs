//! From a prompt to the language model's hidden states.
//!
//! Source: `VisCPMPaint.build_input` in VisCPM's `viscpm_paint.py` and `VLG_CPMBee.generate`.

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;
use mpm_llm::{
    cpm_bee::{CpmBee, CpmBeeInput},
    prompt::{Collator, EncodedPrompt, PromptEncoder, PromptValue},
    tokenizer::{CpmBeeTokenizer, escape},
};

use crate::PaintError;

/// The frozen language model, as far as painting needs it.
#[derive(Clone, Debug)]
pub struct TextEncoder<B: Backend> {
    /// CPM-Bee.
    pub llm: CpmBee<B>,
    /// From text to ids.
    pub tokenizer: CpmBeeTokenizer,
    /// The longest prompt in tokens, its keys included.
    pub max_prompt_tokens: usize,
}

/// What the language model makes of a prompt and of what to stay away from.
#[derive(Clone, Debug)]
pub struct PromptStates<B: Backend> {
    /// `[1, seq, d_llm]`
    pub prompt: Tensor<B, 3>,
    /// `[1, seq, d_llm]`
    pub negative: Tensor<B, 3>,
}

/// The prompt of a text: the reference's format. Nothing in the text is taken for markup.
pub fn prompt_value(text: &str) -> PromptValue {
    PromptValue::from([("caption", &*escape(text)), ("objects", "")])
}

/// Tokenizes a prompt and a negative prompt, of at most `limit` tokens each.
pub(crate) fn tokenize_pair(
    tokenizer: &CpmBeeTokenizer,
    limit: usize,
    prompt: &str,
    negative: &str,
) -> Result<Vec<EncodedPrompt>, PaintError> {
    if prompt.trim().is_empty() {
        return Err(PaintError::EmptyPrompt);
    }
    let mut pair = tokenize(tokenizer, limit, &[prompt], "the prompt")?;
    pair.extend(tokenize(
        tokenizer,
        limit,
        &[negative],
        "the negative prompt",
    )?);
    Ok(pair)
}

fn tokenize(
    tokenizer: &CpmBeeTokenizer,
    limit: usize,
    texts: &[&str],
    what: &'static str,
) -> Result<Vec<EncodedPrompt>, PaintError> {
    let encoder = PromptEncoder::new(tokenizer);
    let encode = |text: &&str| {
        let encoded = encoder.encode(&prompt_value(text))?;
        match encoded.len() <= limit {
            true => Ok(encoded),
            false => Err(PaintError::PromptTooLong {
                what,
                tokens: encoded.len(),
                limit,
            }),
        }
    };
    texts.iter().map(encode).collect()
}

impl<B: Backend> TextEncoder<B> {
    /// Pads prompts to the longest of them, as the reference does.
    fn batch(&self, prompts: &[EncodedPrompt]) -> Result<CpmBeeInput, PaintError> {
        let longest = prompts.iter().map(EncodedPrompt::len).max().unwrap_or(0);
        Ok(Collator::new(&self.tokenizer, longest)
            .collate(prompts)?
            .into())
    }
}

impl<B: MpmBackend> TextEncoder<B> {
    /// The last hidden states of texts.
    ///
    /// # Shapes
    /// - output: `[texts, seq, d_llm]`, `seq` is the longest text's
    ///
    /// # Errors
    /// [`PaintError::PromptTooLong`]; [`PaintError::Llm`] without a text.
    pub fn encode(&self, texts: &[&str]) -> Result<Tensor<B, 3>, PaintError> {
        let limit = self.max_prompt_tokens;
        self.hidden_states(&tokenize(&self.tokenizer, limit, texts, "the prompt")?)
    }

    /// The states of a prompt and a negative prompt, which may be empty, in one batch.
    ///
    /// # Errors
    /// [`PaintError::EmptyPrompt`] and [`PaintError::PromptTooLong`].
    pub fn encode_pair(&self, prompt: &str, negative: &str) -> Result<PromptStates<B>, PaintError> {
        let pair = tokenize_pair(&self.tokenizer, self.max_prompt_tokens, prompt, negative)?;
        let hidden = self.hidden_states(&pair)?;
        Ok(PromptStates {
            prompt: hidden.clone().narrow(0, 0, 1),
            negative: hidden.narrow(0, 1, 1),
        })
    }

    fn hidden_states(&self, prompts: &[EncodedPrompt]) -> Result<Tensor<B, 3>, PaintError> {
        let input = self.batch(prompts)?;
        let size = [input.batch, input.seq_len];
        let embeddings = self.llm.embed(&input.ids, &input.sub_ids, size)?;
        Ok(self.llm.hidden_states(embeddings, &input, |_, _| {})?)
    }
}
