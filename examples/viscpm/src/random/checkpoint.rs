//! Writing a checkpoint, tensor by tensor.

use std::{borrow::Cow, ffi::OsStr, fs::File, io, path::Path};

use mpm_core::atomic;
use safetensors::{Dtype, View, tensor::serialize_to_file};
use viscpm_common::cli::{BoxError, note};

use super::{Shapes, pickle, torch_zip, values::Bytes};
use crate::args::RandomDtype;

/// Finds out whether a file of these tensors may be written, and whether there is room for it.
pub fn check(
    shapes: &Shapes,
    path: &Path,
    dtype: RandomDtype,
    force: bool,
) -> Result<(), BoxError> {
    if path.exists() && !force {
        return Err(format!(
            "{}: the file is there already; name another one, or overwrite it with --force",
            path.display()
        )
        .into());
    }
    let bytes = values(shapes) * dtype.bytes();
    let probed = atomic::probe(path, bytes as u64);
    Ok(probed.map_err(|error| format!("{}: {error}", path.display()))?)
}

/// The number of values of all tensors.
fn values(shapes: &Shapes) -> usize {
    let shapes = shapes.values();
    shapes.map(|shape| shape.iter().product::<usize>()).sum()
}

/// Writes random tensors of these names and shapes, as safetensors if the file is called so and
/// otherwise as `torch.save` does.
pub fn write(shapes: &Shapes, path: &Path, dtype: RandomDtype, seed: u64) -> Result<(), BoxError> {
    let tensors = shapes.iter().enumerate();
    let tensors = tensors.map(|(index, (name, shape))| Tensor {
        name,
        shape,
        dtype,
        seed,
        index,
    });
    let written = atomic::write(path, |temporary| match path.extension() {
        Some(extension) if extension == OsStr::new("safetensors") => {
            let named = tensors.map(|tensor| (tensor.name, tensor));
            serialize_to_file(named, None, temporary).map_err(io::Error::other)
        }
        _ => torch_zip::write(
            File::create(temporary)?,
            &pickle::state_dict(shapes, dtype),
            tensors.map(|tensor| tensor.bytes()),
        ),
    });
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    note(&format!(
        "{}: {} tensors, {:.3} billion values\n",
        path.display(),
        shapes.len(),
        values(shapes) as f64 / 1e9
    ));
    Ok(())
}

struct Tensor<'a> {
    name: &'a str,
    shape: &'a [usize],
    dtype: RandomDtype,
    seed: u64,
    index: usize,
}

impl Tensor<'_> {
    fn bytes(&self) -> Bytes {
        Bytes::new(self.name, self.shape, self.dtype, self.seed, self.index)
    }
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        match self.dtype {
            RandomDtype::F32 => Dtype::F32,
            RandomDtype::F16 => Dtype::F16,
        }
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.bytes().flatten().collect())
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bytes()
    }
}
