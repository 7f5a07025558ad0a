//! The element types of the fused operations: f32 and the half precisions.

use burn::{
    backend::flex::{FlexTensor, Layout},
    tensor::{Bytes, Element, Shape, bf16, f16},
};
use bytemuck::Pod;
use half::slice::HalfFloatSliceExt;

/// A matrix of f32 whose rows are `stride` elements apart.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub data: &'a [f32],
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// The first `width` elements of row `index`.
    #[inline(always)]
    pub fn row(&self, index: usize, width: usize) -> &'a [f32] {
        &self.data[index * self.stride..][..width]
    }
}

/// An element type that the fused operations can store. They compute in f32.
pub(super) trait Number: Element + Pod {
    /// Converts to f32; both slices have the same length.
    fn widen(source: &[Self], target: &mut [f32]);

    /// Rounds from f32; both slices have the same length.
    fn narrow(source: &[f32], target: &mut [Self]);

    /// The slice itself where it is f32.
    fn as_f32(_source: &[Self]) -> Option<&[f32]> {
        None
    }

    /// The slice itself where it is f32.
    fn as_f32_mut(_target: &mut [Self]) -> Option<&mut [f32]> {
        None
    }

    /// The slice itself where it is f16.
    fn as_f16(_source: &[Self]) -> Option<&[f16]> {
        None
    }

    /// A matrix of `rows` rows that are `stride` apart in `source`, as f32:
    /// `source` itself where it is f32, a copy in `buffer` where it is not.
    fn rows<'a>(
        source: &'a [Self],
        stride: usize,
        rows: usize,
        width: usize,
        buffer: &'a mut Vec<f32>,
    ) -> Rows<'a> {
        buffer.resize(rows * width, 0.0);
        for (i, target) in buffer.chunks_exact_mut(width).enumerate() {
            Self::widen(&source[i * stride..][..width], target);
        }
        Rows {
            data: buffer,
            stride: width,
        }
    }
}

impl Number for f32 {
    fn widen(source: &[Self], target: &mut [f32]) {
        target.copy_from_slice(source);
    }

    fn narrow(source: &[f32], target: &mut [Self]) {
        target.copy_from_slice(source);
    }

    fn as_f32(source: &[Self]) -> Option<&[f32]> {
        Some(source)
    }

    fn as_f32_mut(target: &mut [Self]) -> Option<&mut [f32]> {
        Some(target)
    }

    fn rows<'a>(
        source: &'a [Self],
        stride: usize,
        _rows: usize,
        _width: usize,
        _buffer: &'a mut Vec<f32>,
    ) -> Rows<'a> {
        Rows {
            data: source,
            stride,
        }
    }
}

macro_rules! half_number {
    ($half:ty $(, $as_half:item)?) => {
        impl Number for $half {
            fn widen(source: &[Self], target: &mut [f32]) {
                source.convert_to_f32_slice(target);
            }

            fn narrow(source: &[f32], target: &mut [Self]) {
                target.convert_from_f32_slice(source);
            }

            $($as_half)?
        }
    };
}

half_number!(bf16);
half_number!(
    f16,
    fn as_f16(source: &[Self]) -> Option<&[f16]> {
        Some(source)
    }
);

/// `x` itself where its elements are in row-major order without gaps, else a
/// copy of which that is true.
pub(super) fn dense(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() {
        x
    } else {
        x.to_contiguous()
    }
}

/// The elements of a [`dense`] tensor.
pub(super) fn elements<T: Element + Pod>(x: &FlexTensor) -> &[T] {
    let start = x.layout().start_offset();
    &x.storage::<T>()[start..start + x.layout().num_elements()]
}

/// A copy in f32.
pub(super) fn widened<T: Number>(source: &[T]) -> Vec<f32> {
    let mut target = vec![0.0; source.len()];
    T::widen(source, &mut target);
    target
}

/// A new tensor of the given elements.
pub(super) fn tensor<T: Number>(data: Vec<T>, shape: Shape) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(data),
        Layout::contiguous(shape),
        T::dtype(),
    )
}
