//! The inputs of `e_*`: batches for training and for inference.

use mpm_llm::LlmError;
use mpm_llm::decoding::Token;
use mpm_llm::prompt::{Collator, InferenceBatch, PromptEncoder, PromptValue};
use mpm_llm::tokenizer::{CpmBeeTokenizer, ExtTable};
use mpm_test_support::{Case, cases, report};
use serde_json::Value;

use crate::arrays::{self, Array, integers, wide};
use crate::prompt::check_error;
use crate::tokenizer::{table, tokenizer_for};

/// Compares every array with the tensor `PREFIX.NAME`.
fn check_arrays(case: &Case, prefix: &str, arrays: Vec<Array>) {
    for array in arrays {
        let key = format!("{prefix}.{}", array.name);
        assert_eq!(
            array.shape,
            case.shape(&key),
            "{}: shape of {key}",
            case.name
        );
        assert_eq!(array.values, wide(&case.ints(&key)), "{}: {key}", case.name);
    }
}

#[test]
fn training_inputs() {
    let mut count = 0;
    for case in cases("e_vlu_train") {
        let Some(tokenizer) = tokenizer_for(&case) else {
            continue;
        };
        let encoder = PromptEncoder::new(&tokenizer);
        let max_len = case.size("/max_len");
        let picture = "<unk>".repeat(case.size("/query_num"));
        let examples = case.json["examples"].as_array().unwrap().iter();
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
        check_arrays(&case, "in", arrays::training(&batch));
        count += 1;
    }
    report(count, "inputs of training");
}

fn inference_prompt(file: &Case, run: &Value) -> PromptValue {
    let text = |key: &str| run[key].as_str().unwrap();
    let slots = file.size("/query_num");
    let mut prompt = PromptValue::chat(slots, text("context"), text("question"), "");
    if let (PromptValue::Map(entries), false) = (&mut prompt, run["direct_ans"].is_null()) {
        entries.last_mut().unwrap().1 = PromptValue::try_from(&run["direct_ans"]).unwrap();
    }
    prompt
}

fn check_row(tokenizer: &CpmBeeTokenizer, batch: &InferenceBatch, run: &Value) {
    let row = &batch.rows[0];
    let info = &run["other_info"];
    // The reference numbers answers from 1.
    let segments: Vec<i64> = row
        .predict_segments
        .iter()
        .zip(1..)
        .flat_map(|(&segment, answer)| [i64::from(segment), answer])
        .collect();
    assert_eq!(segments, integers(&info["predict_segments"]));
    let paths: Value = row.answer_placeholders.clone().into();
    assert_eq!(paths, info["answer_placeholders"]);
    let by_id = |table: &ExtTable| {
        let mut entries: Vec<_> = table.iter().map(|(id, t)| (id, t.to_owned())).collect();
        entries.sort();
        entries
    };
    assert_eq!(by_id(&row.ext_table), by_id(&table(&info["ext_table"])));

    let tokens: Vec<Token> = run["result_tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            let pair = integers(pair);
            Token {
                id: pair[0] as i32,
                answer: pair[1] as usize - 1,
                log_prob: 0.0,
            }
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
    for case in cases("e_beam") {
        let Some(tokenizer) = tokenizer_for(&case) else {
            continue;
        };
        let encoder = PromptEncoder::new(&tokenizer);
        let limit = Some(case.size("/max_inp_length"));
        for run in case.json["runs"].as_array().unwrap() {
            let prompt = inference_prompt(&case, run);
            let batch = InferenceBatch::new(&encoder, [&prompt], limit).unwrap();
            let prefix = format!("in.{}", run["tag"].as_str().unwrap());
            check_arrays(&case, &prefix, arrays::inference(&batch));
            check_row(&tokenizer, &batch, run);
            count += 1;
        }
        let errors = case.json.get("errors").and_then(Value::as_array);
        for error in errors.into_iter().flatten() {
            check_inference_error(&encoder, &case, error);
            count += 1;
        }
    }
    report(count, "inputs of inference");
}

/// The reference finds no answer to predict once it has cut the slot away; here the cut itself is
/// the error.
fn check_inference_error(encoder: &PromptEncoder<'_>, file: &Case, case: &Value) {
    let Some(question) = case["question"].as_str() else {
        return;
    };
    // A note may follow the question in parentheses.
    let question = question.split(" (not escaped").next().unwrap_or(question);
    let prompt = PromptValue::chat(file.size("/query_num"), "", question, "");
    let limit = case.get("max_inp_length").map(arrays::size);
    let error = InferenceBatch::new(encoder, [&prompt], limit).unwrap_err();
    if case["message"] == "No answer to predict" {
        assert!(matches!(error, LlmError::Truncation { .. }), "{error}");
    } else {
        check_error(&error, case);
    }
}
