//! What long runs need: half precision, guards, evaluation, checkpoints that leave things out.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(missing_docs, dead_code, reason = "not every test uses every helper")]

mod common;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use burn::tensor::{DType, Tensor};
use common::{B, NextToken, SyntheticText, TextBatch, TinyLm, config, recorder, weights};
use mpm_core::weights::WeightFile;
use mpm_train::freeze::{freeze, train_only};
use mpm_train::pattern::{PathPattern, parameters};
use mpm_train::{Algorithm, Better, BoxError, CheckpointStore, ComputePrecision, LossOutput};
use mpm_train::{LossScaling, Objective, ParameterGroup, SpikeLimit, TrainError, Trainer};
use mpm_train::{StepReport, TrainerConfig, language_model_loss};
use serde_json::json;

fn store(folder: &Path) -> CheckpointStore {
    CheckpointStore::open(folder, NonZeroUsize::new(2).unwrap()).unwrap()
}

/// The language model's loss, with logits in the parameters' type.
struct HalfNextToken;

impl Objective<B> for HalfNextToken {
    type Model = TinyLm<B>;
    type Batch = TextBatch;

    fn loss(&self, model: &TinyLm<B>, batch: TextBatch) -> Result<LossOutput<B>, BoxError> {
        let weight = model.head.weight.val();
        assert_ne!(
            weight.dtype(),
            DType::F32,
            "passes compute in half precision"
        );
        let states = model.embedding.forward(common::ids(batch.tokens));
        let shape = [states.dims()[0] * common::SEQ, states.dims()[2]];
        let logits = states.clone().reshape(shape).matmul(weight);
        let logits = logits.reshape([states.dims()[0], common::SEQ, common::VOCAB]);
        Ok(language_model_loss(logits, common::ids(batch.targets))?)
    }
}

fn half_model() -> TinyLm<B> {
    let model = TinyLm::new(16, 0.0);
    freeze::<B, _>(model, &[PathPattern::new("encoder")]).unwrap()
}

#[test]
fn half_precision_learns_with_parameters_in_full_precision() {
    for precision in [ComputePrecision::F16, ComputePrecision::Bf16] {
        let (callback, reports) = recorder(usize::MAX);
        let mut config = config(120, 2e-2);
        config.precision = precision;
        config.optimizer.weight_decay = 0.0;
        let trained = Trainer::new(config, HalfNextToken, half_model())
            .unwrap()
            .with_callback(callback)
            .run(&mut SyntheticText::endless(16))
            .unwrap();
        let reports: Vec<StepReport> = reports.try_iter().collect();
        let last = reports.last().unwrap();
        assert!(last.loss < 0.2, "{last:?}");
        assert_eq!(
            last.loss_scale.is_some(),
            precision == ComputePrecision::F16
        );
        for parameter in parameters::<B, _>(&trained.model) {
            let expected = match parameter.trainable {
                true => DType::F32,
                false => precision.half().unwrap(),
            };
            assert_eq!(parameter.dtype, expected, "{}", parameter.path);
        }
    }
}

#[test]
fn a_step_too_small_for_half_precision_still_adds_up() {
    // Far below the distance of neighbouring f16 numbers around 1.
    const STEP: f64 = 1e-6;
    let mut model = half_model();
    model.head.weight = model
        .head
        .weight
        .map(|weight| Tensor::from_inner(weight.inner().ones_like()).require_grad());
    let mut config = config(100, STEP);
    config.precision = ComputePrecision::F16;
    config.optimizer.weight_decay = 0.0;
    let trained = Trainer::new(config, HalfNextToken, model).unwrap();
    let trained = trained.run(&mut SyntheticText::endless(4)).unwrap().model;
    let weight: Vec<f32> = trained.head.weight.val().into_data().to_vec().unwrap();
    let moved = weight.iter().map(|weight| (weight - 1.0).abs());
    let largest = moved.fold(0.0, f32::max);
    assert!(largest > 20.0 * STEP as f32, "{largest}");
}

#[test]
fn a_gradient_that_overflows_is_skipped_and_the_scale_falls() {
    let (callback, reports) = recorder(usize::MAX);
    let mut config = config(30, 1e-2);
    config.precision = ComputePrecision::F16;
    config.loss_scaling.initial = f64::from(2.0f32.powi(40));
    let model = half_model();
    Trainer::new(config.clone(), HalfNextToken, model.clone())
        .unwrap()
        .with_callback(callback)
        .run(&mut SyntheticText::endless(4))
        .unwrap();
    let reports: Vec<StepReport> = reports.try_iter().collect();
    let skipped = reports.iter().take_while(|report| report.skipped).count();
    assert!(skipped > 5 && skipped < 30, "{skipped}");
    for report in &reports {
        assert_eq!(report.gradient_norm.is_none(), report.skipped, "{report:?}");
        let line = serde_json::to_string(report).unwrap();
        assert_eq!(&serde_json::from_str::<StepReport>(&line).unwrap(), report);
    }
    let later = reports[skipped..].iter().filter(|report| report.skipped);
    assert!(later.count() < 5, "the scale has fallen to where it fits");
    assert_eq!(
        reports[skipped].loss_scale.unwrap(),
        config.loss_scaling.initial / 2f64.powi(skipped as i32)
    );

    config.loss_scaling.minimum = config.loss_scaling.initial / 4.0;
    let error = Trainer::new(config, HalfNextToken, model).unwrap();
    let error = error.run(&mut SyntheticText::endless(4)).err().unwrap();
    assert!(
        matches!(error, TrainError::Overflow { step: 3, .. }),
        "{error:?}"
    );
}

#[test]
fn a_resumed_run_knows_its_scale_of_the_loss() {
    let folder = tempfile::tempdir().unwrap();
    let session = |stop_after| {
        let mut config = config(12, 1e-2);
        config.precision = ComputePrecision::F16;
        config.loss_scaling = LossScaling {
            initial: f64::from(2.0f32.powi(24)),
            growth_interval: 3,
            ..LossScaling::default()
        };
        let (callback, reports) = recorder(stop_after);
        let mut trainer = Trainer::new(config, HalfNextToken, half_model())
            .unwrap()
            .with_checkpoints(store(folder.path()))
            .with_callback(callback);
        let mut source = SyntheticText::endless(4);
        trainer.resume(&mut source).unwrap();
        let trained = trainer.run(&mut source).unwrap();
        let reports: Vec<StepReport> = reports.try_iter().collect();
        (trained.model, reports)
    };
    let (_, first) = session(7);
    let (_, second) = session(usize::MAX);
    let scale = |report: &StepReport| report.loss_scale.unwrap();
    let (last, next) = (&first[6], &second[0]);
    assert_eq!(next.step, 8);
    let ratio = scale(next) / scale(last);
    assert!([0.5, 1.0, 2.0].contains(&ratio), "{ratio}");
    assert!(scale(next) < 2f64.powi(24), "the scale fell and stays so");
}

/// A loss that is multiplied from some step on.
struct Spiking {
    calls: AtomicUsize,
    from: usize,
}

impl Objective<B> for Spiking {
    type Model = TinyLm<B>;
    type Batch = TextBatch;

    fn loss(&self, model: &TinyLm<B>, batch: TextBatch) -> Result<LossOutput<B>, BoxError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let mut output = NextToken.loss(model, batch)?;
        if call >= self.from {
            output.loss = output.loss.mul_scalar(100.0);
        }
        Ok(output)
    }
}

#[test]
fn a_loss_that_runs_away_stops_the_run_with_the_checkpoint_intact() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(200, 1e-4);
    config.checkpoint_every = NonZeroUsize::new(10);
    config.spike = Some(SpikeLimit {
        factor: 3.0,
        steps: 2,
    });
    let objective = Spiking {
        calls: AtomicUsize::new(0),
        from: 73,
    };
    let error = Trainer::new(config, objective, TinyLm::new(16, 0.0))
        .unwrap()
        .with_checkpoints(store(folder.path()))
        .run(&mut SyntheticText::endless(4))
        .err()
        .unwrap();
    assert!(
        matches!(error, TrainError::LossSpike { step: 74, .. }),
        "{error:?}"
    );
    let newest = store(folder.path()).newest().unwrap().unwrap();
    assert_eq!(newest.manifest.state.step, 70);
}

#[test]
fn groups_have_learning_rates_and_decays_of_their_own() {
    for algorithm in [Algorithm::Adam, Algorithm::AdamW] {
        let model = TinyLm::<B>::new(16, 0.0);
        let mut config = config(1, 1e-2);
        config.optimizer.algorithm = algorithm;
        config.optimizer.weight_decay = 0.0;
        config.optimizer.groups = vec![
            ParameterGroup {
                parameters: vec!["head".to_owned()],
                learning_rate_factor: 0.1,
                weight_decay: None,
            },
            ParameterGroup {
                parameters: vec!["embedding".to_owned()],
                learning_rate_factor: 0.0,
                weight_decay: Some(0.5),
            },
        ];
        let trainer = Trainer::new(config, NextToken, model.clone()).unwrap();
        let trained = trainer.run(&mut SyntheticText::endless(8)).unwrap().model;
        for ((path, before), (_, after)) in weights(&model).into_iter().zip(weights(&trained)) {
            if path.ends_with("key.bias") {
                // Attention does not depend on it: its gradient is rounding.
                continue;
            }
            let moved = before
                .iter()
                .zip(&after)
                .map(|(one, two)| (one - two).abs());
            let largest = moved.fold(0.0, f32::max);
            // The first step of Adam is the learning rate, whatever the gradient.
            let expected = match path.split('.').next() {
                Some("head") => 1e-3,
                Some("embedding") => 0.0,
                _ => 1e-2,
            };
            assert!(
                (largest - expected).abs() < 0.05 * expected.max(1e-6),
                "{path}: {largest}, {algorithm:?}"
            );
        }
    }
}

#[test]
fn weight_decay_of_adam_is_part_of_its_gradient() {
    let model = TinyLm::<B>::new(16, 0.0);
    let trained = [Algorithm::Adam, Algorithm::AdamW].map(|algorithm| {
        let mut config = config(3, 1e-3);
        config.optimizer.algorithm = algorithm;
        config.optimizer.weight_decay = 0.5;
        let trainer = Trainer::new(config, NextToken, model.clone()).unwrap();
        weights(&trainer.run(&mut SyntheticText::endless(8)).unwrap().model)
    });
    assert_ne!(trained[0], trained[1]);
}

fn scored(folder: &Path, scores: &'static [f64]) -> Result<(), TrainError> {
    let mut config = config(scores.len() * 2, 1e-3);
    config.checkpoint_every = NonZeroUsize::new(2);
    let evaluate = |step: usize, _model: &TinyLm<B>| match scores[step / 2 - 1] {
        score if score.is_finite() => Ok(score),
        _ => Err(BoxError::from("the judge is ill")),
    };
    let trainer = Trainer::new(config, NextToken, TinyLm::new(16, 0.0))?
        .with_checkpoints(store(folder).keep_best(Better::Higher))
        .with_evaluator(evaluate);
    trainer.run(&mut SyntheticText::endless(4)).map(drop)
}

#[test]
fn the_best_checkpoint_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    scored(folder.path(), &[0.1, 0.9, 0.3, 0.4, 0.5]).unwrap();
    let checkpoints = store(folder.path()).list().unwrap();
    let kept: Vec<_> = checkpoints
        .iter()
        .map(|checkpoint| {
            let state = &checkpoint.manifest.state;
            (state.step, state.score.unwrap())
        })
        .collect();
    assert_eq!(kept, [(4, 0.9), (8, 0.4), (10, 0.5)]);
}

#[test]
fn a_failed_evaluation_loses_no_step() {
    let folder = tempfile::tempdir().unwrap();
    let error = scored(folder.path(), &[0.1, f64::NAN]).err().unwrap();
    assert!(matches!(error, TrainError::Evaluation { step: 4, .. }));
    let newest = store(folder.path()).newest().unwrap().unwrap();
    assert_eq!(newest.manifest.state.step, 4);
    assert_eq!(newest.manifest.state.score, None);
}

#[test]
fn a_run_that_is_broken_off_is_not_measured() {
    // With and without a checkpoint that is due at this step.
    for stop_after in [3, 4] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(9, 1e-3);
        config.checkpoint_every = NonZeroUsize::new(2);
        let (sender, measured) = channel();
        let evaluate = move |step: usize, _model: &TinyLm<B>| -> Result<f64, BoxError> {
            sender.send(step)?;
            Ok(0.5)
        };
        let (callback, _reports) = recorder(stop_after);
        Trainer::new(config, NextToken, TinyLm::new(16, 0.0))
            .unwrap()
            .with_checkpoints(store(folder.path()))
            .with_evaluator(evaluate)
            .with_callback(callback)
            .run(&mut SyntheticText::endless(4))
            .unwrap();
        assert_eq!(measured.try_iter().collect::<Vec<_>>(), [2]);
        let newest = store(folder.path()).newest().unwrap().unwrap();
        assert_eq!(newest.manifest.state.step, stop_after);
        assert_eq!(newest.manifest.state.score, None);
    }
}

fn leaving_out(
    model: TinyLm<B>,
    folder: &Path,
    pattern: &str,
) -> Result<Trainer<B, NextToken>, TrainError> {
    leaving_all_out(model, folder, vec![pattern.to_owned()])
}

fn leaving_all_out(
    model: TinyLm<B>,
    folder: &Path,
    patterns: Vec<String>,
) -> Result<Trainer<B, NextToken>, TrainError> {
    let mut config = config(6, 1e-3);
    config.average_decay = Some(0.9);
    config.leave_out = patterns;
    Ok(Trainer::new(config, NextToken, model)?.with_checkpoints(store(folder)))
}

#[test]
fn frozen_parameters_can_be_left_out_of_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let model = half_model();
    let (callback, _reports) = recorder(3);
    let trainer = leaving_out(model.clone(), folder.path(), "encoder").unwrap();
    let source = &mut SyntheticText::endless(4);
    trainer.with_callback(callback).run(source).unwrap();
    let checkpoint = store(folder.path()).newest().unwrap().unwrap();
    for file in [checkpoint.model_file(), checkpoint.average_file()] {
        let file = WeightFile::open(file).unwrap();
        let names: Vec<_> = file.tensors().keys().cloned().collect();
        assert_eq!(names, ["embedding.weight", "head.bias", "head.weight"]);
    }

    let mut trainer = leaving_out(model.clone(), folder.path(), "encoder").unwrap();
    assert_eq!(trainer.resume(source).unwrap(), Some(3));
    let trained = trainer.run(source).unwrap().model;
    for ((path, before), (_, after)) in weights(&model).into_iter().zip(weights(&trained)) {
        assert_eq!(before == after, path.starts_with("encoder"), "{path}");
    }

    // Another frozen part under the same checkpoint.
    let mut other = leaving_out(half_model(), folder.path(), "encoder").unwrap();
    let error = other.resume(source).unwrap_err().to_string();
    assert!(
        error.contains("`encoder.") && error.contains("another one"),
        "{error}"
    );

    let error = leaving_out(half_model(), folder.path(), "head")
        .err()
        .unwrap();
    assert!(matches!(error, TrainError::LeavesOutTrainable { .. }));
    let error = leaving_out(half_model(), folder.path(), "heads")
        .err()
        .unwrap();
    assert!(matches!(error, TrainError::PatternUnused { .. }));
}

/// The names of the parameters in the newest checkpoint of a run that leaves some out.
fn stored(model: TinyLm<B>, patterns: Vec<String>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let trainer = leaving_all_out(model, folder.path(), patterns).unwrap();
    trainer.run(&mut SyntheticText::endless(4)).unwrap();
    let checkpoint = store(folder.path()).newest().unwrap().unwrap();
    let file = WeightFile::open(checkpoint.model_file()).unwrap();
    file.tensors().keys().cloned().collect()
}

#[test]
fn what_is_left_out_goes_by_the_models_own_names() {
    // Burn calls a norm's parameters `gamma` and `beta`, checkpoints `weight` and `bias`.
    let model = half_model();
    let frozen = parameters::<B, _>(&model).into_iter();
    let frozen = frozen.filter(|it| !it.trainable).map(|it| it.path);
    let frozen: Vec<_> = frozen.collect();
    assert!(frozen.iter().any(|path| path.ends_with("norm_1.gamma")));
    let names = stored(model, frozen);
    assert_eq!(names, ["embedding.weight", "head.bias", "head.weight"]);

    let norms = [PathPattern::new("**.gamma")];
    let model = train_only::<B, _>(TinyLm::new(16, 0.0), &norms).unwrap();
    let names = stored(model, vec!["**.weight".to_owned()]);
    for layer in 0..2 {
        for norm in ["norm_1", "norm_2"] {
            let name = format!("encoder.layers.{layer}.{norm}.weight");
            assert!(names.contains(&name), "{name}: {names:?}");
        }
    }
    assert!(!names.contains(&"head.weight".to_owned()), "{names:?}");
}

#[test]
fn a_checkpoint_of_another_recipe_is_refused_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let trainer = |weight: f64| {
        Trainer::new(config(2, 1e-3), NextToken, TinyLm::new(16, 0.0))
            .unwrap()
            .with_checkpoints(store(folder.path()))
            .with_recipe(json!({"data": {"mix": [{"name": "captions", "weight": weight}]}}))
    };
    let source = &mut SyntheticText::endless(4);
    trainer(0.1).run(source).unwrap();
    assert_eq!(trainer(0.1).resume(source).unwrap(), Some(2));
    let error = trainer(0.2).resume(source).unwrap_err();
    assert!(matches!(error, TrainError::OtherSettings { .. }));
    assert!(error.to_string().contains("data.mix[0].weight"), "{error}");
}

#[test]
fn settings_out_of_range_are_errors() {
    let bad: [fn(&mut TrainerConfig); 4] = [
        |config| config.loss_scaling.minimum = 0.0,
        |config| {
            config.spike = Some(SpikeLimit {
                factor: 0.5,
                steps: 1,
            })
        },
        |config| config.average_decay = Some(1.0),
        |config| {
            config.optimizer.groups = vec![ParameterGroup {
                parameters: vec!["head".to_owned()],
                learning_rate_factor: f64::NAN,
                weight_decay: None,
            }]
        },
    ];
    for spoil in bad {
        let mut config = config(1, 1e-2);
        spoil(&mut config);
        let trainer = Trainer::new(config, NextToken, TinyLm::new(16, 0.0));
        assert!(matches!(trainer.err(), Some(TrainError::Setting { .. })));
    }
}
