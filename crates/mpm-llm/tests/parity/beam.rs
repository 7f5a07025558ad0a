//! `e_beam_*`: beam search, from the reference's picture features.

use std::ops::ControlFlow;

use burn::module::Module;
use mpm_llm::{
    cpm_bee::{AnswerTokens, CpmBee, CpmBeeConfig, CpmBeePrompt, CpmBeeSession, CpmBeeStep},
    decoding::{BeamSearch, DecodingParams, DecodingSession, Strategy, Token, generate},
    tokenizer::CpmBeeTokenizer,
};
use mpm_test_support::{
    Case, TestBackend, Tolerance, assert_values_close, cases, load_branch, report, vocabulary,
};
use serde_json::Value;

/// Sums of f32 log probabilities over up to hundreds of steps; each is rounded
/// to its sum's spacing, and the model's own logits differ by some 1e-6.
const SCORE: Tolerance = Tolerance {
    absolute: 2e-4,
    relative: 2e-5,
    ..Tolerance::EXACT
};
/// Tokens that the reference's `max_length` does not count.
const EXTRA_TOKENS: usize = 2;

#[test]
fn beam_search() {
    let cases = cases("e_beam_");
    let Some(vocabulary) = vocabulary::small() else {
        return;
    };
    let tokenizer = CpmBeeTokenizer::from_file(vocabulary).unwrap();
    let special = AnswerTokens::from(&tokenizer);
    let mut runs = 0;
    for case in &cases {
        let config: CpmBeeConfig = serde_json::from_value(case.json["llm_config"].clone()).unwrap();
        let model: CpmBee<TestBackend> = config.init(&Default::default()).unwrap();
        let model = load_branch(model.no_grad(), case, "llm");
        for run in case.json["runs"].as_array().unwrap() {
            search(case, &model, special, run);
            runs += 1;
        }
    }
    report(cases.len(), &format!("e_beam, {runs} runs"));
}

fn search(case: &Case, model: &CpmBee<TestBackend>, special: AnswerTokens, run: &Value) {
    let tag = run["tag"].as_str().unwrap();
    let params = params(&run["settings"]);
    let prompt = prompt(case, tag, run);
    let session = || {
        CpmBeeSession::new(
            model,
            prompt.clone(),
            Some(case.tensor(&format!("out.{tag}.vision_hidden_states"))),
            special,
            params.max_new_tokens,
        )
        .unwrap()
    };
    let Strategy::Beam {
        beams,
        length_penalty,
    } = params.strategy
    else {
        unreachable!("these are beam searches");
    };

    let mut stepwise = session();
    let mut search = BeamSearch::new(&params, beams, length_penalty, &stepwise);
    let mut logits = stepwise.start().unwrap();
    let (mut words, mut scores) = (Vec::new(), Vec::new());
    loop {
        let width = logits.width;
        let next = search.advance(logits, &mut stepwise).unwrap();
        for candidate in search.candidates() {
            words.push((candidate.beam * width) as i32 + candidate.token);
            scores.push(f64::from(candidate.score));
        }
        match next {
            Some(tokens) => logits = stepwise.step(&tokens).unwrap(),
            None => break,
        }
    }
    // The longest run comes without its steps.
    if case.has(&format!("out.{tag}.step_words")) {
        assert_eq!(
            words,
            case.ints(&format!("out.{tag}.step_words")),
            "{tag}: candidates"
        );
        let expected: Vec<f64> = case
            .data(&format!("out.{tag}.step_scores"))
            .iter()
            .collect();
        assert_values_close(&format!("{tag}: step scores"), &scores, &expected, SCORE);
    }
    let steps = words.len() / (2 * beams);
    assert_eq!(steps as u64, run["steps"].as_u64().unwrap(), "{tag}: steps");

    let numbers: Vec<i64> = run["other_info"]["predict_segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|segment| segment[1].as_i64().unwrap())
        .collect();
    let pairs = |tokens: &[Token]| -> Vec<[i64; 2]> {
        let pair = |token: &Token| [i64::from(token.id), numbers[token.answer]];
        tokens.iter().map(pair).collect()
    };
    let hypotheses = run["hypotheses"].as_array().unwrap();
    assert_eq!(search.ended().len(), hypotheses.len(), "{tag}");
    for (actual, expected) in search.ended().iter().zip(hypotheses) {
        let tokens: Vec<[i64; 2]> = serde_json::from_value(expected["tokens"].clone()).unwrap();
        assert_eq!(pairs(&actual.tokens), tokens, "{tag}: hypothesis");
        // The score is divided by a power of the length, and its error as well.
        let divisor = (tokens.len() as f64).powf(length_penalty);
        let tolerance = Tolerance {
            absolute: SCORE.absolute / divisor,
            ..SCORE
        };
        let score = expected["score"].as_f64().unwrap();
        assert_values_close(
            &format!("{tag}: score"),
            &[actual.score],
            &[score],
            tolerance,
        );
    }

    let expected: Vec<[i64; 2]> = serde_json::from_value(run["result_tokens"].clone()).unwrap();
    let mut streamed = vec![String::new(); numbers.len()];
    let generation = generate(
        &mut session(),
        &params,
        |token| Ok(format!("[{token}]").into_bytes()),
        |piece| {
            streamed[piece.answer] += piece.text;
            ControlFlow::Continue(())
        },
    );
    let generation = generation.unwrap();
    assert_eq!(pairs(&generation.tokens), expected, "{tag}: result");
    streamed.truncate(generation.texts.len());
    assert_eq!(streamed, generation.texts, "{tag}: streamed text");
}

fn params(settings: &Value) -> DecodingParams {
    let number = |key: &str, default: f64| settings[key].as_f64().unwrap_or(default);
    let count = |key: &str| settings[key].as_u64().map(|value| value as usize);
    // The defaults of the reference's `_decode`.
    DecodingParams {
        strategy: Strategy::Beam {
            beams: count("beam_size").unwrap_or(3),
            length_penalty: number("length_penalty", 1.0),
        },
        temperature: number("temperature", 1.0),
        repetition_penalty: number("repetition_penalty", 1.0),
        repetition_window: count("repetition_window"),
        max_new_tokens: count("max_length").unwrap_or(100) + EXTRA_TOKENS,
        stop: Vec::new(),
    }
}

fn prompt(case: &Case, tag: &str, run: &Value) -> CpmBeePrompt {
    let ints = |name: &str| case.ints(&format!("in.{tag}.{name}"));
    let info = &run["other_info"];
    CpmBeePrompt {
        ids: ints("input_ids"),
        sub_ids: ints("input_id_subs"),
        tokens: CpmBeeStep {
            batch: 1,
            len: ints("input_ids").len(),
            position: ints("input_pos"),
            context: case.bools(&format!("in.{tag}.context")),
            sample_ids: ints("sample_idx"),
            num_segments: ints("num_segments"),
            segment_ids: ints("segment_ids"),
            segment_rel_offset: ints("segment_rel_offset"),
        },
        pictures: ints("image_bound")
            .chunks_exact(2)
            .map(|bound| bound[0] as usize..bound[1] as usize)
            .collect(),
        segment_rel: ints("segment_rel"),
        ext_table_ids: ints("batch_ext_table_ids"),
        ext_table_sub: ints("batch_ext_table_sub"),
        allowed_ext: info["ext_table"]
            .as_object()
            .unwrap()
            .keys()
            .map(|id| id.parse().unwrap())
            .collect(),
        answer_segments: info["predict_segments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|segment| segment[0].as_i64().unwrap() as i32)
            .collect(),
    }
}
