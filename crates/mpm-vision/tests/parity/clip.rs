//! `h_safety_*`, `h_chinese_clip_*` and `p_clip_*`: the vision transformer and what is built on it.

use std::collections::BTreeSet;

use burn::tensor::Tensor;
use mpm_test_support::{Case, TestBackend, Tolerance, cases, load, own_cases, report};
use mpm_vision::clip::{
    ChineseClipVision, ClipConfig, ClipVisionTower, SafetyChecker, cosine_similarity, rank,
};
use serde_json::json;

type B = TestBackend;

/// f32 through two layers, sums in another order than PyTorch's.
const F32: Tolerance = Tolerance {
    of_largest: 2e-6,
    ..Tolerance::EXACT
};
/// Cosines of at most 1, from embeddings that [`F32`] allows to differ.
const COSINE: Tolerance = Tolerance {
    absolute: 2e-6,
    ..Tolerance::EXACT
};
/// The cosines times e^2.4 ≈ 11.
const SCORE: Tolerance = Tolerance {
    absolute: 2e-5,
    ..Tolerance::EXACT
};

#[test]
fn safety_checkers() {
    let cases = cases("h_safety_");
    for case in &cases {
        judge(case);
    }
    report(cases.len(), "h_safety");
}

fn judge(case: &Case) {
    let checker = SafetyChecker::<B>::new(&config(case), &Default::default()).unwrap();
    let branches = [
        "vision_model",
        "visual_projection",
        "concept_embeds",
        "special_care_embeds",
        "concept_embeds_weights",
        "special_care_embeds_weights",
    ];
    let keys = SafetyChecker::<B>::checkpoint_keys(case.file());
    let checker = load(checker, case, &branches, keys);
    let pixel_values: Tensor<B, 4> = case.tensor("in.clip_input");
    let mut outputs = Outputs::of(case);

    let pooled = checker
        .vision_model
        .forward(pixel_values.clone())
        .unwrap()
        .pooled;
    case.assert_close(outputs.take("pooled"), pooled, F32);
    let embeds = checker.image_embeds(pixel_values.clone()).unwrap();
    case.assert_close(outputs.take("image_embeds"), embeds.clone(), F32);
    for (name, concepts) in [
        ("cos_special", &checker.special_care_embeds),
        ("cos_concept", &checker.concept_embeds),
    ] {
        let cosines = cosine_similarity(embeds.clone(), concepts.val());
        case.assert_close(outputs.take(name), cosines, COSINE);
    }

    let reports = checker.check(pixel_values).unwrap();
    let flagged: Vec<bool> = reports.iter().map(|report| report.is_flagged()).collect();
    assert_eq!(
        flagged,
        case.bools(outputs.take("has_nsfw_concept")),
        "{}",
        case.name
    );
    let special: Vec<bool> = reports
        .iter()
        .map(|report| !report.special_care.is_empty())
        .collect();
    assert_eq!(
        special,
        case.bools(outputs.take("special_hit")),
        "{}",
        case.name
    );
    outputs.end();
}

#[test]
fn chinese_clip_pictures() {
    let cases = cases("h_chinese_clip_");
    for case in &cases {
        score(case);
    }
    report(cases.len(), "h_chinese_clip, pictures");
}

fn score(case: &Case) {
    let tower = ChineseClipVision::<B>::new(&config(case), &Default::default()).unwrap();
    let branches = [
        "vision_model",
        "visual_projection",
        "logit_scale",
        "text_model",
        "text_projection",
    ];
    let tower = load(
        tower,
        case,
        &branches,
        ChineseClipVision::<B>::checkpoint_keys(),
    );
    let pixel_values: Tensor<B, 4> = case.tensor("in.pixel_values");
    let mut outputs = Outputs::of(case);

    let output = tower.vision_model.forward(pixel_values.clone()).unwrap();
    case.assert_close(
        outputs.take("vision_last_hidden"),
        output.last_hidden_state,
        F32,
    );
    case.assert_close(outputs.take("vision_pooled"), output.pooled, F32);
    let pictures = tower.image_embeds(pixel_values).unwrap();
    case.assert_close(outputs.take("image_embeds"), pictures.clone(), COSINE);

    // The other tower's outputs are computed in `mpm-llm`.
    let texts: Tensor<B, 2> = case.tensor(outputs.take("text_embeds"));
    outputs.take("text_last_hidden");
    let scores = tower.scores(pictures.clone(), texts.clone()).unwrap();
    case.assert_close(outputs.take("logits_per_image"), scores.clone(), SCORE);
    case.assert_close(outputs.take("logits_per_text"), scores.transpose(), SCORE);

    // The candidates of one text, the first.
    let scores = tower.scores(pictures, texts.slice(0..1)).unwrap();
    let [candidates, _] = scores.dims();
    let scores = scores.reshape([candidates]).into_data();
    case.assert_data_close(outputs.take("ranker_scores"), &scores, SCORE);
    let order: Vec<i32> = rank(scores.as_slice().unwrap())
        .into_iter()
        .map(|place| place as i32)
        .collect();
    assert_eq!(
        order,
        case.ints(outputs.take("ranker_order")),
        "{}",
        case.name
    );
    outputs.end();
}

#[test]
fn clip_pictures() {
    let mut cases = own_cases("p_clip_");
    cases.retain(|case| !case.name.contains("tokenizer"));
    for case in &cases {
        let tower = ClipVisionTower::<B>::new(&config(case), &Default::default()).unwrap();
        let branches = [
            "vision_model",
            "visual_projection",
            "logit_scale",
            "text_model",
            "text_projection",
        ];
        let keys = ClipVisionTower::<B>::checkpoint_keys();
        let tower = load(tower, case, &branches, keys);
        let pixel_values: Tensor<B, 4> = case.tensor("in.pixel_values");

        let output = tower.vision_model.forward(pixel_values.clone()).unwrap();
        case.assert_close("out.vision_last_hidden", output.last_hidden_state, F32);
        case.assert_close("out.vision_pooled", output.pooled, F32);
        let pictures = tower.image_embeds(pixel_values).unwrap();
        case.assert_close("out.image_embeds", pictures.clone(), COSINE);
        let texts: Tensor<B, 2> = case.tensor("out.text_embeds");
        let scores = tower.scores(pictures, texts).unwrap();
        case.assert_close("out.logits_per_image", scores.clone(), SCORE);
        case.assert_close("out.logits_per_text", scores.transpose(), SCORE);
    }
    report(cases.len(), "p_clip, pictures");
}

/// What `config.json` of the case's model would say.
fn config(case: &Case) -> ClipConfig {
    let config = json!({
        "vision_config": case.json["vision_config"],
        "projection_dim": case.json["projection_dim"],
    });
    serde_json::from_value(config).unwrap()
}

/// The outputs of a case, so that none is left out.
struct Outputs<'a> {
    case: &'a Case,
    left: BTreeSet<&'a str>,
}

impl<'a> Outputs<'a> {
    fn of(case: &'a Case) -> Self {
        let left = case.names().filter(|name| name.starts_with("out."));
        Self {
            case,
            left: left.collect(),
        }
    }

    /// The key of an output, which is compared now.
    fn take(&mut self, name: &str) -> &'a str {
        let key = format!("out.{name}");
        self.left
            .take(&*key)
            .unwrap_or_else(|| panic!("{} lacks {key}", self.case.name))
    }

    fn end(self) {
        assert!(
            self.left.is_empty(),
            "{}: {:?} not compared",
            self.case.name,
            self.left
        );
    }
}
