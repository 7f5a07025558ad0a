//! The language-model objective against a plain computation.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(missing_docs, reason = "tests document themselves by their names")]

use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Int, Tensor, TensorData};
use mpm_train::{CountedTargets, TrainError, language_model_loss};
use proptest::prelude::*;

type B = Autodiff<Flex>;

/// f32 with a handful of summands against f64.
const TOLERANCE: f64 = 1e-5;

fn logits(values: &[f32], shape: [usize; 3]) -> Tensor<B, 3> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Default::default())
}

fn targets(values: &[i64], shape: [usize; 2]) -> Tensor<B, 2, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Default::default())
}

/// Mean cross entropy and number of right predictions in f64.
fn reference(logits: &[f32], targets: &[i64], vocab: usize) -> (f64, i32) {
    let mut sum = 0.0;
    let mut right = 0;
    let mut counted = 0.0;
    for (row, &target) in logits.chunks(vocab).zip(targets) {
        if target == -100 {
            continue;
        }
        let row: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
        let largest = row.iter().copied().fold(f64::MIN, f64::max);
        let normaliser = row.iter().map(|value| (value - largest).exp()).sum::<f64>();
        sum += largest + normaliser.ln() - row[target as usize];
        right += i32::from(row.iter().position(|&value| value == largest) == Some(target as usize));
        counted += 1.0;
    }
    (sum / counted, right)
}

proptest! {
    #[test]
    fn loss_is_the_mean_over_the_targets_that_count(
        values in proptest::collection::vec(-30f32..30.0, 2 * 3 * 5),
        kept in proptest::collection::vec(0i64..5, 6),
        ignored in proptest::collection::vec(any::<bool>(), 6),
    ) {
        let kept: Vec<i64> = kept
            .iter()
            .zip(&ignored)
            .enumerate()
            .map(|(index, (&target, &ignore))| if ignore && index > 0 { -100 } else { target })
            .collect();
        let output =
            language_model_loss(logits(&values, [2, 3, 5]), targets(&kept, [2, 3])).unwrap();
        let (loss, right) = reference(&values, &kept, 5);
        let found = f64::from(output.loss.into_scalar());
        prop_assert!((found - loss).abs() <= TOLERANCE * (1.0 + loss), "{found} {loss}");
        prop_assert_eq!(output.correct.unwrap().into_scalar(), right);
        prop_assert_eq!(output.counted, kept.iter().filter(|&&target| target >= 0).count());
        prop_assert_eq!((output.samples, output.tokens), (2, 6));
    }
}

#[test]
fn gradient_is_softmax_minus_one_hot_where_a_target_counts() {
    let logits = logits(&[1.0, 2.0, 0.5, 3.0, 0.0, 1.0], [1, 3, 2]).require_grad();
    let output = language_model_loss(logits.clone(), targets(&[1, -100, 0], [1, 3])).unwrap();
    let gradients = output.loss.backward();
    let found: Vec<f32> = logits
        .grad(&gradients)
        .unwrap()
        .into_data()
        .to_vec()
        .unwrap();
    let p = 1.0 / (1.0 + 1f64.exp());
    let expected = [
        p / 2.0,
        -p / 2.0,
        0.0,
        0.0,
        -(1.0 - p) / 2.0,
        (1.0 - p) / 2.0,
    ];
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (f64::from(*found) - expected).abs() < TOLERANCE,
            "{found} {expected}"
        );
    }
}

#[test]
fn large_logits_in_half_precision_stay_finite() {
    let large = logits(&[60000.0, -60000.0, 0.0, 60000.0], [1, 2, 2]).cast(DType::F16);
    let output = language_model_loss(large, targets(&[1, 1], [1, 2])).unwrap();
    assert_eq!(output.loss.dtype(), DType::F32);
    let loss = f64::from(output.loss.into_scalar());
    // 120,000 / 2, in steps of f16 that are 32 wide there.
    assert!((loss - 60000.0).abs() <= 32.0, "{loss}");
}

#[test]
fn selecting_states_first_gives_the_same_loss() {
    let values: Vec<f32> = (0..24).map(|index| (index as f32 * 0.7).sin()).collect();
    let states = logits(&values, [2, 3, 4]);
    let projection = Tensor::<B, 2>::from_data(
        TensorData::new(values[..20].to_vec(), [4, 5]),
        &Default::default(),
    );
    let kept = [-100, 4, 0, 2, -100, -100];
    let counted = CountedTargets::new(&kept, [2, 3], &Default::default()).unwrap();
    let rows = counted.select(states.clone()).unwrap();
    assert_eq!(rows.dims(), [3, 4]);
    let lean = counted
        .cross_entropy(rows.matmul(projection.clone()))
        .unwrap();
    let full: Tensor<B, 3> = states.matmul(projection.unsqueeze());
    let full = language_model_loss(full, targets(&kept, [2, 3])).unwrap();
    let (lean, full) = (lean.loss.into_scalar(), full.loss.into_scalar());
    assert!(f64::from((lean - full).abs()) < TOLERANCE);
}

#[test]
fn where_nothing_counts_the_loss_is_zero_without_weight() {
    let output =
        language_model_loss(logits(&[1.0; 6], [1, 3, 2]), targets(&[-100; 3], [1, 3])).unwrap();
    assert_eq!(output.counted, 0);
    assert_eq!(output.loss.into_scalar(), 0.0);
    assert_eq!(output.correct.unwrap().into_scalar(), 0);
}

#[test]
fn targets_that_do_not_fit_are_errors() {
    let logits = logits(&[1.0; 6], [1, 3, 2]);
    let loss = |values: &[i64], shape| language_model_loss(logits.clone(), targets(values, shape));
    assert!(matches!(
        loss(&[0, 2, 1], [1, 3]),
        Err(TrainError::TargetRange {
            target: 2,
            classes: 2
        })
    ));
    assert!(matches!(
        loss(&[0, -1, 1], [1, 3]),
        Err(TrainError::TargetNegative { target: -1 })
    ));
    assert!(matches!(
        loss(&[0, 1], [1, 2]),
        Err(TrainError::TargetShape { .. })
    ));
    let cut = CountedTargets::<B>::new(&[0, 1, 1], [2, 2], &Default::default());
    assert!(matches!(cut, Err(TrainError::TargetShape { .. })));
}
