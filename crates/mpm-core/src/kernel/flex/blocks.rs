//! Element by element, in blocks that stay in the first-level cache.

use burn::{backend::flex::FlexTensor, tensor::TensorMetadata};
use rayon::prelude::*;

use super::{
    number::{Number, dense, elements, tensor},
    output::fill,
};

/// Elements that are computed at a time, in f32 in the first-level cache.
const BLOCK: usize = 512;

/// Elements per parallel task: enough to outweigh the cost of handing it over.
const TASK: usize = 32 * BLOCK;

/// Runs `f` on blocks of `x` in f32, which are replaced by the output: in the tensor itself
/// if nobody else holds it.
pub(super) fn map_blocks<T: Number>(x: FlexTensor, f: impl Fn(&mut [f32]) + Sync) -> FlexTensor {
    let mut x = dense(x);
    let shape = x.shape();
    let whole = x.storage::<T>().len() == shape.num_elements();
    if let Some(data) = x.try_storage_mut::<T>().filter(|_| whole) {
        data.par_chunks_mut(TASK).for_each(|task| {
            for block in task.chunks_mut(BLOCK) {
                let mut x = [0.0; BLOCK];
                let x = &mut x[..block.len()];
                T::widen(block, x);
                f(x);
                T::narrow(x, block);
            }
        });
        return x;
    }
    let [output] = by_blocks([elements::<T>(&x)], |[x]| f(x));
    tensor(output, shape)
}

/// Runs `f` on blocks of the inputs in f32; the first of them are replaced by
/// the outputs.
pub(super) fn by_blocks<T: Number, const IN: usize, const OUT: usize>(
    inputs: [&[T]; IN],
    f: impl Fn([&mut [f32]; IN]) + Sync,
) -> [Vec<T>; OUT] {
    fill(inputs[0].len(), TASK, |task, mut outputs| {
        let size = outputs[0].len();
        let mut buffers = [[0.0; BLOCK]; IN];
        for start in (0..size).step_by(BLOCK) {
            let block = start..size.min(start + BLOCK);
            for (buffer, input) in buffers.iter_mut().zip(inputs) {
                let source = &input[task * TASK..][block.clone()];
                T::widen(source, &mut buffer[..block.len()]);
            }
            f(buffers.each_mut().map(|buffer| &mut buffer[..block.len()]));
            for (output, buffer) in outputs.iter_mut().zip(&buffers) {
                T::narrow(&buffer[..block.len()], &mut output[block.clone()]);
            }
        }
    })
}
