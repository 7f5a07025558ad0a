//! A GPU that cannot do what is asked of it.
//!
//! In a program of its own: the device may be of no use afterwards.
#![cfg(any(
    feature = "cuda",
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal"
))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::tensor::{ElementConversion, Tensor};
use mpm_core::{
    MpmBackend,
    backend::{BackendError, BackendTask},
};
use mpm_test_support::TEST_BACKEND;

/// The sum of as many ones.
struct Ones(usize);

impl BackendTask for Ones {
    type Output = f32;

    fn run<B: MpmBackend>(self, device: B::Device) -> f32 {
        let ones = Tensor::<B, 1>::ones([self.0], &device);
        ones.sum().into_scalar().elem()
    }
}

#[test]
fn a_device_without_room_is_an_error() {
    assert_eq!(TEST_BACKEND.run(Ones(1000)), Ok(1000.0));
    let error = TEST_BACKEND.run(Ones(1 << 40)).unwrap_err();
    assert!(matches!(error, BackendError::Failed { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains(TEST_BACKEND.name()), "{message}");
    assert!(message.contains("docs/memory.md"), "{message}");
}
