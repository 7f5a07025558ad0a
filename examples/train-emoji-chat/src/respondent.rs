//! Asking a model about pictures.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, backend::Backend};
use emoji_training::BoxError;
use mpm_core::MpmBackend;
use mpm_data::{
    emoji::{EVALUATION_GROUND, EmojiSet, Scene},
    picture::Picture,
};
use viscpm_chat::{ChatModel, ChatSession};

/// A model that answers questions about pictures, each for itself.
pub struct Respondent<B: Backend> {
    /// The model.
    pub model: ChatModel<B>,
}

impl<B: MpmBackend> Respondent<B> {
    /// What the model sees of a picture, `[1, num_queries, d_llm]`.
    ///
    /// # Errors
    /// Those of the model.
    pub fn encode(&self, picture: &Picture) -> Result<Tensor<B, 3>, BoxError> {
        let pixels = self.model.config.preprocessing.apply(picture);
        Ok(self.model.model.encode_pictures(&[pixels])?)
    }

    /// The answer to a question about what [`encode`](Self::encode) has seen.
    ///
    /// # Errors
    /// Those of the model.
    pub fn ask(&self, features: Tensor<B, 3>, question: &str) -> Result<String, BoxError> {
        let mut session = ChatSession::new(&self.model)?;
        session.show_features(features);
        let params = &self.model.config.decoding;
        let answer = session.ask(question, params, |_| ControlFlow::Continue(()))?;
        Ok(answer.answer)
    }

    /// The answer to a question about an empty ground: what the model says blindly.
    ///
    /// # Errors
    /// Those of the model.
    pub fn ask_blindly(&self, set: &EmojiSet, question: &str) -> Result<String, BoxError> {
        let empty = set.compose(&Scene {
            ground: EVALUATION_GROUND,
            emoji: Vec::new(),
        })?;
        self.ask(self.encode(&empty)?, question)
    }
}
