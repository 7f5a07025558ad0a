//! The trainer on a small transformer.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(missing_docs, dead_code, reason = "not every test uses every helper")]

mod common;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Param;
use burn::tensor::Tensor;
use common::{B, NextToken, SyntheticText, TextBatch, TinyLm, config, recorder, weights};
use mpm_core::weights::WeightsError;
use mpm_train::freeze::{ParameterTable, freeze, train_only};
use mpm_train::objective::IGNORED_TARGET;
use mpm_train::pattern::PathPattern;
use mpm_train::{BoxError, CheckpointStore, DataSource, LossOutput, Objective, Outcome};
use mpm_train::{MAX_UNCOUNTED_BATCHES, TrainError, Trainer, TrainerConfig};

/// Rounding of f32 sums over a few hundred summands in another order.
const ROUNDING: f64 = 1e-5;

fn store(folder: &Path) -> CheckpointStore {
    CheckpointStore::open(folder, NonZeroUsize::new(3).unwrap()).unwrap()
}

fn patterns(patterns: &[&str]) -> Vec<PathPattern> {
    patterns.iter().copied().map(PathPattern::new).collect()
}

fn train(config: TrainerConfig, model: TinyLm<B>) -> TinyLm<B> {
    let trainer = Trainer::new(config, NextToken, model).unwrap();
    trainer.run(&mut SyntheticText::endless(8)).unwrap().model
}

/// Euclidean norm of the difference of two models' parameters whose path begins
/// with a prefix.
fn distance(before: &TinyLm<B>, after: &TinyLm<B>, prefix: &str) -> f64 {
    let squares = weights(before)
        .into_iter()
        .zip(weights(after))
        .filter(|((path, _), _)| path.starts_with(prefix))
        .flat_map(|((_, before), (_, after))| before.into_iter().zip(after))
        .map(|(before, after)| f64::from(after - before).powi(2));
    squares.sum::<f64>().sqrt()
}

#[test]
fn the_model_learns() {
    let (callback, reports) = recorder(usize::MAX);
    let trainer = Trainer::new(config(150, 1e-2), NextToken, TinyLm::new(16, 0.0)).unwrap();
    let trained = trainer
        .with_callback(callback)
        .run(&mut SyntheticText::endless(16))
        .unwrap();
    assert_eq!((trained.step, trained.outcome), (150, Outcome::Finished));
    let reports: Vec<_> = reports.try_iter().collect();
    let (first, last) = (&reports[0], &reports[149]);
    assert!(first.loss > 1.5, "{first:?}");
    assert!(last.loss < 0.2 && last.accuracy.unwrap() > 0.95, "{last:?}");
    assert!(last.samples == 16 && last.tokens == 16 * common::SEQ);
    assert!(last.samples_per_second > 0.0 && last.seconds_left == 0.0);
}

/// The batches of a synthetic text, joined into one.
struct Joined(Option<TextBatch>);

impl DataSource for Joined {
    type Batch = TextBatch;
    type Position = ();

    fn next_batch(&mut self) -> Result<Option<TextBatch>, BoxError> {
        Ok(self.0.take())
    }

    fn position(&self) {}

    fn seek(&mut self, _position: &()) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn accumulated_gradients_equal_those_of_the_big_batch() {
    const BATCHES: usize = 3;
    let text = SyntheticText::endless(4);
    let batches: Vec<_> = (0..BATCHES as u64).map(|index| text.batch(index)).collect();
    let counts: Vec<_> = batches
        .iter()
        .map(|batch| {
            batch
                .targets
                .iter()
                .filter(|&&target| target != IGNORED_TARGET)
        })
        .map(Iterator::count)
        .collect();
    assert!(
        counts[0] != counts[1],
        "the weights must matter: {counts:?}"
    );
    let mut joined = Joined(Some(TextBatch {
        tokens: batches
            .iter()
            .flat_map(|batch| batch.tokens.clone())
            .collect(),
        targets: batches
            .iter()
            .flat_map(|batch| batch.targets.clone())
            .collect(),
    }));

    let model = TinyLm::<B>::new(16, 0.0);
    let mut config = config(1, 1.0);
    // With a large epsilon the first step of Adam is nearly the gradient itself
    // instead of its sign, which would blow rounding up.
    config.optimizer.epsilon = 1.0;
    let (callback, big) = recorder(usize::MAX);
    let big_model = Trainer::new(config.clone(), NextToken, model.clone())
        .unwrap()
        .with_callback(callback)
        .run(&mut joined)
        .unwrap()
        .model;
    config.accumulation = NonZeroUsize::new(BATCHES).unwrap();
    let (callback, small) = recorder(usize::MAX);
    let small_model = Trainer::new(config, NextToken, model.clone())
        .unwrap()
        .with_callback(callback)
        .run(&mut text.clone())
        .unwrap()
        .model;

    let (big, small) = (big.recv().unwrap(), small.recv().unwrap());
    assert_eq!((big.counted, big.tokens), (small.counted, small.tokens));
    assert!((big.loss - small.loss).abs() < ROUNDING);
    let norms = [&big, &small].map(|report| report.gradient_norm.unwrap());
    assert!((norms[0] - norms[1]).abs() < ROUNDING);
    assert_eq!(big.accuracy, small.accuracy);
    let moved = distance(&model, &big_model, "");
    assert!(moved > 0.1, "{moved}");
    assert!(distance(&big_model, &small_model, "") < ROUNDING * moved);
}

#[test]
fn gradients_pass_through_frozen_modules_which_never_change() {
    let model = TinyLm::<B>::new(16, 0.0);
    let frozen = freeze::<B, _>(model.clone(), &patterns(&["encoder", "head"])).unwrap();
    let table = ParameterTable::new::<B, _>(&frozen);
    assert_eq!(table.trainable().count(), 1);
    assert_eq!(table.trainable().next().unwrap().shape, [common::VOCAB, 16]);
    assert!(table.to_string().contains("frozen  head.weight"));
    let by_layer = table.by_layer();
    let line = "frozen     2 x encoder.layers.*.pwff.linear_inner.weight";
    assert!(by_layer.contains(line), "{by_layer}");
    assert!(by_layer.ends_with(&table.totals()), "{by_layer}");
    let mut config = config(5, 1e-2);
    config.optimizer.weight_decay = 0.5;
    let trained = train(config, frozen);
    assert!(distance(&model, &trained, "embedding") > 1e-2);
    assert_eq!(distance(&model, &trained, "encoder"), 0.0);
    assert_eq!(distance(&model, &trained, "head"), 0.0);
    let after = ParameterTable::new::<B, _>(&trained);
    assert_eq!(after.trainable().count(), 1);
}

#[test]
fn train_only_is_the_complement_of_freeze() {
    let model = TinyLm::<B>::new(16, 0.0);
    let frozen = freeze::<B, _>(model.clone(), &patterns(&["encoder"])).unwrap();
    let only = train_only::<B, _>(frozen.clone(), &patterns(&["embedding", "head"])).unwrap();
    let paths = |model: &TinyLm<B>| -> Vec<String> {
        let table = ParameterTable::new::<B, _>(model);
        table.trainable().map(|row| row.path.clone()).collect()
    };
    assert_eq!(paths(&frozen), paths(&only));
    assert_eq!(
        paths(&only),
        ["embedding.weight", "head.weight", "head.bias"]
    );
    let thawed = train_only::<B, _>(only, &patterns(&["**"])).unwrap();
    assert_eq!(
        paths(&thawed).len(),
        ParameterTable::new::<B, _>(&thawed).rows.len()
    );
}

#[test]
fn a_pattern_without_a_match_is_an_error_that_names_it() {
    let error = freeze::<B, _>(TinyLm::new(16, 0.0), &patterns(&["head", "lm"])).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`lm`") && text.contains("`embedding.weight`"),
        "{text}"
    );
    let mut config = config(1, 1e-3);
    config.optimizer.no_decay = vec!["queries".to_owned()];
    let trainer = Trainer::new(config, NextToken, TinyLm::new(16, 0.0));
    assert!(matches!(
        trainer.err(),
        Some(TrainError::PatternUnused { .. })
    ));
}

#[test]
fn a_model_without_trainable_parameters_is_an_error() {
    let model = freeze::<B, _>(TinyLm::new(16, 0.0), &patterns(&["**"])).unwrap();
    let trainer = Trainer::new(config(1, 1e-3), NextToken, model);
    assert!(matches!(trainer.err(), Some(TrainError::NothingTrains)));
}

/// A loss that depends on all parameters with gradient zero.
struct Flat;

impl Objective<B> for Flat {
    type Model = TinyLm<B>;
    type Batch = TextBatch;

    fn loss(&self, model: &TinyLm<B>, batch: TextBatch) -> Result<LossOutput<B>, BoxError> {
        let mut output = NextToken.loss(model, batch)?;
        output.loss = output.loss.mul_scalar(0.0);
        Ok(output)
    }
}

#[test]
fn weight_decay_spares_vectors_and_chosen_parameters() {
    let model = TinyLm::<B>::new(16, 0.0);
    let mut config = config(1, 0.1);
    config.optimizer.weight_decay = 0.5;
    config.optimizer.no_decay = vec!["embedding".to_owned()];
    let trainer = Trainer::new(config, Flat, model.clone()).unwrap();
    let trained = trainer.run(&mut SyntheticText::endless(4)).unwrap().model;
    let table = ParameterTable::new::<B, _>(&model);
    let rows = table
        .rows
        .iter()
        .zip(weights(&model))
        .zip(weights(&trained));
    for ((row, (path, before)), (_, after)) in rows {
        assert_eq!(row.path, path);
        let decays = row.shape.len() > 1 && !path.starts_with("embedding");
        let factor = if decays { 1.0 - 0.1 * 0.5 } else { 1.0 };
        for (before, after) in before.into_iter().zip(after) {
            assert!(
                (after - factor * before).abs() <= 1e-6,
                "{path} {before} {after}"
            );
        }
    }
}

#[test]
fn clipping_bounds_the_norm_of_the_whole_gradient() {
    const LIMIT: f64 = 1e-2;
    let model = TinyLm::<B>::new(16, 0.0);
    let mut config = config(1, 1.0);
    config.optimizer.weight_decay = 0.0;
    config.optimizer.clip_norm = Some(LIMIT);
    // The first step of Adam is g / (|g| + epsilon), here nearly g.
    config.optimizer.epsilon = 1.0;
    let trained = train(config, model.clone());
    let moved = distance(&model, &trained, "");
    assert!(moved < LIMIT && moved > 0.95 * LIMIT, "{moved}");
}

#[test]
fn batches_computed_at_the_same_time_give_the_same_parameters() {
    let model = TinyLm::<B>::new(16, 0.0);
    let trained = [1, 2, 3].map(|workers| {
        let mut config = config(4, 1e-2);
        config.accumulation = NonZeroUsize::new(3).unwrap();
        config.workers = NonZeroUsize::new(workers).unwrap();
        train(config, model.clone())
    });
    for other in &trained[1..] {
        assert!(distance(&trained[0], other, "") == 0.0);
    }
}

/// Fails in a chosen way at a chosen call.
struct Failing {
    calls: AtomicUsize,
    at: usize,
    infinite: bool,
}

impl Objective<B> for Failing {
    type Model = TinyLm<B>;
    type Batch = TextBatch;

    fn loss(&self, model: &TinyLm<B>, batch: TextBatch) -> Result<LossOutput<B>, BoxError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let mut output = NextToken.loss(model, batch)?;
        if call == self.at {
            if !self.infinite {
                return Err("a cable is loose".into());
            }
            output.loss = output.loss.mul_scalar(f64::NAN);
        }
        Ok(output)
    }
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    for (infinite, expected) in [(true, "loss is NaN at step 5"), (false, "failed at step 5")] {
        let run_folder = folder.path().join(infinite.to_string());
        let mut config = config(9, 1e-2);
        config.checkpoint_every = NonZeroUsize::new(2);
        let objective = Failing {
            calls: AtomicUsize::new(0),
            at: 5,
            infinite,
        };
        let error = Trainer::new(config.clone(), objective, TinyLm::new(16, 0.0))
            .unwrap()
            .with_checkpoints(store(&run_folder))
            .run(&mut SyntheticText::endless(4))
            .err()
            .unwrap();
        assert!(error.to_string().contains(expected), "{error}");

        let mut source = SyntheticText::endless(4);
        let mut trainer = Trainer::new(config, NextToken, TinyLm::new(16, 0.0))
            .unwrap()
            .with_checkpoints(store(&run_folder));
        assert_eq!(trainer.resume(&mut source).unwrap(), Some(4));
        assert_eq!(source.next, 4);
        assert_eq!(trainer.run(&mut source).unwrap().step, 9);
    }
}

#[test]
fn a_folder_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let trainer = |config: TrainerConfig, model: TinyLm<B>| {
        Trainer::new(config, NextToken, model)
            .unwrap()
            .with_checkpoints(store(folder.path()))
    };
    let source = &mut SyntheticText::endless(4);
    let (callback, _reports) = recorder(3);
    let cancelled = trainer(config(9, 1e-2), TinyLm::new(16, 0.0))
        .with_callback(callback)
        .run(source)
        .unwrap();
    assert_eq!((cancelled.step, cancelled.outcome), (3, Outcome::Cancelled));

    let fresh = trainer(config(9, 1e-2), TinyLm::new(16, 0.0)).run(source);
    assert!(matches!(
        fresh.err(),
        Some(TrainError::FolderInUse { step: 3, .. })
    ));

    let error = trainer(config(9, 2e-2), TinyLm::new(16, 0.0)).resume(source);
    assert!(error.unwrap_err().to_string().contains("(schedule.peak)"));

    let error = trainer(config(9, 1e-2), TinyLm::new(32, 0.0)).resume(source);
    let Err(TrainError::Weights(WeightsError::Mismatch { report, .. })) = error else {
        panic!("{error:?}");
    };
    for name in ["embedding.weight", "head.weight"] {
        assert!(
            report.misshapen.iter().any(|(key, ..)| key == name),
            "{name}"
        );
    }

    let frozen = freeze::<B, _>(TinyLm::new(16, 0.0), &patterns(&["head"])).unwrap();
    let error = trainer(config(9, 1e-2), frozen).resume(source);
    assert!(matches!(error, Err(TrainError::CheckpointMismatch { .. })));

    let mut homeless = Trainer::new(config(9, 1e-2), NextToken, TinyLm::new(16, 0.0)).unwrap();
    assert!(matches!(
        homeless.resume(source),
        Err(TrainError::NoCheckpoints)
    ));
}

#[test]
fn the_end_of_the_data_ends_the_run_with_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = SyntheticText {
        end: 5,
        ..SyntheticText::endless(4)
    };
    let mut config = config(9, 1e-2);
    config.accumulation = NonZeroUsize::new(2).unwrap();
    let trained = Trainer::new(config, NextToken, TinyLm::new(16, 0.0))
        .unwrap()
        .with_checkpoints(store(folder.path()))
        .run(&mut source)
        .unwrap();
    // Two full steps and one of the single batch left.
    assert_eq!((trained.step, trained.outcome), (3, Outcome::DataEnded));
    let newest = store(folder.path()).newest().unwrap().unwrap();
    assert_eq!(newest.manifest.state.step, 3);
}

/// Every second batch, or all of them, without a target that counts.
struct Sparse {
    text: SyntheticText,
    counted: bool,
}

impl DataSource for Sparse {
    type Batch = TextBatch;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<TextBatch>, BoxError> {
        let mut batch = self.text.batch(self.text.next);
        if !self.counted || self.text.next.is_multiple_of(2) {
            batch.targets.fill(IGNORED_TARGET);
        }
        self.text.next += 1;
        Ok(Some(batch))
    }

    fn position(&self) -> u64 {
        self.text.next
    }

    fn seek(&mut self, position: &u64) -> Result<(), BoxError> {
        self.text.seek(position)
    }
}

#[test]
fn batches_without_targets_are_passed_over() {
    let mut sparse = Sparse {
        text: SyntheticText::endless(1),
        counted: true,
    };
    let trainer = Trainer::new(config(3, 1e-2), NextToken, TinyLm::new(16, 0.0)).unwrap();
    assert_eq!(trainer.run(&mut sparse).unwrap().step, 3);
    assert_eq!(sparse.text.next, 6);

    sparse.counted = false;
    let trainer = Trainer::new(config(3, 1e-2), NextToken, TinyLm::new(16, 0.0)).unwrap();
    let error = trainer.run(&mut sparse).err();
    assert!(matches!(
        error,
        Some(TrainError::NothingCounts {
            batches: MAX_UNCOUNTED_BATCHES,
            step: 1
        })
    ));
}

/// A loss that no parameter has a part in.
struct Detached;

impl Objective<B> for Detached {
    type Model = TinyLm<B>;
    type Batch = TextBatch;

    fn loss(&self, model: &TinyLm<B>, batch: TextBatch) -> Result<LossOutput<B>, BoxError> {
        let mut output = NextToken.loss(model, batch)?;
        let constant = Tensor::<B, 1>::ones([1], &Default::default());
        output.loss = Param::from_tensor(constant).val();
        Ok(output)
    }
}

#[test]
fn a_loss_without_gradient_is_an_error() {
    let trainer = Trainer::new(config(1, 1e-2), Detached, TinyLm::new(16, 0.0)).unwrap();
    let error = trainer.run(&mut SyntheticText::endless(4)).err();
    assert!(matches!(error, Some(TrainError::NoGradient { step: 1 })));
}

#[test]
fn settings_out_of_range_are_errors() {
    let bad: [fn(&mut TrainerConfig); 4] = [
        |config| config.optimizer.beta_2 = 1.0,
        |config| config.optimizer.epsilon = 0.0,
        |config| config.optimizer.clip_norm = Some(f64::NAN),
        |config| config.schedule.peak = f64::INFINITY,
    ];
    for spoil in bad {
        let mut config = config(1, 1e-2);
        spoil(&mut config);
        let trainer = Trainer::new(config, NextToken, TinyLm::new(16, 0.0));
        assert!(matches!(trainer.err(), Some(TrainError::Setting { .. })));
    }
}
