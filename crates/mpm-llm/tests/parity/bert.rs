//! `h_bert_cls_*` and `h_chinese_clip_*`: the classifier of prompts and the texts' tower.

use std::fs;

use burn::tensor::{Tensor, activation::softmax};
use mpm_core::weights::{LoadOptions, Precision, save};
use mpm_llm::bert::{
    BertClassifier, BertConfig, BertInput, BlockRule, ChineseClipText, ChineseClipTextConfig,
    PromptClassifier,
};
use mpm_test_support::{Case, TestBackend, Tolerance, assert_values_close, cases, load, report};
use serde_json::json;

type B = TestBackend;

/// f32 through two layers, sums in another order than PyTorch's.
const F32: Tolerance = Tolerance {
    of_largest: 5e-6,
    ..Tolerance::EXACT
};
/// Numbers of at most 1, from states that [`F32`] allows to differ.
const UNIT: Tolerance = Tolerance {
    absolute: 5e-6,
    ..Tolerance::EXACT
};

#[test]
fn prompt_classifiers() {
    let cases = cases("h_bert_cls_");
    for case in &cases {
        let config: BertConfig = serde_json::from_value(case.json["config"].clone()).unwrap();
        let model = BertClassifier::<B>::new(&config, &Default::default()).unwrap();
        let keys = BertClassifier::<B>::checkpoint_keys(&config);
        let model = load(model, case, &["bert", "classifier"], keys);

        let input = input(case);
        let states = model.bert.forward(&input).unwrap();
        case.assert_close("out.last_hidden", states.clone(), F32);
        case.assert_close("out.pooled", model.bert.pool(states), F32);
        let logits = model.logits(&input).unwrap();
        case.assert_close("out.logits", logits.clone(), F32);
        case.assert_close("out.softmax", softmax(logits, 1), UNIT);
        assert_eq!(case.with_prefix("out.").count(), 4, "{}", case.name);
        classify(case, &config, &model);
    }
    report(cases.len(), "h_bert_cls");
}

/// The same from a folder, for all texts of one part: words that stand for the case's ids.
fn classify(case: &Case, config: &BertConfig, model: &BertClassifier<B>) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("config.json", serde_json::to_string(config).unwrap());
    let word = |id: i32| format!("w{id}");
    let mut vocabulary: Vec<String> = (0..config.vocab_size as i32 - 1).map(word).collect();
    vocabulary.push("[UNK]".to_owned());
    write("vocab.txt", vocabulary.join("\n"));
    let weights = folder.path().join("model.safetensors");
    let keys = BertClassifier::<B>::checkpoint_keys(config);
    save(model, weights, &keys, Precision::AsStored).unwrap();

    let input = input(case);
    let expected: Vec<f64> = case.data("out.softmax").iter().collect();
    let mut compared = 0;
    for row in 0..input.batch {
        let range = row * input.seq_len..(row + 1) * input.seq_len;
        let length = input.seen[range.clone()]
            .iter()
            .filter(|&&seen| seen)
            .count();
        let ids = &input.ids[range.clone()][..length];
        let [first, inner @ .., last] = ids else {
            continue;
        };
        if input.token_type_ids[range].iter().any(|&part| part > 0) {
            continue;
        }
        let special = json!({
            "cls_token": word(*first), "sep_token": word(*last), "pad_token": word(0),
        });
        write("tokenizer_config.json", special.to_string());
        let text: Vec<String> = inner.iter().map(|&id| word(id)).collect();

        let options = LoadOptions::default();
        let classifier = PromptClassifier::<B>::open(
            folder.path(),
            BlockRule::default(),
            &Default::default(),
            &options,
        );
        let classification = classifier.unwrap().classify(&text.join(" ")).unwrap();
        let mut labels = classification.labels;
        labels.sort_by(|left, right| left.label.cmp(&right.label));
        let scores: Vec<f64> = labels.iter().map(|label| label.score.into()).collect();
        let expected = &expected[row * scores.len()..][..scores.len()];
        assert_values_close(
            &format!("{} text {row}", case.name),
            &scores,
            expected,
            UNIT,
        );
        compared += 1;
    }
    assert!(compared > 0, "{}: no text of one part", case.name);
}

#[test]
fn chinese_clip_texts() {
    let cases = cases("h_chinese_clip_");
    for case in &cases {
        let config = json!({
            "text_config": case.json["text_config"],
            "projection_dim": case.json["projection_dim"],
        });
        let config: ChineseClipTextConfig = serde_json::from_value(config).unwrap();
        let tower = ChineseClipText::<B>::new(&config, &Default::default()).unwrap();
        let branches = [
            "text_model",
            "text_projection",
            "vision_model",
            "visual_projection",
            "logit_scale",
        ];
        let keys = ChineseClipText::<B>::checkpoint_keys(&config);
        let tower = load(tower, case, &branches, keys);

        let input = input(case);
        let states: Tensor<B, 3> = tower.text_model.forward(&input).unwrap();
        case.assert_close("out.text_last_hidden", states, F32);
        let embeds = tower.text_embeds(&input).unwrap();
        case.assert_close("out.text_embeds", embeds, UNIT);
    }
    report(cases.len(), "h_chinese_clip, texts");
}

fn input(case: &Case) -> BertInput {
    let &[batch, seq_len] = case.shape("in.input_ids") else {
        panic!("{}: in.input_ids is no matrix", case.name)
    };
    let ids = case.ints("in.input_ids");
    let token_type_ids = match case.has("in.token_type_ids") {
        true => case.ints("in.token_type_ids"),
        false => vec![0; ids.len()],
    };
    BertInput {
        batch,
        seq_len,
        ids,
        token_type_ids,
        seen: case.bools("in.attention_mask"),
    }
}
