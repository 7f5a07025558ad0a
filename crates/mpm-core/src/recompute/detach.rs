//! Values without a graph.

use burn::tensor::{Bool, Int, Tensor, backend::Backend};

/// What a block reads besides its parameters.
pub trait Detach {
    /// The same values, through which no gradient flows.
    #[must_use]
    fn detached(&self) -> Self;
}

impl<B: Backend, const D: usize> Detach for Tensor<B, D> {
    fn detached(&self) -> Self {
        // `detach` would keep asking for the gradient of a leaf.
        self.clone().set_require_grad(false)
    }
}

impl<B: Backend, const D: usize> Detach for Tensor<B, D, Int> {
    fn detached(&self) -> Self {
        self.clone()
    }
}

impl<B: Backend, const D: usize> Detach for Tensor<B, D, Bool> {
    fn detached(&self) -> Self {
        self.clone()
    }
}

impl<T: Detach> Detach for Option<T> {
    fn detached(&self) -> Self {
        self.as_ref().map(T::detached)
    }
}

impl<T: Detach> Detach for Vec<T> {
    fn detached(&self) -> Self {
        self.iter().map(T::detached).collect()
    }
}

impl<T: Detach, U: Detach> Detach for (T, U) {
    fn detached(&self) -> Self {
        (self.0.detached(), self.1.detached())
    }
}
