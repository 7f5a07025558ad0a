//! Writing into a part of a tensor without copying the rest.

use burn::{
    backend::{
        Flex,
        flex::{FlexTensor, Layout},
    },
    tensor::TensorMetadata,
};
use std::ops::Range;

use super::{super::composed, number::Number};

/// Burn's CPU backend copies the whole buffer first, even if nobody else holds it: a cache
/// of keys and values for every token that is written into it.
pub(super) fn assign<T: Number>(
    mut buffer: FlexTensor,
    window: &[Range<usize>],
    new: FlexTensor,
) -> FlexTensor {
    let new = match Strides::of(new.layout()) {
        Some(_) => new,
        None => new.to_contiguous(),
    };
    let target = Strides::of(buffer.layout());
    let target = target.filter(|target| target.are_distinct(buffer.layout().shape()));
    let (Some(target), Some(source)) = (target, Strides::of(new.layout())) else {
        return composed::assign::<Flex>(buffer, window, new);
    };
    let shape = new.shape();
    let (outer, width) = (&shape[..shape.num_dims() - 1], shape[shape.num_dims() - 1]);
    let Some(data) = buffer.try_storage_mut::<T>() else {
        return composed::assign::<Flex>(buffer, window, new);
    };
    let first: Vec<_> = window.iter().map(|range| range.start).collect();
    let first = target.offset(&first);
    let new = new.storage::<T>();
    let mut index = vec![0; outer.len()];
    for _ in 0..outer.iter().product() {
        // relative to the window's corner, so without the buffer's own offset
        let at = first + target.offset(&index) - target.start;
        data[at..at + width].copy_from_slice(&new[source.offset(&index)..][..width]);
        advance(&mut index, outer);
    }
    buffer
}

/// The next index in row-major order.
fn advance(index: &mut [usize], shape: &[usize]) {
    for (i, &size) in index.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < size {
            return;
        }
        *i = 0;
    }
}

/// The layout of a tensor whose rows are without gaps.
struct Strides {
    start: usize,
    strides: Vec<usize>,
}

impl Strides {
    fn of(layout: &Layout) -> Option<Self> {
        let strides = layout.strides().iter();
        let strides = strides.map(|&stride| stride.try_into().ok());
        let strides: Vec<usize> = strides.collect::<Option<_>>()?;
        (strides.last() == Some(&1)).then(|| Self {
            start: layout.start_offset(),
            strides,
        })
    }

    /// Whether all indices of a shape lead to elements of their own, as those of a broadcast
    /// tensor do not: a step of each dimension leads beyond all that the dimensions of smaller
    /// steps reach together.
    fn are_distinct(&self, shape: &[usize]) -> bool {
        let steps = self.strides.iter().copied().zip(shape.iter().copied());
        let mut steps: Vec<_> = steps.filter(|&(_, size)| size > 1).collect();
        steps.sort_unstable();
        let mut reach = 0;
        steps.into_iter().all(|(stride, size)| {
            let is_beyond = stride > reach;
            reach += stride * (size - 1);
            is_beyond
        })
    }

    /// Of the element at an index, whose missing dimensions are 0.
    fn offset(&self, index: &[usize]) -> usize {
        let products = index
            .iter()
            .zip(&self.strides)
            .map(|(i, stride)| i * stride);
        self.start + products.sum::<usize>()
    }
}
