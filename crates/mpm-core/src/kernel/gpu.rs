//! The GPU backends, which use the composed operations.

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
mod wgpu {
    use burn::{
        backend::wgpu::{BoolElement, FloatElement, IntElement, Wgpu},
        tensor::backend::Backend,
    };

    // `Vulkan` and `Metal` are this type with another storage of booleans
    impl<F, I, B> crate::kernel::MpmBackend for Wgpu<F, I, B>
    where
        F: FloatElement,
        I: IntElement,
        B: BoolElement,
        Self: Backend,
    {
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use burn::{
        backend::Cuda,
        tensor::{bf16, f16},
    };

    impl crate::kernel::MpmBackend for Cuda<f32> {}
    impl crate::kernel::MpmBackend for Cuda<f16> {}
    impl crate::kernel::MpmBackend for Cuda<bf16> {}
}
