//! What the launches of all kernels share.

use burn::tensor::{DType, Shape};
use burn_cubecl::{CubeRuntime, ops::numeric::empty_device_contiguous_dtype, tensor::CubeTensor};
use cubecl::{CubeCount, CubeDim, client::ComputeClient, features::Plane, prelude::AddressType};

/// Planes in a cube whose lanes work together.
pub(super) const PLANES: u32 = 8;

/// Lanes of a plane, where all planes of a device have as many and can add them up.
pub(super) fn plane_size<R: CubeRuntime>(client: &ComputeClient<R>) -> Option<u32> {
    let properties = client.properties();
    let hardware = &properties.hardware;
    let (least, most) = (hardware.plane_size_min, hardware.plane_size_max);
    let adds = properties.features.plane.contains(Plane::Ops);
    let fits = most * PLANES <= hardware.max_units_per_cube;
    (adds && fits && least == most && most > 1).then_some(most)
}

/// A cube whose planes are its rows.
pub(super) fn cube_of_planes(plane_size: u32) -> CubeDim {
    CubeDim::new_2d(plane_size, PLANES)
}

/// At least `count` cubes, in a grid that the device can have.
pub(super) fn cubes<R: CubeRuntime>(client: &ComputeClient<R>, count: usize) -> CubeCount {
    // one unit a cube, so that units are cubes
    cubecl::calculate_cube_count_elemwise(client, count, CubeDim::new_single())
}

/// An uninitialized dense tensor beside `like`.
pub(super) fn empty<R: CubeRuntime>(
    like: &CubeTensor<R>,
    shape: impl Into<Shape>,
    dtype: DType,
) -> CubeTensor<R> {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), dtype)
}

/// The size of indices that reaches all elements of these tensors.
pub(super) fn address_type<R: CubeRuntime>(tensors: &[&CubeTensor<R>]) -> AddressType {
    let sizes = tensors.iter().map(|tensor| tensor.required_address_type());
    sizes.max().unwrap_or_default()
}

/// The longest vector that the device loads at once and that divides `count` values.
pub(super) fn vector_size<R: CubeRuntime>(tensor: &CubeTensor<R>, count: usize) -> usize {
    let sizes = tensor.client.io_optimized_vector_sizes(tensor.dtype.size());
    let fitting = sizes.filter(|size| count.is_multiple_of(*size));
    fitting.max().unwrap_or(1)
}
