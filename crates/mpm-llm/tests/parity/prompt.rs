//! Cases `b_*` and the inputs of `e_*`: prompts to ids, batches.

use mpm_llm::LlmError;
use mpm_llm::prompt::{
    Collator, EncodedPrompt, ExtState, InferenceBatch, PromptEncoder, PromptValue, TrainingBatch,
    relation_bucket,
};
use mpm_llm::tokenizer::{CpmBeeTokenizer, ExtTable};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::common;
use crate::tokenizer::{table, tokenizer_for};

fn ints(value: &Value) -> Vec<i64> {
    match value {
        Value::Array(items) => items.iter().flat_map(ints).collect(),
        Value::Bool(b) => vec![i64::from(*b)],
        number => vec![number.as_i64().unwrap()],
    }
}

fn wide<T: Copy + Into<i64>>(values: &[T]) -> Vec<i64> {
    values.iter().map(|&v| v.into()).collect()
}

fn bounds<'a>(rows: impl IntoIterator<Item = &'a std::ops::Range<usize>>) -> Vec<i64> {
    rows.into_iter()
        .flat_map(|b| [b.start as i64, b.end as i64])
        .collect()
}

fn size(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn check_encoded(tokenizer: &CpmBeeTokenizer, encoded: &EncodedPrompt, expected: &Value) {
    assert_eq!(wide(&encoded.ids), ints(&expected["ids"]));
    assert_eq!(wide(&encoded.sub_ids), ints(&expected["id_subs"]));
    assert_eq!(wide(&encoded.context), ints(&expected["context"]));
    assert_eq!(wide(&encoded.segment_ids), ints(&expected["segment_ids"]));
    assert_eq!(wide(&encoded.segment_rel), ints(&expected["segment_rel"]));
    assert_eq!(encoded.num_segments, size(&expected["n_segments"]));
    assert_eq!(
        bounds(&encoded.picture_bounds),
        ints(&expected["image_bound"])
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

fn check_error(error: &LlmError, case: &Value) {
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

/// Every array of a training batch under its name, with its shape.
fn training_arrays(batch: &TrainingBatch) -> Vec<(&'static str, Vec<usize>, Vec<i64>)> {
    let (rows, seq) = (batch.batch, batch.seq);
    let matrix = vec![rows, seq];
    let ext = vec![batch.ext_table_ids.len()];
    let pictures = batch.image_bound[0].len();
    let image_bound = bounds(batch.image_bound.iter().flatten());
    vec![
        ("input_ids", matrix.clone(), wide(&batch.input_ids)),
        ("input_id_subs", matrix.clone(), wide(&batch.input_id_subs)),
        ("context", matrix.clone(), wide(&batch.context)),
        ("segment_ids", matrix.clone(), wide(&batch.segment_ids)),
        (
            "segment_rel_offset",
            matrix.clone(),
            wide(&batch.segment_rel_offset),
        ),
        (
            "segment_rel",
            vec![rows, batch.rel_width],
            wide(&batch.segment_rel),
        ),
        ("sample_ids", matrix.clone(), wide(&batch.sample_ids)),
        ("num_segments", matrix.clone(), wide(&batch.num_segments)),
        ("length", vec![rows], wide(&batch.length)),
        ("span", matrix.clone(), wide(&batch.span)),
        ("target", matrix, wide(&batch.target)),
        ("ext_table_ids", ext.clone(), wide(&batch.ext_table_ids)),
        ("ext_table_sub", ext, wide(&batch.ext_table_sub)),
        ("image_bound", vec![rows, pictures, 2], image_bound),
    ]
}

#[test]
fn prompts_and_batches() {
    let mut count = 0;
    for name in common::cases("b_") {
        let file = common::json(&name);
        let Some(tokenizer) = tokenizer_for(&file) else {
            continue;
        };
        let group = |key: &str| file[key].as_array().unwrap();
        for case in group("cases") {
            assert_eq!(
                case["shuffle_answer"], false,
                "the order cannot be compared"
            );
            let encoded = encode(&tokenizer, case).unwrap();
            check_encoded(&tokenizer, &encoded, &case["output"]);
        }
        for chain in group("chained_prev_ext_states") {
            let mut ext = ExtState::default();
            for case in chain.as_array().unwrap() {
                let prompt = PromptValue::try_from(&case["data"]).unwrap();
                let encoded = PromptEncoder::new(&tokenizer)
                    .encode_after(&prompt, ext)
                    .unwrap();
                check_encoded(&tokenizer, &encoded, &case["output"]);
                ext = encoded.ext;
            }
        }
        for case in group("errors") {
            check_error(&encode(&tokenizer, case).unwrap_err(), case);
        }
        for case in group("rel_to_bucket") {
            let [up, down, bucket] = ints(case)[..] else {
                panic!("{case}")
            };
            assert_eq!(
                i64::from(relation_bucket(up as usize, down as usize, 8)),
                bucket
            );
        }
        for case in group("collater") {
            let batch = collate(&tokenizer, &case["inputs"], size(&case["max_len"])).unwrap();
            for (field, shape, values) in training_arrays(&batch) {
                let Some(expected) = case["output"].get(field) else {
                    assert!(field == "image_bound" && case["with_image_bound"] == false);
                    continue;
                };
                assert_eq!(
                    wide_sizes(&shape),
                    ints(&expected["shape"]),
                    "shape of {field}"
                );
                assert_eq!(values, ints(&expected["data"]), "{field}");
            }
        }
        for case in group("collater_errors") {
            let error = collate(&tokenizer, &case["inputs"], size(&case["max_len"])).unwrap_err();
            check_error(&error, case);
        }
        let groups = [
            "cases",
            "chained_prev_ext_states",
            "errors",
            "rel_to_bucket",
            "collater",
            "collater_errors",
        ];
        count += groups.iter().map(|key| group(key).len()).sum::<usize>();
    }
    println!("parity: {count} cases (prompts and batches)");
}

/// Sizes as numbers of the file.
fn wide_sizes(sizes: &[usize]) -> Vec<i64> {
    sizes.iter().map(|&s| s as i64).collect()
}

fn tensor(tensors: &SafeTensors<'_>, name: &str) -> Option<(Vec<usize>, Vec<i64>)> {
    let view = tensors.tensor(name).ok()?;
    let data = view.data();
    let values = match view.dtype() {
        Dtype::U8 => data.iter().map(|&b| i64::from(b)).collect(),
        Dtype::I8 => data.iter().map(|&b| i64::from(b as i8)).collect(),
        Dtype::I32 => data
            .chunks_exact(4)
            .map(|b| i64::from(i32::from_le_bytes(b.try_into().unwrap())))
            .collect(),
        Dtype::I64 => data
            .chunks_exact(8)
            .map(|b| i64::from_le_bytes(b.try_into().unwrap()))
            .collect(),
        other => panic!("{name}: {other:?}"),
    };
    Some((view.shape().to_vec(), values))
}

#[test]
fn training_inputs() {
    let mut count = 0;
    for name in common::cases("e_vlu_train") {
        let file = common::json(&name);
        let Some(tokenizer) = tokenizer_for(&file) else {
            continue;
        };
        let bytes = common::safetensors(&name);
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let encoder = PromptEncoder::new(&tokenizer);
        let max_len = size(&file["max_len"]);
        let picture = "<unk>".repeat(size(&file["query_num"]));
        let examples = file["examples"].as_array().unwrap().iter();
        let prompts: Vec<_> = examples
            .map(|example| {
                let mut texts = vec![("image".to_owned(), picture.clone())];
                for (key, text) in example.as_object().unwrap() {
                    texts.push((key.clone(), text.as_str().unwrap().to_owned()));
                }
                let mut encoded = encoder.encode(&texts.into_iter().collect()).unwrap();
                encoded.truncate(max_len).unwrap();
                encoded
            })
            .collect();
        let batch = Collator::new(&tokenizer, max_len)
            .collate(&prompts)
            .unwrap();
        for (field, shape, values) in training_arrays(&batch) {
            let expected = tensor(&tensors, &format!("in.{field}")).unwrap();
            assert_eq!((shape, values), expected, "{name}: {field}");
        }
        count += 1;
    }
    println!("parity: {count} cases (inputs of training)");
}

fn inference_prompt(file: &Value, run: &Value) -> PromptValue {
    let text = |key: &str| run[key].as_str().unwrap();
    let slots = size(&file["query_num"]);
    let mut prompt = PromptValue::chat(slots, text("context"), text("question"), "");
    if let (PromptValue::Map(entries), false) = (&mut prompt, run["direct_ans"].is_null()) {
        entries.last_mut().unwrap().1 = PromptValue::try_from(&run["direct_ans"]).unwrap();
    }
    prompt
}

fn check_inference(name: &str, tensors: &SafeTensors<'_>, tag: &str, batch: &InferenceBatch) {
    let matrix = vec![batch.batch, batch.seq];
    let ext = vec![batch.batch_ext_table_ids.len()];
    let pictures = vec![1, batch.image_bound[0].len(), 2];
    for (field, shape, values) in [
        ("input_ids", matrix.clone(), wide(&batch.input_ids)),
        ("input_id_subs", matrix.clone(), wide(&batch.input_id_subs)),
        ("input_pos", matrix.clone(), wide(&batch.input_pos)),
        ("context", matrix.clone(), wide(&batch.context)),
        ("sample_idx", matrix.clone(), wide(&batch.sample_idx)),
        ("num_segments", matrix.clone(), wide(&batch.num_segments)),
        ("segment_ids", matrix.clone(), wide(&batch.segment_ids)),
        (
            "segment_rel_offset",
            matrix,
            wide(&batch.segment_rel_offset),
        ),
        (
            "segment_rel",
            vec![batch.batch, batch.rel_width],
            wide(&batch.segment_rel),
        ),
        (
            "batch_ext_table_ids",
            ext.clone(),
            wide(&batch.batch_ext_table_ids),
        ),
        ("batch_ext_table_sub", ext, wide(&batch.batch_ext_table_sub)),
        (
            "image_bound",
            pictures,
            bounds(batch.image_bound.iter().flatten()),
        ),
    ] {
        let expected = tensor(tensors, &format!("in.{tag}.{field}")).unwrap();
        assert_eq!((shape, values), expected, "{name}, {tag}: {field}");
    }
}

fn check_row(tokenizer: &CpmBeeTokenizer, batch: &InferenceBatch, run: &Value) {
    let row = &batch.rows[0];
    let info = &run["other_info"];
    let segments: Vec<i64> = row
        .predict_segments
        .iter()
        .flat_map(|&(segment, answer)| [i64::from(segment), answer as i64])
        .collect();
    assert_eq!(segments, ints(&info["predict_segments"]));
    let paths: Value = row.answer_placeholders.clone().into();
    assert_eq!(paths, info["answer_placeholders"]);
    let by_id = |table: &ExtTable| {
        let mut entries: Vec<_> = table.iter().map(|(id, t)| (id, t.to_owned())).collect();
        entries.sort();
        entries
    };
    assert_eq!(by_id(&row.ext_table), by_id(&table(&info["ext_table"])));

    let tokens: Vec<(i32, usize)> = run["result_tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            let pair = ints(pair);
            (pair[0] as i32, pair[1] as usize)
        })
        .collect();
    let answers = row.answers(tokenizer, &tokens).unwrap();
    for (path, answer) in row.answer_placeholders.iter().zip(answers) {
        let expected = path
            .iter()
            .fold(&run["answer"], |value, key| &value[key.as_str()]);
        assert_eq!(answer.as_deref(), expected.as_str());
    }
}

#[test]
fn inference_inputs() {
    let mut count = 0;
    for name in common::cases("e_beam") {
        let file = common::json(&name);
        let Some(tokenizer) = tokenizer_for(&file) else {
            continue;
        };
        let bytes = common::safetensors(&name);
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let encoder = PromptEncoder::new(&tokenizer);
        let limit = Some(size(&file["max_inp_length"]));
        for run in file["runs"].as_array().unwrap() {
            let prompt = inference_prompt(&file, run);
            let batch = InferenceBatch::new(&encoder, [&prompt], limit).unwrap();
            check_inference(&name, &tensors, run["tag"].as_str().unwrap(), &batch);
            check_row(&tokenizer, &batch, run);
            count += 1;
        }
        for case in file
            .get("errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            check_inference_error(&encoder, &file, case);
            count += 1;
        }
    }
    println!("parity: {count} cases (inputs of inference)");
}

/// The reference finds no answer to predict once it has cut the slot away; here the cut itself is
/// the error.
fn check_inference_error(encoder: &PromptEncoder<'_>, file: &Value, case: &Value) {
    let Some(question) = case["question"].as_str() else {
        return;
    };
    // A note may follow the question in parentheses.
    let question = question.split(" (not escaped").next().unwrap_or(question);
    let prompt = PromptValue::chat(size(&file["query_num"]), "", question, "");
    let limit = case.get("max_inp_length").map(size);
    let error = InferenceBatch::new(encoder, [&prompt], limit).unwrap_err();
    if case["message"] == "No answer to predict" {
        assert!(matches!(error, LlmError::Truncation { .. }), "{error}");
    } else {
        check_error(&error, case);
    }
}
