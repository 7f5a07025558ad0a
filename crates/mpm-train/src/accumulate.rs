//! One step's gradient, from one batch or several.

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{ElementConversion, backend::AutodiffBackend};

use crate::{DataSource, Objective, TrainError, gradient};

/// How many batches in a row may have nothing that counts before the run stops.
pub const MAX_UNCOUNTED_BATCHES: usize = 100;

/// The mean gradient of a step and what is reported with it.
pub(crate) struct StepGradient {
    /// Gradient of the mean loss over everything that counts in the step.
    pub gradients: GradientsParams,
    /// The mean loss itself.
    pub loss: f64,
    /// Number of targets that count.
    pub counted: usize,
    /// How many of them were right, where the objective tells.
    pub correct: Option<usize>,
    pub samples: usize,
    pub tokens: usize,
}

/// Runs forward and backward passes over the next `batches` batches and combines
/// their gradients.
///
/// The result is the gradient of one large batch: each batch's mean weighs as much
/// as it has targets that count. Batches where nothing counts are passed over and
/// others taken in their place. Fewer batches are used where the data end; `None`
/// where they had ended before.
pub(crate) fn step_gradient<B, O, S>(
    objective: &O,
    model: &O::Model,
    source: &mut S,
    batches: usize,
    step: usize,
) -> Result<Option<StepGradient>, TrainError>
where
    B: AutodiffBackend,
    O: Objective<B>,
    S: DataSource<Batch = O::Batch>,
{
    let mut accumulator = GradientsAccumulator::new();
    let mut total = Totals::default();
    let mut uncounted = 0;
    while total.batches < batches {
        let Some(batch) = source.next_batch().map_err(TrainError::Data)? else {
            break;
        };
        let output = objective
            .loss(model, batch)
            .map_err(|source| TrainError::Objective { step, source })?;
        if output.counted == 0 {
            uncounted += 1;
            if uncounted == MAX_UNCOUNTED_BATCHES {
                return Err(TrainError::NothingCounts {
                    batches: uncounted,
                    step,
                });
            }
            continue;
        }
        uncounted = 0;
        let value = output.loss.clone().into_scalar().elem::<f64>();
        if !value.is_finite() {
            return Err(TrainError::NonFinite {
                quantity: "loss",
                value,
                step,
            });
        }
        let correct = output
            .correct
            .map(|correct| correct.into_scalar().elem::<i64>() as usize);
        let weight = total.add(value, output.counted, correct);
        total.samples += output.samples;
        total.tokens += output.tokens;

        let loss = if weight == 1.0 {
            output.loss
        } else {
            output.loss.mul_scalar(weight)
        };
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        if gradients.is_empty() {
            return Err(TrainError::NoGradient { step });
        }
        accumulator.accumulate::<B>(model, gradients);
    }
    if total.batches == 0 {
        return Ok(None);
    }
    let mut gradients = accumulator.grads();
    gradient::scale::<B, _>(model, &mut gradients, total.scale());
    Ok(Some(StepGradient {
        gradients,
        loss: total.loss_sum / total.counted as f64,
        counted: total.counted,
        correct: total.correct,
        samples: total.samples,
        tokens: total.tokens,
    }))
}

#[derive(Default)]
struct Totals {
    batches: usize,
    loss_sum: f64,
    counted: usize,
    correct: Option<usize>,
    samples: usize,
    tokens: usize,
    /// `counted` of the first batch. Weights are relative to it, so that they stay
    /// near 1 and nothing overflows in half precision.
    first: usize,
}

impl Totals {
    /// Adds a batch and returns its weight relative to the first one.
    fn add(&mut self, loss: f64, counted: usize, correct: Option<usize>) -> f64 {
        if self.batches == 0 {
            self.first = counted;
        }
        self.batches += 1;
        self.loss_sum += loss * counted as f64;
        self.counted += counted;
        self.correct = match (self.correct, correct) {
            (Some(sum), Some(correct)) => Some(sum + correct),
            (sum, correct) => sum.or(correct),
        };
        counted as f64 / self.first as f64
    }

    /// From the sum of relative gradients to their mean.
    fn scale(&self) -> f64 {
        self.first as f64 / self.counted as f64
    }
}
