//! An interrupted and resumed run equals the uninterrupted one.
//!
//! Alone in its binary, because Flex has one random number generator for the whole
//! process and other tests would draw from it.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(missing_docs, dead_code, reason = "not every test uses every helper")]

mod common;

use std::num::NonZeroUsize;
use std::path::Path;

use burn::tensor::backend::Backend;
use common::{B, NextToken, SyntheticText, TinyLm, recorder, weights};
use mpm_train::freeze::freeze;
use mpm_train::metrics::MetricsWriter;
use mpm_train::pattern::PathPattern;
use mpm_train::{CheckpointStore, Decay, Outcome, Prefetch, Schedule};
use mpm_train::{StepReport, Trainer, TrainerConfig};

const STEPS: usize = 20;
const INTERRUPTED_AT: [usize; 2] = [7, 13];

/// What one session of a run leaves behind.
struct Session {
    average: Vec<(String, Vec<f32>)>,
    weights: Vec<(String, Vec<f32>)>,
    reports: Vec<StepReport>,
    outcome: Outcome,
}

/// Starts or resumes a run in a folder as a new process would: a model with other
/// initial values and ids, a source at its beginning.
fn session(folder: &Path, stop_after: usize, initial_seed: u64) -> Session {
    B::seed(&Default::default(), initial_seed);
    let model = TinyLm::new(16, 0.2);
    let patterns = [PathPattern::new("encoder.layers.0")];
    let model = freeze::<B, _>(model, &patterns).unwrap();

    let mut config = TrainerConfig::new(
        STEPS,
        Schedule {
            peak: 1e-2 / 3.0,
            warmup_steps: 5,
            decay: Decay::Cosine { floor: 0.1 },
        },
    );
    config.accumulation = NonZeroUsize::new(2).unwrap();
    config.checkpoint_every = NonZeroUsize::new(4);
    config.average_decay = Some(0.75);

    let mut source = Prefetch::new(SyntheticText::endless(3), NonZeroUsize::new(3).unwrap());
    let store = CheckpointStore::open(folder, NonZeroUsize::new(2).unwrap()).unwrap();
    let (callback, reports) = recorder(stop_after);
    let mut trainer = Trainer::new(config, NextToken, model)
        .unwrap()
        .with_checkpoints(store)
        .with_callback(MetricsWriter::json_lines(folder.join("metrics.jsonl")))
        .with_callback(callback);
    trainer.resume(&mut source).unwrap();
    let trained = trainer.run(&mut source).unwrap();
    Session {
        average: weights(&trained.average.unwrap()),
        weights: weights(&trained.model),
        reports: reports.try_iter().collect(),
        outcome: trained.outcome,
    }
}

#[test]
fn a_resumed_run_equals_the_uninterrupted_one_bit_for_bit() {
    let whole_folder = tempfile::tempdir().unwrap();
    let whole = session(whole_folder.path(), usize::MAX, 1);
    assert_eq!(whole.outcome, Outcome::Finished);

    let folder = tempfile::tempdir().unwrap();
    let first = session(folder.path(), INTERRUPTED_AT[0], 1);
    assert_eq!(first.outcome, Outcome::Cancelled);
    let second = session(folder.path(), INTERRUPTED_AT[1], 2);
    assert_eq!(second.reports[0].step, INTERRUPTED_AT[0] + 1);

    // A process killed after step 14 without a checkpoint leaves a line of metrics
    // that the resumed run must not repeat, and a checkpoint half written.
    let metrics = folder.path().join("metrics.jsonl");
    let mut text = std::fs::read_to_string(&metrics).unwrap();
    let line = serde_json::to_string(&whole.reports[INTERRUPTED_AT[1]]).unwrap();
    text.push_str(&(line + "\n"));
    std::fs::write(&metrics, text).unwrap();
    std::fs::create_dir(folder.path().join("step-00000014")).unwrap();

    let third = session(folder.path(), usize::MAX, 3);
    assert_eq!(third.outcome, Outcome::Finished);

    assert_eq!(third.weights, whole.weights);
    assert_eq!(third.average, whole.average);
    assert_ne!(whole.average, whole.weights);
    let losses = |sessions: &[&Session]| -> Vec<(usize, f64, Option<f64>)> {
        let reports = sessions.iter().flat_map(|session| &session.reports);
        reports
            .map(|report| (report.step, report.loss, report.gradient_norm))
            .collect()
    };
    assert_eq!(losses(&[&first, &second, &third]), losses(&[&whole]));

    let text = std::fs::read_to_string(&metrics).unwrap();
    let steps: Vec<usize> = text
        .lines()
        .map(|line| serde_json::from_str::<StepReport>(line).unwrap().step)
        .collect();
    assert_eq!(steps, (1..=STEPS).collect::<Vec<_>>());
}
