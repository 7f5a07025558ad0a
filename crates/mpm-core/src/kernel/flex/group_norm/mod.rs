//! Group norm, plain or with SiLU, and its gradients, group by group in f32.

mod block;

use burn::{
    backend::flex::FlexTensor,
    tensor::{Shape, TensorMetadata},
};

use super::{
    math::dispatch,
    number::{Number, dense, elements, tensor, widened},
    output::{fill_and_collect, fill_one},
};
use crate::kernel::{GroupNormGrads, GroupNormOptions};
use block::{Backward, Channel, Forward, InputGradient, Moments, Sums};

/// Elements that are computed at a time, in f32 in the first-level cache.
const BLOCK: usize = 1024;

/// Elements per parallel task: enough to outweigh the cost of handing it over.
const TASK: usize = 16 * 1024;

pub(super) fn group_norm<T: Number>(
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    options: GroupNormOptions,
) -> FlexTensor {
    let x = dense(x);
    let shape = x.shape();
    let source = elements::<T>(&x);
    let norm = Norm::new::<T>(&shape, weight, bias, options);
    let Some(per_task) = norm.per_task() else {
        return tensor(Vec::<T>::new(), shape);
    };
    let output = fill_one(source.len(), per_task, |task, output| {
        let first = task * per_task / norm.size;
        for (i, output) in output.chunks_exact_mut(norm.size).enumerate() {
            let group = &source[(first + i) * norm.size..][..norm.size];
            norm.forward::<T>(first + i, group, output);
        }
    });
    tensor(output, shape)
}

pub(super) fn group_norm_backward<T: Number>(
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    options: GroupNormOptions,
    grad: FlexTensor,
) -> GroupNormGrads<FlexTensor> {
    let (x, grad) = (dense(x), dense(grad));
    let shape = x.shape();
    let (xs, grads) = (elements::<T>(&x), elements::<T>(&grad));
    let norm = Norm::new::<T>(&shape, weight, bias, options);
    let channels = norm.weights.len();
    let mut weight_grad = vec![0.0; channels];
    let mut bias_grad = vec![0.0; channels];
    let mut x_grad = Vec::new();
    if let Some(per_task) = norm.per_task() {
        let ([output], sums) = fill_and_collect(xs.len(), per_task, |task, [output]| {
            let first = task * per_task / norm.size;
            let groups = output.chunks_exact_mut(norm.size).enumerate();
            let sums = groups.flat_map(|(i, output)| {
                let start = (first + i) * norm.size;
                let [x, grad] = [xs, grads].map(|input| &input[start..][..norm.size]);
                norm.backward::<T>(first + i, x, grad, output)
            });
            sums.collect::<Vec<_>>()
        });
        x_grad = output;
        for (i, sums) in sums.into_iter().flatten().enumerate() {
            bias_grad[i % channels] += sums.grad;
            weight_grad[i % channels] += sums.product;
        }
    }
    let narrow = |wide: Vec<f32>| {
        let mut narrow = vec![T::zeroed(); channels];
        T::narrow(&wide, &mut narrow);
        tensor(narrow, Shape::new([channels]))
    };
    GroupNormGrads {
        x: tensor(x_grad, shape),
        weight: narrow(weight_grad),
        bias: narrow(bias_grad),
    }
}

/// The norm of a whole batch.
struct Norm {
    weights: Vec<f32>,
    biases: Vec<f32>,
    options: GroupNormOptions,
    /// Elements of a channel of a picture.
    area: usize,
    /// Elements of a group.
    size: usize,
}

impl Norm {
    fn new<T: Number>(
        shape: &Shape,
        weight: FlexTensor,
        bias: FlexTensor,
        options: GroupNormOptions,
    ) -> Self {
        let [_, channels, height, width] = shape.dims();
        Self {
            weights: widened(elements::<T>(&dense(weight))),
            biases: widened(elements::<T>(&dense(bias))),
            options,
            area: height * width,
            size: channels / options.groups * height * width,
        }
    }

    /// Elements per parallel task, whole groups; `None` where groups are empty.
    fn per_task(&self) -> Option<usize> {
        (self.size > 0).then(|| TASK.div_ceil(self.size) * self.size)
    }

    /// The channels of a group `x`, which is the `group`-th of the batch.
    fn channels<T: Number>(&self, group: usize, x: &[T]) -> impl Iterator<Item = Channel> {
        let Moments { mean, inverse } = Moments::of(x, self.options.epsilon);
        let count = self.size / self.area;
        let first = group % self.options.groups * count;
        (first..first + count).map(move |channel| Channel {
            mean,
            inverse,
            weight: self.weights[channel],
            bias: self.biases[channel],
            activation: self.options.activation,
        })
    }

    fn forward<T: Number>(&self, group: usize, x: &[T], output: &mut [T]) {
        let places = x.chunks(self.area).zip(output.chunks_mut(self.area));
        for (channel, (x, output)) in self.channels(group, x).zip(places) {
            match (T::as_f32(x), T::as_f32_mut(output)) {
                (Some(x), Some(output)) => dispatch(Forward { x, output, channel }),
                _ => forward_in_blocks(channel, x, output),
            }
        }
    }

    /// Writes the gradient of a group and returns the sums over each of its channels.
    fn backward<T: Number>(
        &self,
        group: usize,
        x: &[T],
        grad: &[T],
        output: &mut [T],
    ) -> Vec<Sums> {
        let channels: Vec<_> = self.channels(group, x).collect();
        let mut buffers = [[0.0; BLOCK]; 2];
        let inputs = x.chunks(self.area).zip(grad.chunks(self.area));
        let mut sums = Vec::with_capacity(channels.len());
        for (&channel, (x, grad)) in channels.iter().zip(inputs.clone()) {
            let mut total = Sums::default();
            for (x, grad) in x.chunks(BLOCK).zip(grad.chunks(BLOCK)) {
                let [x, grad] = load(&mut buffers, x, grad);
                let sums = dispatch(Backward { x, grad, channel });
                total.grad += sums.grad;
                total.product += sums.product;
            }
            sums.push(total);
        }
        let mut mean = Sums::default();
        for (channel, sums) in channels.iter().zip(&sums) {
            mean.grad += channel.weight * sums.grad / self.size as f32;
            mean.product += channel.weight * sums.product / self.size as f32;
        }
        let outputs = output.chunks_mut(self.area);
        for ((&channel, (x, grad)), output) in channels.iter().zip(inputs).zip(outputs) {
            let inputs = x.chunks(BLOCK).zip(grad.chunks(BLOCK));
            for ((x, grad), output) in inputs.zip(output.chunks_mut(BLOCK)) {
                let [x, grad] = load(&mut buffers, x, grad);
                dispatch(Backward {
                    x: &mut *x,
                    grad: &mut *grad,
                    channel,
                });
                dispatch(InputGradient {
                    x: &mut *x,
                    grad,
                    channel,
                    mean,
                });
                T::narrow(x, output);
            }
        }
        sums
    }
}

fn forward_in_blocks<T: Number>(channel: Channel, x: &[T], output: &mut [T]) {
    let mut buffers = [[0.0; BLOCK]; 2];
    for (x, target) in x.chunks(BLOCK).zip(output.chunks_mut(BLOCK)) {
        let [wide, output] = buffers.each_mut().map(|buffer| &mut buffer[..x.len()]);
        T::widen(x, wide);
        dispatch(Forward {
            x: wide,
            output: &mut *output,
            channel,
        });
        T::narrow(output, target);
    }
}

/// Blocks of the input and of the output's gradient, in f32.
fn load<'a, T: Number>(
    [x_buffer, grad_buffer]: &'a mut [[f32; BLOCK]; 2],
    x: &[T],
    grad: &[T],
) -> [&'a mut [f32]; 2] {
    let buffers = [&mut x_buffer[..x.len()], &mut grad_buffer[..x.len()]];
    let [x_buffer, grad_buffer] = buffers;
    T::widen(x, x_buffer);
    T::widen(grad, grad_buffer);
    [x_buffer, grad_buffer]
}
