//! Cases `b_*`: prompts to ids, and prompts to batches.

use mpm_llm::LlmError;
use mpm_llm::prompt::{
    Collator, EncodedPrompt, ExtState, PromptEncoder, PromptValue, TrainingBatch, relation_bucket,
};
use mpm_llm::tokenizer::CpmBeeTokenizer;
use mpm_test_support::{cases, report};
use serde_json::Value;

use crate::arrays::{self, Array, bounds, integers, size, wide};
use crate::tokenizer::{table, tokenizer_for};

fn check_encoded(tokenizer: &CpmBeeTokenizer, encoded: &EncodedPrompt, expected: &Value) {
    assert_eq!(wide(&encoded.ids), integers(&expected["ids"]));
    assert_eq!(wide(&encoded.sub_ids), integers(&expected["id_subs"]));
    assert_eq!(wide(&encoded.context), integers(&expected["context"]));
    assert_eq!(
        wide(&encoded.segment_ids),
        integers(&expected["segment_ids"])
    );
    assert_eq!(
        wide(&encoded.segment_rel),
        integers(&expected["segment_rel"])
    );
    assert_eq!(encoded.num_segments, size(&expected["n_segments"]));
    assert_eq!(
        bounds(&encoded.picture_bounds),
        integers(&expected["image_bound"])
    );
    assert_eq!(encoded.ext.table, table(&expected["ext_table"]));
    let bases = expected["token_id_table"].as_object().unwrap();
    assert_eq!(encoded.ext.bases().count(), bases.len());
    for ((name, ids), (base, ours)) in bases.iter().zip(encoded.ext.bases()) {
        assert_eq!(
            tokenizer.vocabulary().token(base as u32),
            Some(name.as_str())
        );
        let ids = ids.as_object().unwrap();
        assert_eq!(ours.len(), ids.len());
        for (id, sub) in ids {
            let sub = sub.as_i64().unwrap();
            assert_eq!(
                encoded.ext.sub_id(id.parse().unwrap()),
                Some((base, sub as i32))
            );
        }
    }
}

fn encode(tokenizer: &CpmBeeTokenizer, case: &Value) -> Result<EncodedPrompt, LlmError> {
    let mut encoder = PromptEncoder::new(tokenizer);
    if let Some(depth) = case.get("max_depth") {
        encoder = encoder.with_max_depth(size(depth));
    }
    encoder.encode(&PromptValue::try_from(&case["data"])?)
}

pub fn check_error(error: &LlmError, case: &Value) {
    let (kind, message) = (&case["type"], case["message"].as_str().unwrap());
    let same = match error {
        LlmError::PromptType { .. } => kind == "AssertionError",
        LlmError::UnknownSpecialToken { token, .. } => message == format!("Invalid token {token}"),
        LlmError::UnexpectedEndOfText { .. } => message.starts_with("Unexpected end of text"),
        LlmError::InvalidSpecialToken { position } => {
            message == format!("Invalid special token at pos {position}")
        }
        LlmError::RowTooLong { .. } => kind == "IndexError",
        LlmError::PictureCount { .. } => kind == "RuntimeError",
        _ => false,
    };
    assert!(same, "{error} instead of {kind}: {message}");
}

fn collate(
    tokenizer: &CpmBeeTokenizer,
    inputs: &Value,
    max_len: usize,
) -> Result<TrainingBatch, LlmError> {
    let encoder = PromptEncoder::new(tokenizer);
    let prompts: Result<Vec<_>, _> = inputs
        .as_array()
        .unwrap()
        .iter()
        .map(|data| encoder.encode(&PromptValue::try_from(data)?))
        .collect();
    Collator::new(tokenizer, max_len).collate(&prompts?)
}

fn check_chain(tokenizer: &CpmBeeTokenizer, chain: &Value) {
    let mut ext = ExtState::default();
    for case in chain.as_array().unwrap() {
        let prompt = PromptValue::try_from(&case["data"]).unwrap();
        let encoded = PromptEncoder::new(tokenizer)
            .encode_after(&prompt, ext)
            .unwrap();
        check_encoded(tokenizer, &encoded, &case["output"]);
        ext = encoded.ext;
    }
}

fn check_relation(case: &Value) {
    let [up, down, bucket] = integers(case)[..] else {
        panic!("{case}")
    };
    let ours = relation_bucket(up as usize, down as usize, 8);
    assert_eq!(i64::from(ours), bucket);
}

fn check_batch(batch: &TrainingBatch, case: &Value) {
    for Array {
        name,
        shape,
        values,
    } in arrays::training(batch)
    {
        let Some(expected) = case["output"].get(name) else {
            assert!(name == "image_bound" && case["with_image_bound"] == false);
            continue;
        };
        let expected_shape: Vec<usize> = serde_json::from_value(expected["shape"].clone()).unwrap();
        assert_eq!(shape, expected_shape, "shape of {name}");
        assert_eq!(values, integers(&expected["data"]), "{name}");
    }
}

#[test]
fn prompts_and_batches() {
    let mut count = 0;
    for file in cases("b_") {
        let Some(tokenizer) = tokenizer_for(&file) else {
            continue;
        };
        let collate = |case: &Value| collate(&tokenizer, &case["inputs"], size(&case["max_len"]));
        let mut each = |group: &str, check: &dyn Fn(&Value)| {
            let cases = file.json[group].as_array().unwrap();
            cases.iter().for_each(check);
            count += cases.len();
        };
        each("cases", &|case| {
            let shuffled = &case["shuffle_answer"];
            assert_eq!(shuffled, false, "the order cannot be compared");
            let encoded = encode(&tokenizer, case).unwrap();
            check_encoded(&tokenizer, &encoded, &case["output"]);
        });
        each("chained_prev_ext_states", &|chain| {
            check_chain(&tokenizer, chain);
        });
        each("errors", &|case| {
            check_error(&encode(&tokenizer, case).unwrap_err(), case);
        });
        each("rel_to_bucket", &check_relation);
        each("collater", &|case| {
            check_batch(&collate(case).unwrap(), case);
        });
        each("collater_errors", &|case| {
            check_error(&collate(case).unwrap_err(), case);
        });
    }
    report(count, "prompts and batches");
}
