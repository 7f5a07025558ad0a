//! From a model and a batch to a loss.

use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Int, Tensor, TensorData};
use mpm_core::{MpmBackend, kernel::cross_entropy};

use crate::{BoxError, TrainError};

/// The target of a position that does not count, as in PyTorch's cross entropy.
pub const IGNORED_TARGET: i64 = -100;

/// What is minimised: a model's loss on a batch.
///
/// The trainer may compute the losses of several batches at the same time.
pub trait Objective<B: AutodiffBackend>: Sync {
    /// The model that trains.
    type Model: AutodiffModule<B> + 'static;
    /// What a data source delivers for one forward pass.
    type Batch: Send;

    /// The mean loss of a batch.
    ///
    /// # Errors
    /// Any error stops the run; the trainer adds the step to it.
    fn loss(&self, model: &Self::Model, batch: Self::Batch) -> Result<LossOutput<B>, BoxError>;
}

/// The loss of a batch and what is reported with it.
#[derive(Debug, Clone)]
pub struct LossOutput<B: Backend> {
    /// Mean over everything that counts, `[1]`, in f32.
    pub loss: Tensor<B, 1>,
    /// Over how many things (tokens, pictures) the mean was taken: the weight of
    /// this batch among the batches whose gradients are accumulated.
    pub counted: usize,
    /// How many of them were predicted right, `[1]`; `None` where that has no
    /// meaning.
    pub correct: Option<Tensor<B, 1, Int>>,
    /// Number of samples, for the report of speed.
    pub samples: usize,
    /// Number of positions processed, for the report of speed.
    pub tokens: usize,
}

/// The targets of a batch of sequences, reduced to the positions that count.
///
/// In instruction data most positions are ignored. A model that selects the
/// states of the counted positions ([`select`](Self::select)) before it projects
/// them onto the vocabulary saves most of the time and memory of that projection.
#[derive(Debug, Clone)]
pub struct CountedTargets<B: Backend> {
    /// Index of each counted position in the flattened `[batch · seq]`.
    rows: Tensor<B, 1, Int>,
    /// The class of each counted position.
    classes: Tensor<B, 1, Int>,
    shape: [usize; 2],
    counted: usize,
    /// The largest class, 0 where nothing counts.
    largest: i64,
}

impl<B: Backend> CountedTargets<B> {
    /// Takes the targets in row-major order, [`IGNORED_TARGET`] where a position
    /// does not count.
    ///
    /// # Errors
    /// [`TrainError::TargetShape`] when `targets` has not `batch · seq` values;
    /// [`TrainError::TargetNegative`] for a negative class other than the ignored one.
    pub fn new(targets: &[i64], shape: [usize; 2], device: &B::Device) -> Result<Self, TrainError> {
        let [batch, seq] = shape;
        if targets.len() != batch * seq {
            return Err(TrainError::TargetShape {
                logits: vec![targets.len()],
                targets: shape,
            });
        }
        let mut rows = Vec::new();
        let mut kept = Vec::new();
        let mut largest = 0;
        for (row, &target) in targets.iter().enumerate() {
            if target == IGNORED_TARGET {
                continue;
            }
            if target < 0 {
                return Err(TrainError::TargetNegative { target });
            }
            largest = largest.max(target);
            rows.push(row as i64);
            kept.push(target);
        }
        let counted = rows.len();
        Ok(Self {
            rows: Tensor::from_data(TensorData::new(rows, [counted]), device),
            classes: Tensor::from_data(TensorData::new(kept, [counted]), device),
            shape,
            counted,
            largest,
        })
    }

    /// Reads the targets `[batch, seq]` back from their device.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_tensor(targets: Tensor<B, 2, Int>) -> Result<Self, TrainError> {
        let device = targets.device();
        let shape = targets.dims();
        let values: Vec<i64> = targets.into_data().iter::<i64>().collect();
        Self::new(&values, shape, &device)
    }

    /// Number of positions that count.
    pub fn counted(&self) -> usize {
        self.counted
    }

    /// Selects the positions that count.
    ///
    /// # Shapes
    /// - states: `[batch, seq, width]`
    /// - output: `[counted, width]`
    ///
    /// # Errors
    /// [`TrainError::TargetShape`] when the states are not those of the targets.
    pub fn select(&self, states: Tensor<B, 3>) -> Result<Tensor<B, 2>, TrainError> {
        let [batch, seq, width] = states.dims();
        if [batch, seq] != self.shape {
            return Err(TrainError::TargetShape {
                logits: vec![batch, seq, width],
                targets: self.shape,
            });
        }
        let flat: Tensor<B, 2> = states.reshape([batch * seq, width]);
        Ok(flat.select(0, self.rows.clone()))
    }
}

impl<B: MpmBackend> CountedTargets<B> {
    /// Mean cross entropy of the counted positions.
    ///
    /// Computed in f32 whatever the dtype of the logits. Where nothing counts the
    /// loss is a constant zero and `counted` is 0, so that the batch has no
    /// weight.
    ///
    /// # Shapes
    /// - logits: `[counted, vocab]`, of the positions chosen by
    ///   [`select`](Self::select)
    ///
    /// # Errors
    /// [`TrainError::TargetShape`] when the number of rows is not `counted`;
    /// [`TrainError::TargetRange`] when a target is not below `vocab`.
    pub fn cross_entropy(&self, logits: Tensor<B, 2>) -> Result<LossOutput<B>, TrainError> {
        let [rows, vocab] = logits.dims();
        if rows != self.counted {
            return Err(TrainError::TargetShape {
                logits: vec![rows, vocab],
                targets: self.shape,
            });
        }
        if self.counted > 0 && self.largest >= vocab as i64 {
            return Err(TrainError::TargetRange {
                target: self.largest,
                classes: vocab,
            });
        }
        let [batch, seq] = self.shape;
        let (loss, correct) = if self.counted == 0 {
            let device = logits.device();
            (Tensor::zeros([1], &device), Tensor::zeros([1], &device))
        } else {
            let answers = logits.clone().argmax(1).squeeze_dim::<1>(1);
            let hits = answers.equal(self.classes.clone());
            let losses = cross_entropy(logits, self.classes.clone());
            (losses.mean().cast(DType::F32), hits.int().sum())
        };
        Ok(LossOutput {
            loss,
            counted: self.counted,
            correct: Some(correct),
            samples: batch,
            tokens: batch * seq,
        })
    }
}

/// The language-model objective: mean cross entropy over the targets that are not
/// [`IGNORED_TARGET`].
///
/// Only the rows that count enter the softmax. Where nothing counts the loss is a
/// constant zero with `counted` 0.
///
/// # Shapes
/// - logits: `[batch, seq, vocab]`
/// - targets: `[batch, seq]`, each the class of the same position's logits (so
///   already shifted)
///
/// # Errors
/// [`TrainError::TargetShape`], [`TrainError::TargetRange`] and
/// [`TrainError::TargetNegative`] when targets and logits do not fit each other.
pub fn language_model_loss<B: MpmBackend>(
    logits: Tensor<B, 3>,
    targets: Tensor<B, 2, Int>,
) -> Result<LossOutput<B>, TrainError> {
    let targets = CountedTargets::from_tensor(targets)?;
    let rows = targets.select(logits)?;
    targets.cross_entropy(rows)
}
