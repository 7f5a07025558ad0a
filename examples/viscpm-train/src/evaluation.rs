//! The loss on examples of its own.

use burn::{backend::Autodiff, module::Module, tensor::ElementConversion};
use mpm_core::MpmBackend;
use mpm_train::{BoxError, DataSource, Evaluator};

use crate::Stage;

/// The mean loss on the first samples of a source, always the same.
pub struct LossEvaluator<B: MpmBackend, S: Stage<B>> {
    pub objective: S::Objective,
    pub source: S::Source,
    /// Where the source begins.
    pub start: <S::Source as DataSource>::Position,
    /// How many batches are measured, at most.
    pub batches: usize,
    pub backend: std::marker::PhantomData<B>,
}

impl<B: MpmBackend, S: Stage<B>> Evaluator<S::Model> for LossEvaluator<B, S> {
    fn evaluate(&mut self, _step: usize, model: &S::Model) -> Result<f64, BoxError> {
        use mpm_train::Objective;
        self.source.seek(&self.start)?;
        // Nothing is kept for gradients that nobody asks for.
        let model = &model.clone().no_grad();
        let (mut sum, mut counted) = (0.0, 0);
        for _ in 0..self.batches {
            let Some(batch) = self.source.next_batch()? else {
                break;
            };
            let output = Objective::<Autodiff<B>>::loss(&self.objective, model, batch)?;
            sum += output.loss.into_scalar().elem::<f64>() * output.counted as f64;
            counted += output.counted;
        }
        match counted {
            0 => Err("the evaluation's data have no target that counts".into()),
            counted => Ok(sum / counted as f64),
        }
    }
}
