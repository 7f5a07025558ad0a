//! Where the parity suites compute.

use mpm_core::backend::BackendKind;

use crate::Tolerance;

/// The backend that the parity suites hold against the reference: the one that is compiled in
/// besides the CPU's (`cargo test --workspace --features cuda`), or the CPU's.
pub type TestBackend = chosen::TestBackend;

/// Which of the backends that is.
pub const TEST_BACKEND: BackendKind = chosen::KIND;

/// What the backend's own arithmetic may add to an error, beside what a suite allows for sums in
/// another order.
///
/// CUDA: tensor cores take the factors of f32 products in TF32, with ten bits, which moves a
/// product by up to 1e-3 of itself, and a layer is several of them in a row.
pub const BACKEND_ROUNDING: Tolerance = Tolerance {
    of_largest: match TEST_BACKEND {
        BackendKind::Cuda => 4e-3,
        _ => 0.0,
    },
    ..Tolerance::EXACT
};

#[cfg(feature = "cuda")]
mod chosen {
    pub type TestBackend = burn::backend::Cuda;
    pub const KIND: super::BackendKind = super::BackendKind::Cuda;
}

#[cfg(all(feature = "vulkan", not(feature = "cuda")))]
mod chosen {
    pub type TestBackend = burn::backend::Vulkan;
    pub const KIND: super::BackendKind = super::BackendKind::Vulkan;
}

#[cfg(all(feature = "metal", not(any(feature = "cuda", feature = "vulkan"))))]
mod chosen {
    pub type TestBackend = burn::backend::Metal;
    pub const KIND: super::BackendKind = super::BackendKind::Metal;
}

#[cfg(all(
    feature = "wgpu",
    not(any(feature = "cuda", feature = "vulkan", feature = "metal"))
))]
mod chosen {
    pub type TestBackend = burn::backend::Wgpu;
    pub const KIND: super::BackendKind = super::BackendKind::Wgpu;
}

#[cfg(not(any(
    feature = "cuda",
    feature = "vulkan",
    feature = "metal",
    feature = "wgpu"
)))]
mod chosen {
    pub type TestBackend = burn::backend::Flex;
    pub const KIND: super::BackendKind = super::BackendKind::Flex;
}
