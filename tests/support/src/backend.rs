//! Where the parity suites compute.

/// The backend that the parity suites hold against the reference: the one that is compiled in
/// besides the CPU's (`cargo test --workspace --features cuda`), or the CPU's.
pub type TestBackend = chosen::TestBackend;

#[cfg(feature = "cuda")]
mod chosen {
    pub type TestBackend = burn::backend::Cuda;
}

#[cfg(all(feature = "vulkan", not(feature = "cuda")))]
mod chosen {
    pub type TestBackend = burn::backend::Vulkan;
}

#[cfg(all(feature = "metal", not(any(feature = "cuda", feature = "vulkan"))))]
mod chosen {
    pub type TestBackend = burn::backend::Metal;
}

#[cfg(all(
    feature = "wgpu",
    not(any(feature = "cuda", feature = "vulkan", feature = "metal"))
))]
mod chosen {
    pub type TestBackend = burn::backend::Wgpu;
}

#[cfg(not(any(
    feature = "cuda",
    feature = "vulkan",
    feature = "metal",
    feature = "wgpu"
)))]
mod chosen {
    pub type TestBackend = burn::backend::Flex;
}
