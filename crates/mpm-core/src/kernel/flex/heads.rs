//! Views of the operands of attention, head by head.

use burn::{
    backend::flex::FlexTensor,
    tensor::{Element, TensorMetadata},
};
use bytemuck::Pod;
use std::ops::Range;

use super::number::{Number, Rows};

/// Score rows are filled up to a multiple of this, with scores of minus
/// infinity: the widest vector that is ever used.
const VECTOR: usize = 16;

/// The length that a row of `len` scores takes in memory.
pub(super) fn padded(len: usize) -> usize {
    len.next_multiple_of(VECTOR)
}

/// A `[batch, heads, len, width]` tensor whose rows are without gaps; everything
/// else about its layout is free, so permuted and expanded views are not copied.
pub(super) struct Heads {
    tensor: FlexTensor,
    offset: usize,
    strides: [usize; 4],
}

impl Heads {
    pub fn new(tensor: FlexTensor) -> Self {
        let strides = tensor.layout().strides();
        let usable = strides[3] == 1 && strides.iter().all(|&stride| stride >= 0);
        let tensor = if usable {
            tensor
        } else {
            tensor.to_contiguous()
        };
        Self {
            offset: tensor.layout().start_offset(),
            strides: std::array::from_fn(|i| tensor.layout().strides()[i] as usize),
            tensor,
        }
    }

    /// Some rows of one head, as f32.
    pub fn rows<'a, T: Number>(
        &'a self,
        [batch, head]: [usize; 2],
        rows: Range<usize>,
        buffer: &'a mut Vec<f32>,
    ) -> Rows<'a> {
        let [batch_stride, head_stride, stride, _] = self.strides;
        let start = batch * batch_stride + head * head_stride + rows.start * stride;
        let source = &self.tensor.storage::<T>()[self.offset + start..];
        T::rows(source, stride, rows.len(), self.width(), buffer)
    }

    /// Some rows of one head, multiplied by `scale`.
    pub fn scaled<'a, T: Number>(
        &self,
        head: [usize; 2],
        rows: Range<usize>,
        scale: f32,
        buffer: &'a mut Vec<f32>,
    ) -> Rows<'a> {
        let (count, width) = (rows.len(), self.width());
        let mut wide = Vec::new();
        let source = self.rows::<T>(head, rows, &mut wide);
        buffer.clear();
        for row in 0..count {
            buffer.extend(source.row(row, width).iter().map(|x| x * scale));
        }
        Rows {
            data: buffer,
            stride: width,
        }
    }

    fn width(&self) -> usize {
        self.tensor.shape()[3]
    }
}

/// What is added to the scores: a bias, and minus infinity where a key is hidden.
pub(super) struct Additions {
    bias: Option<Broadcast>,
    hidden: Option<Broadcast>,
}

impl Additions {
    /// `scores` is the shape to which both are broadcast.
    pub fn new<T: Number>(
        bias: Option<FlexTensor>,
        hidden: Option<FlexTensor>,
        scores: [usize; 4],
    ) -> Self {
        Self {
            bias: bias.map(|bias| Broadcast::new(bias, scores)),
            hidden: hidden.map(|hidden| Broadcast::new(hidden, scores)),
        }
    }

    /// Adds to the scores of some keys; the rest of the row becomes minus infinity.
    pub fn apply<T: Number>(
        &self,
        row: [usize; 3],
        keys: Range<usize>,
        scores: &mut [f32],
        buffer: &mut Vec<f32>,
    ) {
        let (scores, rest) = scores.split_at_mut(keys.len());
        rest.fill(f32::NEG_INFINITY);
        if let Some(bias) = &self.bias {
            match bias.row::<T>(row, keys.clone()) {
                Row::Dense(bias) => {
                    buffer.resize(bias.len(), 0.0);
                    T::widen(bias, buffer);
                    for (score, bias) in scores.iter_mut().zip(&*buffer) {
                        *score += bias;
                    }
                }
                Row::Same(bias) => {
                    let bias: f32 = bias.elem();
                    scores.iter_mut().for_each(|score| *score += bias);
                }
            }
        }
        if let Some(hidden) = &self.hidden {
            match hidden.row::<u8>(row, keys) {
                Row::Dense(hidden) => {
                    for (score, &hidden) in scores.iter_mut().zip(hidden) {
                        *score = if hidden != 0 {
                            f32::NEG_INFINITY
                        } else {
                            *score
                        };
                    }
                }
                Row::Same(0) => {}
                Row::Same(_) => scores.fill(f32::NEG_INFINITY),
            }
        }
    }
}

/// A tensor that is broadcast to the shape of the scores without a copy.
pub(super) struct Broadcast {
    tensor: FlexTensor,
    offset: usize,
    /// 0 in the directions in which the tensor is broadcast.
    strides: [usize; 4],
}

/// One row of a [`Broadcast`].
pub(super) enum Row<'a, T> {
    Dense(&'a [T]),
    /// One value for all keys.
    Same(T),
}

impl Broadcast {
    pub fn new(tensor: FlexTensor, scores: [usize; 4]) -> Self {
        let layout = tensor.layout();
        let usable = matches!(layout.strides()[3], 0 | 1)
            && layout.strides().iter().all(|&stride| stride >= 0);
        let tensor = if usable {
            tensor
        } else {
            tensor.to_contiguous()
        };
        let dims: [usize; 4] = tensor.shape().dims();
        let strides = std::array::from_fn(|i| {
            assert!(
                dims[i] == scores[i] || dims[i] == 1,
                "a bias or mask of shape {dims:?} does not broadcast to scores of shape {scores:?}"
            );
            if dims[i] == 1 {
                0
            } else {
                tensor.layout().strides()[i] as usize
            }
        });
        Self {
            offset: tensor.layout().start_offset(),
            strides,
            tensor,
        }
    }

    /// The values for the row `[batch, head, query]` and some keys.
    fn row<T: Element + Pod>(&self, row: [usize; 3], keys: Range<usize>) -> Row<'_, T> {
        let storage = self.tensor.storage::<T>();
        let outer: usize = row
            .iter()
            .zip(self.strides)
            .map(|(i, stride)| i * stride)
            .sum();
        let start = self.offset + outer;
        if self.strides[3] == 0 {
            Row::Same(storage[start])
        } else {
            Row::Dense(&storage[start + keys.start..start + keys.end])
        }
    }
}
