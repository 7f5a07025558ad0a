//! What training needs of a language model.

use burn::tensor::{Tensor, backend::Backend};

use crate::LlmError;

/// A language model that reads embeddings, so that pictures can stand among the words.
///
/// Objectives are written against this trait: what trains behind one language model trains behind
/// any other. It is implemented by [`CpmBee`](crate::cpm_bee::CpmBee), by
/// [`Llama`](crate::llama::Llama), and by [`AnyLlm`](crate::any::AnyLlm), which is one of them.
pub trait LanguageModel<B: Backend> {
    /// Tokens of a batch, with all that the model reads beside their embeddings.
    type Input;

    /// Width of the embeddings.
    fn d_model(&self) -> usize;

    /// Where the weights are.
    fn device(&self) -> B::Device;

    /// Embeds tokens that stand for themselves, `[batch · seq]`, such as names and words.
    ///
    /// # Shapes
    /// - output: `[batch, seq, d_model]`
    ///
    /// # Errors
    /// [`LlmError::InputLength`], and [`LlmError::InputRange`] for an id that is not in the
    /// vocabulary.
    fn embed_tokens(&self, ids: &[i32], shape: [usize; 2]) -> Result<Tensor<B, 3>, LlmError>;

    /// Embeds the tokens of a batch.
    ///
    /// # Shapes
    /// - output: `[batch, seq, d_model]`
    ///
    /// # Errors
    /// As [`embed_tokens`](Self::embed_tokens).
    fn embed_input(&self, input: &Self::Input) -> Result<Tensor<B, 3>, LlmError>;

    /// The states of a batch behind the last layer, from embeddings in which pictures may have
    /// taken their places. `observe` gets the index and the states of each layer.
    ///
    /// # Shapes
    /// - embeddings, observed, output: `[batch, seq, d_model]`
    ///
    /// # Errors
    /// [`LlmError::InputLength`] and [`LlmError::InputRange`].
    fn states(
        &self,
        embeddings: Tensor<B, 3>,
        input: &Self::Input,
        observe: &mut dyn FnMut(usize, &Tensor<B, 3>),
    ) -> Result<Tensor<B, 3>, LlmError>;

    /// The logits of the next token, for some of a batch's states.
    ///
    /// # Shapes
    /// - states: `[n, d_model]`
    /// - output: `[n, tokens]`
    ///
    /// # Errors
    /// As [`embed_tokens`](Self::embed_tokens).
    fn next_token(
        &self,
        states: Tensor<B, 2>,
        input: &Self::Input,
    ) -> Result<Tensor<B, 2>, LlmError>;
}
