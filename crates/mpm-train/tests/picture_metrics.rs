//! Figures of pictures against NumPy, torchmetrics and pytorch-fid, and what they refuse.
//!
//! Cases `p_frechet_*` and `p_scores_*` are read from the folder `MPM_FIXTURES`, by default
//! `tests/fixtures` of the workspace, where `scripts/p_frechet.py` and `p_scores.py` wrote them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use burn::{
    backend::Flex,
    tensor::{DType, Tensor, TensorData},
};
use mpm_test_support::{Case, Tolerance, assert_values_close, own_cases, report};
use mpm_train::{
    BoxError,
    picture_metrics::{
        ClipScore, FeatureStatistics, PictureMetricError, Retrieval, TwoTowers, frechet_distance,
    },
};
use proptest::{collection::vec, prelude::*};

type B = Flex;

/// f64 sums of some tens of terms, of values that f32 holds exactly.
const F64: Tolerance = Tolerance {
    of_largest: 1e-13,
    ..Tolerance::EXACT
};
/// Regular covariances: their roots lose a few digits of f64 to the condition of the matrix.
const REGULAR: f64 = 1e-12;
/// Singular covariances: in both references eigenvalues that are 0 come out as 1e-16 of the largest
/// one, and the root of that is 1e-8.
const SINGULAR: f64 = 5e-8;
/// Cosines in f32, times 100.
const SCORE: f64 = 1e-4;

fn number(case: &Case, pointer: &str) -> f64 {
    case.json
        .pointer(pointer)
        .and_then(|value| value.as_f64())
        .unwrap()
}

fn statistics(case: &Case, key: &str, batch: usize) -> FeatureStatistics {
    let features: Tensor<B, 2> = case.tensor(key);
    let [count, width] = features.dims();
    let mut statistics = FeatureStatistics::new(width);
    for start in (0..count).step_by(batch) {
        let rows = batch.min(count - start);
        statistics
            .add(features.clone().narrow(0, start, rows))
            .unwrap();
    }
    assert_eq!((statistics.count(), statistics.width()), (count, width));
    statistics
}

#[test]
fn distances_are_those_of_the_references() {
    let cases = own_cases("p_frechet_");
    for case in &cases {
        let &[count, width] = case.shape("in.first") else {
            panic!("{}: in.first is no matrix", case.name)
        };
        let within = if count > width { REGULAR } else { SINGULAR };
        // The size of batches makes no difference, one by one and all at once included.
        for batch in [1, 7, 1000] {
            let first = statistics(case, "in.first", batch);
            let values = |key| -> Vec<f64> { case.data(key).iter().collect() };
            assert_values_close("mean", first.mean(), &values("out.mean"), F64);
            let covariance = first.covariance().unwrap();
            assert_values_close("covariance", &covariance, &values("out.covariance"), F64);

            let second = statistics(case, "in.second", batch);
            let distance = frechet_distance(&first, &second).unwrap();
            for reference in ["/exact", "/pytorch_fid", "/torchmetrics"] {
                let expected = number(case, reference);
                let error = (distance / expected - 1.0).abs();
                assert!(
                    error < within,
                    "{} {reference}: {distance} {expected} {error:e}",
                    case.name
                );
            }
            let back = frechet_distance(&second, &first).unwrap();
            assert!((back / distance - 1.0).abs() < within, "{back} {distance}");
            let same = frechet_distance(&first, &first).unwrap();
            assert!(same <= SINGULAR * distance, "{}: {same}", case.name);
        }
    }
    report(cases.len(), "p_frechet");
}

#[test]
fn workers_may_share_a_set() {
    for case in &own_cases("p_frechet_shifted") {
        let features: Tensor<B, 2> = case.tensor("in.first");
        let [count, width] = features.dims();
        let mut merged = FeatureStatistics::new(width);
        merged.merge(&FeatureStatistics::new(width)).unwrap();
        for (start, rows) in [(0, 5), (5, count - 5)] {
            let mut share = FeatureStatistics::new(width);
            share.add(features.clone().narrow(0, start, rows)).unwrap();
            merged.merge(&share).unwrap();
        }
        let whole = statistics(case, "in.first", count);
        assert_values_close("mean", merged.mean(), whole.mean(), F64);
        let covariance = |set: &FeatureStatistics| set.covariance().unwrap();
        assert_values_close("covariance", &covariance(&merged), &covariance(&whole), F64);
        let wide = FeatureStatistics::new(width + 1);
        assert!(matches!(
            merged.merge(&wide),
            Err(PictureMetricError::FeatureWidth { .. })
        ));
    }
}

fn rows<const N: usize, const W: usize>(rows: [[f32; W]; N]) -> Tensor<B, 2> {
    Tensor::from_data(rows, &Default::default())
}

#[test]
fn features_that_have_no_distance_are_refused() {
    let mut set = FeatureStatistics::new(2);
    let none = frechet_distance(&set, &set).unwrap_err();
    assert!(matches!(none, PictureMetricError::FewSamples { found: 0 }));
    set.add(rows([[1.0, 2.0]])).unwrap();
    let one = frechet_distance(&set, &set).unwrap_err();
    assert!(matches!(one, PictureMetricError::FewSamples { found: 1 }));
    let narrow = set.add(rows([[1.0]])).unwrap_err();
    assert!(matches!(
        narrow,
        PictureMetricError::FeatureWidth {
            expected: 2,
            found: 1
        }
    ));
    for broken in [f32::NAN, f32::INFINITY] {
        let error = set.add(rows([[0.0, 1.0], [broken, 1.0]])).unwrap_err();
        assert!(
            matches!(error, PictureMetricError::NotFinite { row: 1, .. }),
            "{error}"
        );
    }
    // What was refused has left no trace, and an empty batch leaves none either.
    set.add(Tensor::<B, 2>::zeros([0, 2], &Default::default()))
        .unwrap();
    assert_eq!((set.count(), set.mean()), (1, &[1.0, 2.0][..]));
    set.add(rows([[3.0, 6.0]])).unwrap();
    assert_eq!(set.mean(), [2.0, 4.0]);
    assert_eq!(set.covariance().unwrap(), [2.0, 4.0, 4.0, 8.0]);
    let other = FeatureStatistics::new(3);
    assert!(matches!(
        frechet_distance(&set, &other),
        Err(PictureMetricError::FeatureWidth { .. })
    ));
    // Far apart beyond what f64 can hold.
    let far = |value: f64| {
        let device = Default::default();
        let features = Tensor::<B, 2>::full([2, 2], value, (&device, DType::F64));
        let mut set = FeatureStatistics::new(2);
        set.add(features).unwrap();
        set
    };
    assert!(matches!(
        frechet_distance(&far(1e200), &far(-1e200)),
        Err(PictureMetricError::Overflow)
    ));
    // Features of no width are all the same.
    let mut nothing = FeatureStatistics::new(0);
    nothing
        .add(Tensor::<B, 2>::zeros([4, 0], &Default::default()))
        .unwrap();
    assert_eq!(frechet_distance(&nothing, &nothing).unwrap(), 0.0);
}

#[test]
fn scores_are_those_of_torchmetrics() {
    let cases = own_cases("p_scores_");
    for case in &cases {
        let pictures: Tensor<B, 2> = case.tensor("in.image_embeds");
        let texts: Tensor<B, 2> = case.tensor("in.text_embeds");
        let mut score = ClipScore::new();
        let [pairs, _] = pictures.dims();
        for (start, count) in [(0, 7), (7, pairs - 7)] {
            let part = |embeds: &Tensor<B, 2>| embeds.clone().narrow(0, start, count);
            score.add(part(&pictures), part(&texts)).unwrap();
        }
        assert_eq!(score.pairs(), pairs);
        let close = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < SCORE;
        assert!(
            close(score.mean(), number(case, "/mean")),
            "{} {score}",
            case.name
        );
        let expected = number(case, "/torchmetrics");
        assert!(
            close(score.clipped_mean(), expected),
            "{} {score}",
            case.name
        );
    }
    let negative = cases.iter().any(|case| number(case, "/negative") > 0.0);
    assert!(negative, "no case tells the two means apart");
    report(cases.len(), "p_scores, CLIP score");
}

#[test]
fn retrieval_is_counted_as_by_torch() {
    let cases = own_cases("p_scores_");
    for case in &cases {
        let owners: Vec<usize> = case
            .data("in.owners")
            .iter()
            .map(|owner: i64| owner as usize)
            .collect();
        let retrieval = Retrieval::of_owned::<B>(
            case.tensor("in.image_embeds"),
            case.tensor("in.owned_text_embeds"),
            &owners,
        )
        .unwrap();
        let ks: Vec<usize> = serde_json::from_value(case.json["ks"].clone()).unwrap();
        for (recall, name) in [
            (&retrieval.picture_to_text, "picture_to_text"),
            (&retrieval.text_to_picture, "text_to_picture"),
        ] {
            let expected: Vec<f64> = serde_json::from_value(case.json[name].clone()).unwrap();
            let found: Vec<f64> = ks.iter().map(|&k| recall.at(k).unwrap()).collect();
            assert_values_close(name, &found, &expected, F64);
        }
        assert_eq!(retrieval.text_to_picture.queries(), owners.len());
    }
    report(cases.len(), "p_scores, retrieval");
}

#[test]
fn embeddings_that_are_all_the_same_are_at_chance() {
    let same = Tensor::<B, 2>::ones([50, 7], &Default::default());
    let retrieval = Retrieval::of(same.clone() * 3.0, same).unwrap();
    for recall in [&retrieval.picture_to_text, &retrieval.text_to_picture] {
        assert!((recall.at(1).unwrap() - 0.02).abs() < 1e-9);
        assert!((recall.at(10).unwrap() - 0.2).abs() < 1e-9);
    }
}

#[test]
fn embeddings_that_cannot_be_compared_are_refused() {
    let pair = || rows([[1.0, 0.0], [0.0, 1.0]]);
    let mut score = ClipScore::new();
    assert_eq!(
        (score.mean(), score.to_string().as_str()),
        (None, "no pairs")
    );
    assert!(matches!(
        score.add(pair(), rows([[1.0, 0.0]])),
        Err(PictureMetricError::Pairs { .. })
    ));
    let error = score
        .add(pair(), rows([[1.0, 0.0], [0.0, f32::NAN]]))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the text embeddings of input 1 hold NaN; the weights are broken, or f16 overflowed: try \
         f32 or bf16"
    );
    let narrow = || Tensor::<B, 2>::zeros([2, 0], &Default::default());
    assert!(matches!(
        score.add(narrow(), narrow()),
        Err(PictureMetricError::EmbeddingWidth { .. })
    ));
    // In f16 the sum of these is infinite, and their direction is not.
    let large = Tensor::<B, 2>::full([1, 8], 3e4, (&Default::default(), DType::F16));
    let mut half = ClipScore::new();
    half.add(large.clone(), large).unwrap();
    assert!((half.mean().unwrap() - 100.0).abs() < SCORE);
    // Zeros are like nothing, which is no error.
    score.add(pair(), rows([[0.0, 0.0], [0.0, 5.0]])).unwrap();
    assert_eq!(score.mean(), Some(50.0));

    let owned = |owners: &[usize]| Retrieval::of_owned(pair(), pair(), owners).unwrap_err();
    assert!(matches!(owned(&[0]), PictureMetricError::OwnerCount { .. }));
    assert!(matches!(
        owned(&[0, 2]),
        PictureMetricError::Owner {
            text: 1,
            picture: 2,
            pictures: 2
        }
    ));
    assert!(matches!(
        owned(&[1, 1]),
        PictureMetricError::NoText { picture: 0 }
    ));
    assert!(matches!(
        Retrieval::of_owned(pair(), rows([[1.0], [1.0]]), &[0, 1]),
        Err(PictureMetricError::EmbeddingWidth { .. })
    ));
    let none = || Tensor::<B, 2>::zeros([0, 2], &Default::default());
    assert!(matches!(
        Retrieval::of(none(), none()),
        Err(PictureMetricError::Empty)
    ));
}

#[test]
fn two_towers_score_what_they_embed() {
    let embed = |values: &[[f32; 2]]| -> Result<Tensor<B, 2>, BoxError> {
        match values.is_empty() {
            true => Err("there is nothing".into()),
            false => Ok(Tensor::from_data(
                TensorData::new(values.concat(), [values.len(), 2]),
                &Default::default(),
            )),
        }
    };
    let towers = TwoTowers::new(embed, embed);
    let pictures: [&[[f32; 2]]; 2] = [&[[1.0, 0.0], [0.0, 1.0]], &[[1.0, 1.0]]];
    let texts: [&[[f32; 2]]; 2] = [&[[2.0, 0.0], [1.0, 0.0]], &[[3.0, 3.0]]];
    let batches = || pictures.into_iter().zip(texts);
    let score = towers.clip_score(batches()).unwrap();
    assert_eq!(score.pairs(), 3);
    assert!((score.mean().unwrap() - 200.0 / 3.0).abs() < SCORE);
    let retrieval = towers.retrieval(batches()).unwrap();
    // The first picture is found by two texts that are equal; the second by none.
    let recall = retrieval.picture_to_text.at(1).unwrap();
    assert!((recall - 0.5).abs() < 1e-9, "{recall}");

    let error = towers.clip_score([(pictures[0], &[][..])]).unwrap_err();
    assert!(matches!(
        error,
        PictureMetricError::Encoder { what: "texts", .. }
    ));
    let uneven = towers.retrieval([(pictures[0], texts[1])]).unwrap_err();
    assert!(matches!(uneven, PictureMetricError::Pairs { .. }));
    let none = towers.retrieval(batches().take(0)).unwrap_err();
    assert!(matches!(none, PictureMetricError::Empty));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The covariance of two pictures' features is `d dᵀ`, and the root of a product of two such has
    /// the trace `|d₁ · d₂|`. At this width rounding errors of such matrices can underflow, and
    /// eigenvectors come out as NaN.
    #[test]
    fn two_pictures_suffice_whatever_their_features_are(
        // Behind a ReLU half of them are 0.
        features in vec((-1.0..1.0).prop_map(|value: f64| value.max(0.0)), 4 * 1024)
    ) {
        let width = features.len() / 4;
        let halves = features.split_at(2 * width);
        let [(first, d1), (second, d2)] = [halves.0, halves.1].map(|two| {
            let data = TensorData::new(two.to_vec(), [2, width]);
            let device = (&Default::default(), DType::F64);
            let mut set = FeatureStatistics::new(width);
            set.add(Tensor::<B, 2>::from_data(data, device)).unwrap();
            let pairs = two[..width].iter().zip(&two[width..]);
            let half: Vec<_> = pairs.map(|(a, b)| (a - b) / 2f64.sqrt()).collect();
            (set, half)
        });
        let means = first.mean().iter().zip(second.mean());
        let between: Vec<_> = means.map(|(a, b)| a - b).collect();
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let expected =
            dot(&between, &between) + dot(&d1, &d1) + dot(&d2, &d2) - 2.0 * dot(&d1, &d2).abs();
        let found = frechet_distance(&first, &second).unwrap();
        prop_assert!((found / expected - 1.0).abs() < REGULAR, "{} {}", found, expected);
    }
}
