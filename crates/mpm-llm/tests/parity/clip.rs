//! `p_clip_*`: the text side of CLIP, and its tokenizer.

use std::fs;

use mpm_core::pretrained::PretrainedFolder;
use mpm_llm::clip::{
    ClipText, ClipTextConfig, ClipTextInput, ClipTextTower, ClipTextTowerConfig, ClipTokenizer,
};
use mpm_test_support::{Case, TestBackend, Tolerance, load, own_cases, report};

type B = TestBackend;

/// f32 through three layers, sums in another order than PyTorch's.
const F32: Tolerance = Tolerance {
    of_largest: 3e-6,
    ..Tolerance::EXACT
};
/// Numbers of at most 1, from states that [`F32`] allows to differ.
const UNIT: Tolerance = Tolerance {
    absolute: 3e-6,
    ..Tolerance::EXACT
};

/// The cases with weights; the others are tokenizers.
fn models() -> Vec<Case> {
    let mut cases = own_cases("p_clip_");
    cases.retain(|case| !case.name.contains("tokenizer"));
    cases
}

fn input(case: &Case) -> ClipTextInput {
    let &[batch, seq_len] = case.shape("in.input_ids") else {
        panic!("{}: in.input_ids is no matrix", case.name)
    };
    ClipTextInput {
        batch,
        seq_len,
        ids: case.ints("in.input_ids"),
    }
}

#[test]
fn clip_texts() {
    let cases = models();
    for case in &cases {
        let config: ClipTextTowerConfig = serde_json::from_value(case.json.clone()).unwrap();
        let tower = ClipTextTower::<B>::new(&config, &Default::default()).unwrap();
        let branches = [
            "text_model",
            "text_projection",
            "vision_model",
            "visual_projection",
            "logit_scale",
        ];
        let tower = load(
            tower,
            case,
            &branches,
            ClipTextTower::<B>::checkpoint_keys(),
        );

        let input = input(case);
        let output = tower.text_model.forward(&input).unwrap();
        case.assert_close("out.text_last_hidden", output.last_hidden_state, F32);
        let penultimate = output.penultimate_hidden_state;
        case.assert_close("out.text_penultimate", penultimate, F32);
        case.assert_close("out.text_pooled", output.pooled, F32);
        let embeds = tower.text_embeds(&input).unwrap();
        case.assert_close("out.text_embeds", embeds, UNIT);

        // The transformer alone, as painters read it.
        let text = config.text_config.init::<B>(&Default::default()).unwrap();
        let text = load(
            text,
            case,
            &["text_model"],
            ClipText::<B>::checkpoint_keys(),
        );
        let last = text.forward(&input).unwrap().last_hidden_state;
        case.assert_close("out.text_last_hidden", last, F32);
    }
    report(cases.len(), "p_clip, texts");
}

/// A part of the model of a tokenizer's case.
fn tokenizer_part<'a>(case: &'a Case, part: &str) -> &'a serde_json::Value {
    &case.json["tokenizer"]["model"][part]
}

#[test]
fn clip_tokenizers() {
    let cases = own_cases("p_clip_tokenizer_");
    for case in &cases {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        write("tokenizer.json", case.json["tokenizer"].to_string());
        let config = ClipTextConfig {
            vocab_size: case.size("/vocab_size"),
            max_position_embeddings: case.size("/max_length"),
            eos_token_id: case.size("/end"),
            ..ClipTextConfig::tiny()
        };
        let opened = PretrainedFolder::open(folder.path()).unwrap();
        let tokenizer = ClipTokenizer::open(&opened, &config).unwrap();
        // The same in the two files of older folders.
        fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
        write("vocab.json", tokenizer_part(case, "vocab").to_string());
        let merges = tokenizer_part(case, "merges").as_array().unwrap();
        let merges = merges.iter().map(|pair| {
            let [left, right] = [0, 1].map(|side| pair[side].as_str().unwrap());
            format!("{left} {right}\n")
        });
        let merges: String = merges.collect();
        write("merges.txt", format!("#version: 0.2\n{merges}"));
        let older = ClipTokenizer::open(&opened, &config).unwrap();

        let texts: Vec<String> = serde_json::from_value(case.json["texts"].clone()).unwrap();
        let expected: Vec<Vec<i32>> = serde_json::from_value(case.json["ids"].clone()).unwrap();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let encoding = tokenizer.encode(&texts).unwrap();
        assert_eq!(older.encode(&texts).unwrap(), encoding);
        let rows = encoding.input.ids.chunks_exact(encoding.input.seq_len);
        for ((text, ids), expected) in texts.iter().zip(rows).zip(&expected) {
            assert_eq!(ids, expected, "{text:?}");
        }
        assert_eq!(encoding.input.batch, expected.len());
    }
    report(cases.len(), "p_clip_tokenizer");
}
