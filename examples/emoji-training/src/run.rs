//! Running a stage, from its newest checkpoint where there is one.

use std::{num::NonZeroUsize, ops::ControlFlow, time::Duration};

use burn::{backend::Autodiff, tensor::backend::Backend};
use indicatif::{ProgressBar, ProgressStyle};
use mpm_train::{
    CheckpointStore, DataSource, Objective, Prefetch, StepReport, Trained, Trainer,
    freeze::ParameterTable, metrics::MetricsWriter,
};

use crate::{BoxError, StageRun};

/// Checkpoints kept of each stage.
const KEPT: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Batches prepared while the model computes.
const PREFETCHED: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// Trains what is trainable of a model.
///
/// # Errors
/// Those of the trainer; the last checkpoint is intact then.
pub fn train<B, O, S>(
    run: &StageRun<'_>,
    objective: O,
    model: O::Model,
    source: S,
) -> Result<Trained<O::Model>, BoxError>
where
    B: Backend,
    O: Objective<Autodiff<B>>,
    S: DataSource<Batch = O::Batch> + Send + 'static,
    S::Position: Send,
{
    let folder = &run.folder;
    let table = ParameterTable::new::<Autodiff<B>, _>(&model).to_string();
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("parameters.txt"), table)?;

    let mut config = run.stage.trainer(run.seed);
    config.checkpoint_every = Some(run.checkpoint_every);
    let checkpoints = CheckpointStore::open(folder.join("checkpoints"), KEPT)?;
    let mut source = Prefetch::new(source, PREFETCHED);
    let mut trainer = Trainer::<Autodiff<B>, O>::new(config, objective, model)?
        .with_checkpoints(checkpoints)
        .with_callback(MetricsWriter::json_lines(folder.join("metrics.jsonl")))
        .with_callback(progress(run.stage.steps));
    trainer.resume(&mut source)?;
    Ok(trainer.run(&mut source)?)
}

fn progress(steps: usize) -> impl FnMut(&StepReport) -> ControlFlow<()> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(steps as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_secs(1));
    move |report| {
        bar.set_position(report.step as u64);
        let accuracy = report
            .accuracy
            .map(|share| format!("{:.1} % right, ", 100.0 * share));
        bar.set_message(format!(
            "loss {:.4}, {}{:.0} samples/s",
            report.loss,
            accuracy.unwrap_or_default(),
            report.samples_per_second
        ));
        ControlFlow::Continue(())
    }
}
