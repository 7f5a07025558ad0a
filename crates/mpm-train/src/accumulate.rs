//! One step's gradient, from one batch or several.

use burn::module::AutodiffModule;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{ElementConversion, backend::AutodiffBackend};

use crate::workers::Workers;
use crate::{DataSource, Objective, TrainError, gradient, leaves};

/// How many batches in a row may have nothing that counts before the run stops.
pub const MAX_UNCOUNTED_BATCHES: usize = 100;

/// The mean gradient of a step, or of one of its batches, and what is reported
/// with it.
pub(crate) struct StepGradient {
    /// Gradient of the mean loss over everything that counts.
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

/// How the batches of a step are worked off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepPlan {
    /// Number of batches that make the step.
    pub batches: usize,
    /// By how much the loss is scaled; `None` where the gradient is in full precision.
    pub scale: Option<f64>,
    /// The step, counted from 1, for errors.
    pub step: usize,
}

/// Runs forward and backward passes over the next batches and combines their
/// gradients.
///
/// The result is the gradient of one large batch: each batch's mean weighs as much
/// as it has targets that count. Batches where nothing counts are passed over and
/// others taken in their place. Fewer batches are used where the data end; `None`
/// where they had ended before.
pub(crate) fn step_gradient<B, O, S>(
    objective: &O,
    model: &O::Model,
    source: &mut S,
    workers: &Workers,
    plan: StepPlan,
) -> Result<Option<StepGradient>, TrainError>
where
    B: AutodiffBackend,
    O: Objective<B>,
    S: DataSource<Batch = O::Batch>,
{
    let StepPlan { batches, step, .. } = plan;
    let mut accumulator = GradientsAccumulator::new();
    let mut total = Totals::default();
    let mut uncounted = 0;
    let mut ended = false;
    while total.batches < batches && !ended {
        let mut wave = Vec::new();
        while wave.len() < workers.count().min(batches - total.batches) && !ended {
            match source.next_batch().map_err(TrainError::Data)? {
                Some(batch) => wave.push(batch),
                None => ended = true,
            }
        }
        // In the order of the batches, whoever was ready first: sums of floating-point
        // numbers depend on it.
        for result in batch_gradients(objective, model, wave, workers, plan) {
            let Some(mut batch) = result? else {
                uncounted += 1;
                if uncounted == MAX_UNCOUNTED_BATCHES {
                    return Err(TrainError::NothingCounts {
                        batches: uncounted,
                        step,
                    });
                }
                continue;
            };
            uncounted = 0;
            let weight = total.add(&batch);
            gradient::scale::<B, _>(model, &mut batch.gradients, weight);
            accumulator.accumulate::<B>(model, batch.gradients);
        }
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

/// The gradients of several batches, in their order: each by a worker of its own
/// where there is more than one.
fn batch_gradients<B, O>(
    objective: &O,
    model: &O::Model,
    batches: Vec<O::Batch>,
    workers: &Workers,
    plan: StepPlan,
) -> Vec<Result<Option<StepGradient>, TrainError>>
where
    B: AutodiffBackend,
    O: Objective<B>,
{
    if batches.len() < 2 {
        let alone = |batch| batch_gradient(objective, model, batch, plan);
        return batches.into_iter().map(alone).collect();
    }
    let own = |batch| {
        // With leaves of its own: the graphs of one model's clones are one
        // graph to Burn, and its passes would wait for each other. `fork` would
        // leave a node behind in the graph of every parameter that never gets a
        // gradient, step after step.
        (O::Model::from_inner(model.valid()), batch)
    };
    let batches: Vec<_> = batches.into_iter().map(own).collect();
    workers.map(batches, |(model, batch)| {
        batch_gradient(objective, &model, batch, plan)
    })
}

/// The gradient of one batch's mean loss; `None` where nothing counts.
fn batch_gradient<B, O>(
    objective: &O,
    model: &O::Model,
    batch: O::Batch,
    plan: StepPlan,
) -> Result<Option<StepGradient>, TrainError>
where
    B: AutodiffBackend,
    O: Objective<B>,
{
    let StepPlan { scale, step, .. } = plan;
    leaves::join(model);
    let output = objective
        .loss(model, batch)
        .map_err(|source| TrainError::Objective { step, source })?;
    if output.counted == 0 {
        return Ok(None);
    }
    let loss = output.loss.clone().into_scalar().elem::<f64>();
    if !loss.is_finite() {
        return Err(TrainError::NonFinite {
            quantity: "loss",
            value: loss,
            step,
        });
    }
    let correct = output
        .correct
        .map(|correct| correct.into_scalar().elem::<i64>() as usize);
    let scaled = output.loss.mul_scalar(scale.unwrap_or(1.0));
    let mut gradients = GradientsParams::from_grads(scaled.backward(), model);
    if gradients.is_empty() {
        return Err(TrainError::NoGradient { step });
    }
    if let Some(scale) = scale {
        gradient::unscale::<B, _>(model, &mut gradients, scale);
    }
    Ok(Some(StepGradient {
        gradients,
        loss,
        counted: output.counted,
        correct,
        samples: output.samples,
        tokens: output.tokens,
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
    fn add(&mut self, batch: &StepGradient) -> f64 {
        if self.batches == 0 {
            self.first = batch.counted;
        }
        self.batches += 1;
        self.loss_sum += batch.loss * batch.counted as f64;
        self.counted += batch.counted;
        self.samples += batch.samples;
        self.tokens += batch.tokens;
        self.correct = match (self.correct, batch.correct) {
            (Some(sum), Some(correct)) => Some(sum + correct),
            (sum, correct) => sum.or(correct),
        };
        batch.counted as f64 / self.first as f64
    }

    /// From the sum of relative gradients to their mean.
    fn scale(&self) -> f64 {
        self.first as f64 / self.counted as f64
    }
}
