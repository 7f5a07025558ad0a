//! The model.

use burn::{
    module::Module,
    tensor::{DType, Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::{LinearLayer, LinearLayers},
    streaming::{LayerList, StreamedLayers},
};

use super::AnyInput;
use crate::{Family, LanguageModel, LlmError, cpm_bee::CpmBee, llama::Llama};

/// A language model; made by [`AnyLlmConfig::init`](super::AnyLlmConfig::init).
///
/// Variants have no part in the names of parameters, which are those of the models.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one of it, and modules cannot be boxed"
)]
pub enum AnyLlm<B: Backend> {
    /// CPM-Bee.
    CpmBee(CpmBee<B>),
    /// A model of the LLaMA family.
    Llama(Llama<B>),
}

impl<B: Backend> LinearLayers<B> for AnyLlm<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        match self {
            Self::CpmBee(model) => model.visit_linear(visit),
            Self::Llama(model) => model.visit_linear(visit),
        }
    }
}

impl<B: Backend> StreamedLayers for AnyLlm<B> {
    fn layer_list(&mut self) -> LayerList<'_> {
        match self {
            Self::CpmBee(model) => model.layer_list(),
            Self::Llama(model) => model.layer_list(),
        }
    }
}

impl<B: Backend> AnyLlm<B> {
    /// Whether training keeps only the inputs of the layers and computes the rest again for the
    /// gradients.
    pub fn set_recompute(&mut self, recompute: bool) {
        match self {
            Self::CpmBee(model) => model.encoder.recompute = recompute,
            Self::Llama(model) => model.model.recompute = recompute,
        }
    }

    /// The dtype of the weights that are not quantized, which the activations share.
    pub fn dtype(&self) -> DType {
        match self {
            Self::CpmBee(model) => model.dtype(),
            Self::Llama(model) => model.dtype(),
        }
    }
}

/// That the tokens are not made for this model.
fn other_family(expected: Family) -> LlmError {
    LlmError::OtherFamily {
        expected,
        found: match expected {
            Family::CpmBee => Family::Llama,
            Family::Llama => Family::CpmBee,
        },
    }
}

/// Tokens that were made for a model of the other kind are
/// [`LlmError::OtherFamily`].
impl<B: MpmBackend> LanguageModel<B> for AnyLlm<B> {
    type Input = AnyInput;

    fn d_model(&self) -> usize {
        match self {
            Self::CpmBee(model) => model.d_model(),
            Self::Llama(model) => model.d_model(),
        }
    }

    fn device(&self) -> B::Device {
        match self {
            Self::CpmBee(model) => model.device(),
            Self::Llama(model) => model.device(),
        }
    }

    fn embed_tokens(&self, ids: &[i32], shape: [usize; 2]) -> Result<Tensor<B, 3>, LlmError> {
        match self {
            Self::CpmBee(model) => model.embed_tokens(ids, shape),
            Self::Llama(model) => model.embed_tokens(ids, shape),
        }
    }

    fn embed_input(&self, input: &AnyInput) -> Result<Tensor<B, 3>, LlmError> {
        match (self, input) {
            (Self::CpmBee(model), AnyInput::CpmBee(input)) => model.embed_input(input),
            (Self::Llama(model), AnyInput::Llama(input)) => model.embed_input(input),
            (Self::CpmBee(_), _) => Err(other_family(Family::CpmBee)),
            (Self::Llama(_), _) => Err(other_family(Family::Llama)),
        }
    }

    fn states(
        &self,
        embeddings: Tensor<B, 3>,
        input: &AnyInput,
        observe: &mut dyn FnMut(usize, &Tensor<B, 3>),
    ) -> Result<Tensor<B, 3>, LlmError> {
        match (self, input) {
            (Self::CpmBee(model), AnyInput::CpmBee(input)) => {
                model.states(embeddings, input, observe)
            }
            (Self::Llama(model), AnyInput::Llama(input)) => {
                model.states(embeddings, input, observe)
            }
            (Self::CpmBee(_), _) => Err(other_family(Family::CpmBee)),
            (Self::Llama(_), _) => Err(other_family(Family::Llama)),
        }
    }

    fn next_token(&self, states: Tensor<B, 2>, input: &AnyInput) -> Result<Tensor<B, 2>, LlmError> {
        match (self, input) {
            (Self::CpmBee(model), AnyInput::CpmBee(input)) => model.next_token(states, input),
            (Self::Llama(model), AnyInput::Llama(input)) => model.next_token(states, input),
            (Self::CpmBee(_), _) => Err(other_family(Family::CpmBee)),
            (Self::Llama(_), _) => Err(other_family(Family::Llama)),
        }
    }
}
