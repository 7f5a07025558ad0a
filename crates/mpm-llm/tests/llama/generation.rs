//! `l_llama_*`: greedy answers and beam searches as `generate` of `transformers` gives them.

use std::ops::ControlFlow;

use mpm_llm::{
    LlmError,
    decoding::{DecodingParams, DecodingSession, FinishReason, Generation, Strategy, generate},
    llama::{Llama, LlamaConfig, LlamaInput, LlamaSession, RopeConfig, RopeScaling},
};
use mpm_test_support::{Case, TestBackend, own_cases, report};

use crate::model::model;

type B = TestBackend;

/// Sums of f32 log probabilities over up to 12 steps.
const SCORE: f64 = 1e-5;

fn numbers(case: &Case, key: &str) -> Vec<i32> {
    serde_json::from_value(case.json["generation"][key].clone()).unwrap()
}

fn session<'a>(case: &Case, model: &'a Llama<B>, ends: &[i32]) -> LlamaSession<'a, B> {
    let prompt = numbers(case, "prompt");
    let embeddings = model.embed(&prompt, [1, prompt.len()]).unwrap();
    let max_new_tokens = case.size("/generation/max_new_tokens");
    LlamaSession::new(model, embeddings, ends, max_new_tokens).unwrap()
}

fn params(case: &Case, strategy: Strategy) -> DecodingParams {
    DecodingParams {
        strategy,
        temperature: 1.0,
        repetition_penalty: 1.0,
        max_new_tokens: case.size("/generation/max_new_tokens"),
        ..DecodingParams::default()
    }
}

fn run(session: &mut LlamaSession<'_, B>, params: &DecodingParams) -> Generation {
    let no_text = |_| Ok(Vec::new());
    generate(session, params, no_text, |_| ControlFlow::Continue(())).unwrap()
}

fn ids(generation: &Generation) -> Vec<i32> {
    generation.tokens.iter().map(|token| token.id).collect()
}

#[test]
fn greedy_answers() {
    let cases = own_cases("l_llama_");
    for case in &cases {
        let model = model(case);
        let ends = numbers(case, "eos_token_id");
        let params = params(case, Strategy::Greedy);
        let generation = run(&mut session(case, &model, &ends), &params);
        assert_eq!(ids(&generation), numbers(case, "greedy"), "{}", case.name);
        assert_eq!(generation.finish, FinishReason::Eos, "{}", case.name);
        // The id 0 ended the reference's answer, which otherwise goes on to the limit.
        let free = run(&mut session(case, &model, &[0]), &params);
        assert_eq!(ids(&free), numbers(case, "free"), "{}", case.name);
    }
    report(cases.len(), "l_llama, greedy");
}

#[test]
fn beam_searches() {
    let cases = own_cases("l_llama_");
    for case in &cases {
        let model = model(case);
        let beams = case.size("/generation/beams");
        let strategy = Strategy::Beam {
            beams,
            length_penalty: 1.0,
        };
        let ends = numbers(case, "eos_token_id");
        let generation = run(&mut session(case, &model, &ends), &params(case, strategy));
        assert_eq!(ids(&generation), numbers(case, "beam"), "{}", case.name);
        let expected = case.json["generation"]["beam_score"].as_f64().unwrap();
        let score = generation.score.unwrap();
        assert!((score - expected).abs() < SCORE, "{score} {expected}");
    }
    report(cases.len(), "l_llama, beams");
}

/// The state of one sequence goes on with its answer, that of several with the prompt.
#[test]
fn sessions_go_on_where_others_ended() {
    for case in own_cases("l_llama_") {
        let model = model(&case);
        let mut first = session(&case, &model, &[]);
        first.start().unwrap();
        first.step(&[5]).unwrap();
        let expected = first.step(&[6]).unwrap().values;
        let (state, read) = first.into_state();
        assert_eq!(read, [5, 6]);
        assert_eq!(state.len(), numbers(&case, "prompt").len() + 2);

        let mut several = session(&case, &model, &[]);
        several.start().unwrap();
        several.select_rows(&[0, 0, 0]);
        several.step(&[7, 8, 9]).unwrap();
        several.select_rows(&[2, 1, 0]);
        let (state, read) = several.into_state();
        assert!(read.is_empty());
        assert_eq!(state.len(), numbers(&case, "prompt").len());
        let tail = model.embed(&[5, 6], [1, 2]).unwrap();
        let mut second = LlamaSession::resume(&model, state, tail, &[]).unwrap();
        let logits = second.start().unwrap().values;
        for (actual, expected) in logits.iter().zip(&expected) {
            // The same sums in another blocking.
            assert!((actual - expected).abs() < 1e-4, "{actual} {expected}");
        }
    }
}

#[test]
fn prompts_longer_than_a_chunk_are_read_whole() {
    let case = &own_cases("l_llama_mistral")[0];
    session_equals_whole_pass(&model(case));
}

/// The frequencies depend on the length of the text, of which the first chunks are the part that
/// the model was made for.
#[test]
fn chunks_are_rotated_as_in_the_whole_text() {
    let dynamic = RopeScaling::Dynamic {
        factor: 2.0,
        max_position_embeddings: 600.0,
    };
    let longrope = RopeScaling::LongRope {
        short_factor: vec![1.0; 4],
        long_factor: vec![1.0, 2.0, 4.0, 8.0],
        attention_factor: 1.1,
        original_max_position_embeddings: 600.0,
    };
    for scaling in [dynamic, longrope] {
        let config = LlamaConfig {
            rope: RopeConfig {
                scaling,
                ..RopeConfig::default()
            },
            // Without it, fresh weights attend to all tokens nearly alike, wherever they are.
            qk_norm: true,
            ..LlamaConfig::tiny()
        };
        session_equals_whole_pass(&config.init(&Default::default()).unwrap());
    }
}

fn session_equals_whole_pass(model: &Llama<B>) {
    let ids: Vec<i32> = (0..1100).map(|i| 3 + i * 7 % 37).collect();
    let embeddings = || model.embed(&ids, [1, ids.len()]).unwrap();
    let mut session = LlamaSession::new(model, embeddings(), &[], 1).unwrap();
    let logits = session.start().unwrap().values;
    let input = LlamaInput::unpadded(1, 0..ids.len());
    let whole = model.forward(embeddings(), &input).unwrap().logits;
    let last = whole.narrow(1, ids.len() - 1, 1).into_data();
    let last: Vec<f32> = last.iter().collect();
    for (actual, expected) in logits.iter().zip(&last) {
        // The same sums in another blocking.
        assert!((actual - expected).abs() < 1e-4, "{actual} {expected}");
    }
}

#[test]
fn an_answer_ends_where_the_state_has_no_room() {
    let case = &own_cases("l_llama_qwen3")[0];
    let model = model(case);
    let beams = Strategy::Beam {
        beams: 2,
        length_penalty: 1.0,
    };
    for strategy in [Strategy::Greedy, beams] {
        let params = DecodingParams {
            max_new_tokens: 64,
            ..params(case, strategy)
        };
        let state = model.inference_state(1, 5).unwrap();
        let prompt = model.embed(&[3, 4], [1, 2]).unwrap();
        let mut session = LlamaSession::resume(&model, state, prompt, &[]).unwrap();
        let generation = run(&mut session, &params);
        // The last one is not read.
        assert_eq!(generation.tokens.len(), 4);
        assert_eq!(generation.finish, FinishReason::MaxTokens);
    }
}

#[test]
fn states_of_other_models_are_errors() {
    let init = |config: LlamaConfig| config.init::<B>(&Default::default()).unwrap();
    let model = init(LlamaConfig::tiny());
    let infer = |other: LlamaConfig| {
        let mut state = init(other).inference_state(1, 4).unwrap();
        let embeddings = model.embed(&[3, 4], [1, 2]).unwrap();
        let input = LlamaInput::unpadded(1, 0..2);
        let result = model.infer(embeddings, &input, &mut state);
        assert!(state.cache().layers().iter().all(|layer| layer.is_empty()));
        result.err()
    };
    for layers in [1, 3] {
        let other = LlamaConfig {
            num_hidden_layers: layers,
            ..LlamaConfig::tiny()
        };
        assert!(matches!(
            infer(other),
            Some(LlmError::CacheLayers { expected: 2, actual }) if actual == layers
        ));
    }
    let wider = LlamaConfig {
        head_dim: 16,
        ..LlamaConfig::tiny()
    };
    assert!(matches!(infer(wider), Some(LlmError::CacheShape { .. })));
}

#[test]
fn what_no_session_can_do_is_an_error() {
    let case = &own_cases("l_llama_qwen3")[0];
    let model = model(case);
    let embeddings = || model.embed(&[3, 4], [1, 2]).unwrap();
    let new = |ends: &[i32], room| LlamaSession::new(&model, embeddings(), ends, room).err();
    assert!(matches!(
        new(&[2, 40], 4),
        Some(LlmError::InputRange { index: 1, .. })
    ));
    assert!(matches!(
        new(&[], 0),
        Some(LlmError::DecodingParameter { .. })
    ));
    let small = model.inference_state(1, 1).unwrap();
    assert!(matches!(
        LlamaSession::resume(&model, small, embeddings(), &[]).err(),
        Some(LlmError::CacheFull {
            capacity: 1,
            needed: 2
        })
    ));
    for capacity in [0, usize::MAX] {
        assert!(matches!(
            model.inference_state(1, capacity).err(),
            Some(LlmError::CacheCapacity { .. })
        ));
    }
    assert!(matches!(
        model.embed(&[40], [1, 1]).err(),
        Some(LlmError::InputRange { max: 39, .. })
    ));
}
