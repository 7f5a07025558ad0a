//! Multiway experts: one copy of a layer per kind of token.
//!
//! Source: BEiT-3 (<https://arxiv.org/abs/2208.10442>, section 2.1) and
//! torchscale's `component/multiway_network.py`. The reference runs one sequence
//! through both experts by splitting and joining it at every layer; here the two
//! parts stay apart and meet in the keys and values of the attention only.
#![allow(
    non_snake_case,
    reason = "checkpoints call the experts `A` and `B`, and fields are named as there"
)]

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    nn::{LinearLayer, LinearLayers},
    recompute::Detach,
};
use std::marker::PhantomData;

/// A sequence in two parts: the picture's tokens and the queries.
///
/// At least one of them is there.
#[derive(Clone, Debug)]
pub struct Tokens<B: Backend> {
    picture: Option<Tensor<B, 3>>,
    queries: Option<Tensor<B, 3>>,
}

impl<B: Backend> Tokens<B> {
    /// Joins the parts of a sequence.
    ///
    /// # Shapes
    /// - picture: `[batch, num_picture_tokens, d_model]`
    /// - queries: `[batch, num_queries, d_model]`
    pub fn new(picture: Tensor<B, 3>, queries: Option<Tensor<B, 3>>) -> Self {
        Self {
            picture: Some(picture),
            queries,
        }
    }

    /// The part that the encoder returns: the queries, or the picture's tokens
    /// of a sequence without queries.
    pub fn readout(self) -> Self {
        if self.queries.is_none() {
            return self;
        }
        Self {
            picture: None,
            queries: self.queries,
        }
    }

    /// The whole sequence, the picture's tokens first: `[batch, seq, d_model]`.
    pub fn concat(self) -> Tensor<B, 3> {
        match (self.picture, self.queries) {
            (Some(picture), Some(queries)) => Tensor::cat(vec![picture, queries], 1),
            (Some(part), None) | (None, Some(part)) => part,
            (None, None) => unreachable!("a sequence is made with one part and never loses both"),
        }
    }

    /// Applies one function to both parts.
    pub(crate) fn map(self, apply: impl Fn(Tensor<B, 3>) -> Tensor<B, 3>) -> Self {
        Self {
            picture: self.picture.map(&apply),
            queries: self.queries.map(&apply),
        }
    }

    /// The sum with a sequence of the same parts.
    pub(crate) fn add(self, other: Self) -> Self {
        let sum = |(left, right): (Tensor<B, 3>, Tensor<B, 3>)| left + right;
        Self {
            picture: self.picture.zip(other.picture).map(sum),
            queries: self.queries.zip(other.queries).map(sum),
        }
    }
}

impl<B: Backend> Detach for Tokens<B> {
    fn detached(&self) -> Self {
        Self {
            picture: self.picture.detached(),
            queries: self.queries.detached(),
        }
    }
}

/// Two copies of a layer with weights of their own.
#[derive(Module, Debug)]
pub struct Multiway<B: Backend, M: Module<B>> {
    /// The expert of the picture's tokens.
    pub A: M,
    /// The expert of the queries.
    pub B: M,
    backend: PhantomData<B>,
}

impl<B: Backend, M: Module<B> + LinearLayers<B>> LinearLayers<B> for Multiway<B, M> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        self.A.visit_linear(visit);
        self.B.visit_linear(visit);
    }
}

impl<B: Backend, M: Module<B>> Multiway<B, M> {
    /// Makes both experts; `expert` is called once for each.
    pub fn new(mut expert: impl FnMut() -> M) -> Self {
        let (picture, queries) = (expert(), expert());
        Self::from_experts(picture, queries)
    }

    /// Takes the expert of the picture's tokens and that of the queries.
    pub fn from_experts(picture: M, queries: M) -> Self {
        Self {
            A: picture,
            B: queries,
            backend: PhantomData,
        }
    }

    /// Sends each part of the sequence through its expert.
    pub fn forward(
        &self,
        tokens: Tokens<B>,
        apply: impl Fn(&M, Tensor<B, 3>) -> Tensor<B, 3>,
    ) -> Tokens<B> {
        Tokens {
            picture: tokens.picture.map(|part| apply(&self.A, part)),
            queries: tokens.queries.map(|part| apply(&self.B, part)),
        }
    }
}
