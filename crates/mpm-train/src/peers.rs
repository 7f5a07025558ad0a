//! Several workers that train one model, each with a part of the data.
//!
//! All hold the same parameters, take the sum of their gradients, and so make the same step
//! ("PyTorch Distributed: Experiences on Accelerating Data Parallel Training",
//! <https://arxiv.org/abs/2006.15704>, section 2). The first one writes the checkpoints.

use std::vec;

use burn::module::{AutodiffModule, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorData, TensorPrimitive};

use crate::accumulate::StepGradient;
use crate::{BoxError, TrainError, gradient};

/// How a worker reaches the others. All call the same method in the same order.
pub trait Peers<B: Backend>: Send + Sync {
    /// The number of this worker, from 0.
    fn rank(&self) -> usize;

    /// The number of workers.
    fn count(&self) -> usize;

    /// The sum of all workers' tensors, the same for all.
    ///
    /// # Errors
    /// When another worker cannot be reached.
    fn sum(&self, tensor: FloatTensor<B>) -> Result<FloatTensor<B>, BoxError>;
}

/// What each worker tells before a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// It has a gradient.
    Step,
    /// Its data have ended.
    End,
    /// It was told to stop.
    Cancel,
    /// It has met an error.
    Fail,
}

/// Sums of whole numbers and losses over all workers.
fn sum_values<B: Backend>(
    peers: &dyn Peers<B>,
    values: Vec<f32>,
    device: &B::Device,
) -> Result<Vec<f32>, TrainError> {
    let length = values.len();
    let tensor = Tensor::<B, 1>::from_data(TensorData::new(values, [length]), device);
    let sum = peers.sum(tensor.into_primitive().tensor());
    let sum = TensorPrimitive::Float(sum.map_err(TrainError::Peers)?);
    let data = Tensor::<B, 1>::from_primitive(sum).into_data();
    Ok(data.iter::<f32>().collect())
}

/// Tells the others what this worker is about to do, and returns what all do: the gravest of
/// their intents.
pub(crate) fn agree<B: Backend>(
    peers: &dyn Peers<B>,
    own: Intent,
    device: &B::Device,
) -> Result<Intent, TrainError> {
    let grave = [Intent::Fail, Intent::Cancel, Intent::End];
    let flags = grave.map(|intent| f32::from(u8::from(intent == own)));
    let sums = sum_values(peers, flags.to_vec(), device)?;
    let gravest = grave.into_iter().zip(sums).find(|(_, sum)| *sum > 0.0);
    Ok(gravest.map_or(Intent::Step, |(intent, _)| intent))
}

/// Tells the others, who wait for this worker unless they are done, that it has met an error of
/// its own.
pub(crate) fn report_failure<B: Backend>(
    peers: &dyn Peers<B>,
    error: &TrainError,
    device: &B::Device,
) {
    if matches!(error, TrainError::Peers(_) | TrainError::PeerFailed) {
        return;
    }
    if let Err(unheard) = agree(peers, Intent::Fail, device) {
        tracing::debug!(%unheard, "no other worker waits");
    }
}

/// Replaces the gradient of this worker's batches by that of all workers' batches together.
pub(crate) fn share_gradient<B, M>(
    peers: &dyn Peers<B::InnerBackend>,
    model: &M,
    own: &mut StepGradient,
    device: &B::Device,
) -> Result<(), TrainError>
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    let correct = own.correct.unwrap_or_default() as f32;
    let values = vec![
        own.loss as f32 * own.counted as f32,
        own.counted as f32,
        correct,
        own.samples as f32,
        own.tokens as f32,
    ];
    let sums = sum_values(peers, values, device)?;
    let [loss, counted, correct, samples, tokens] = sums[..] else {
        return Err(TrainError::Peers("a sum has another length".into()));
    };
    let share = own.counted as f64 / f64::from(counted);
    gradient::scale::<B, _>(model, &mut own.gradients, share);
    own.loss = f64::from(loss / counted);
    own.counted = counted as usize;
    own.correct = own.correct.map(|_| correct as usize);
    own.samples = samples as usize;
    own.tokens = tokens as usize;

    let own_parts = flat_gradients::<B, _>(model, &mut own.gradients);
    let sums = sum_parts(peers, own_parts)?;
    model.visit(&mut Registrar::<B> {
        parts: sums.into_iter(),
        gradients: &mut own.gradients,
    });
    Ok(())
}

/// The gradients of what trains, one after the other; zeros where a worker's batches did not
/// reach a parameter.
fn flat_gradients<B, M>(
    model: &M,
    gradients: &mut GradientsParams,
) -> Vec<Tensor<B::InnerBackend, 1>>
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    struct Collector<'a, B: AutodiffBackend> {
        gradients: &'a mut GradientsParams,
        parts: Vec<Tensor<B::InnerBackend, 1>>,
    }

    impl<B: AutodiffBackend> ModuleVisitor<B> for Collector<'_, B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if param.is_require_grad() {
                let own = self.gradients.remove::<B::InnerBackend, D>(param.id);
                let own = own.unwrap_or_else(|| param.val().inner().zeros_like());
                self.parts.push(own.flatten(0, D - 1));
            }
        }
    }

    let mut collector = Collector::<B> {
        gradients,
        parts: Vec::new(),
    };
    model.visit(&mut collector);
    collector.parts
}

/// Puts sums back into the gradients, in the order of the parameters.
struct Registrar<'a, B: AutodiffBackend> {
    parts: vec::IntoIter<Tensor<B::InnerBackend, 1>>,
    gradients: &'a mut GradientsParams,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Registrar<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if param.is_require_grad()
            && let Some(part) = self.parts.next()
        {
            let gradient: Tensor<B::InnerBackend, D> = part.reshape(param.val().shape());
            self.gradients.register(param.id, gradient);
        }
    }
}

/// Elements that are summed at a time: few messages, and little memory beside the gradients.
const BUCKET: usize = 8 << 20;

/// The sums of all workers' parts.
fn sum_parts<B: Backend>(
    peers: &dyn Peers<B>,
    parts: Vec<Tensor<B, 1>>,
) -> Result<Vec<Tensor<B, 1>>, TrainError> {
    let mut sums = Vec::with_capacity(parts.len());
    let mut parts = parts.into_iter().peekable();
    while parts.peek().is_some() {
        let mut bucket = Vec::new();
        let mut sizes = Vec::new();
        while let Some(part) = parts.next_if(|part| {
            let filled: usize = sizes.iter().sum();
            sizes.is_empty() || filled + part.dims()[0] <= BUCKET
        }) {
            sizes.push(part.dims()[0]);
            bucket.push(part);
        }
        let sum = peers.sum(Tensor::cat(bucket, 0).into_primitive().tensor());
        let sum = TensorPrimitive::Float(sum.map_err(TrainError::Peers)?);
        sums.extend(Tensor::<B, 1>::from_primitive(sum).split_with_sizes(sizes, 0));
    }
    Ok(sums)
}

/// The model with the first worker's parameters: each may have drawn others.
pub(crate) fn share_parameters<B, M>(
    peers: &dyn Peers<B::InnerBackend>,
    model: M,
) -> Result<M, TrainError>
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    struct Collector<B: AutodiffBackend> {
        is_first: bool,
        parts: Vec<Tensor<B::InnerBackend, 1>>,
    }

    impl<B: AutodiffBackend> ModuleVisitor<B> for Collector<B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if param.is_require_grad() {
                let own = param.val().inner().flatten(0, D - 1);
                self.parts.push(match self.is_first {
                    true => own,
                    false => own.zeros_like(),
                });
            }
        }
    }

    struct Replacer<B: AutodiffBackend>(vec::IntoIter<Tensor<B::InnerBackend, 1>>);

    impl<B: AutodiffBackend> ModuleMapper<B> for Replacer<B> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            if !param.is_require_grad() {
                return param;
            }
            match self.0.next() {
                Some(part) => param.map(|own| {
                    let first = part.reshape(own.shape());
                    Tensor::from_inner(first).require_grad()
                }),
                None => param,
            }
        }
    }

    // A sum of which all but the first worker's part is zero.
    let mut collector = Collector::<B> {
        is_first: peers.rank() == 0,
        parts: Vec::new(),
    };
    model.visit(&mut collector);
    let first = sum_parts(peers, collector.parts)?;
    Ok(model.map(&mut Replacer::<B>(first.into_iter())))
}

/// What each worker says, in the order of their ranks: sums of numbers of which only one is not
/// zero.
pub(crate) fn gather<B: Backend>(
    peers: &dyn Peers<B>,
    own: &str,
    device: &B::Device,
) -> Result<Vec<String>, TrainError> {
    let mut lengths = vec![0.0; peers.count()];
    lengths[peers.rank()] = own.len() as f32;
    let lengths = sum_values(peers, lengths, device)?;
    let lengths: Vec<usize> = lengths.into_iter().map(|length| length as usize).collect();
    let start: usize = lengths[..peers.rank()].iter().sum();
    let mut bytes = vec![0.0; lengths.iter().sum()];
    for (slot, byte) in bytes[start..].iter_mut().zip(own.bytes()) {
        *slot = f32::from(byte);
    }
    let bytes = sum_values(peers, bytes, device)?;
    let mut rest = bytes.into_iter().map(|byte| byte as u8);
    let texts = lengths.into_iter().map(|length| {
        let bytes: Vec<u8> = rest.by_ref().take(length).collect();
        String::from_utf8(bytes).map_err(|error| TrainError::Peers(error.into()))
    });
    texts.collect()
}
