//! `l_llama_*`: a whole pass layer by layer, and the same token by token.

use burn::tensor::{Tensor, TensorData};
use mpm_llm::llama::{Llama, LlamaConfig, LlamaInput};
use mpm_test_support::{Case, TestBackend, Tolerance, assert_data_close, load, own_cases, report};

type B = TestBackend;

/// f32 through two layers, sums in another order than PyTorch's.
const F32: Tolerance = Tolerance {
    of_largest: 5e-6,
    ..Tolerance::EXACT
};

/// A case's model with its weights.
pub fn model(case: &Case) -> Llama<B> {
    let config: LlamaConfig = serde_json::from_value(case.json["config"].clone()).unwrap();
    let model = config.init(&Default::default()).unwrap();
    let keys = Llama::<B>::checkpoint_keys(&config);
    load(model, case, &["model", "lm_head"], keys)
}

/// A case's batch, padded on either side.
fn input(case: &Case) -> LlamaInput {
    let seq_len = case.shape("in.input_ids")[1];
    let seen = case.bools("in.attention_mask");
    let rows: Vec<Vec<bool>> = seen.chunks(seq_len).map(<[bool]>::to_vec).collect();
    LlamaInput::padded(&rows).unwrap()
}

/// Zeros at padding, where results mean nothing.
fn without_padding(x: Tensor<B, 3>, input: &LlamaInput) -> Tensor<B, 3> {
    let seen: Vec<f32> = input.seen.iter().map(|&seen| seen.into()).collect();
    let dims = [input.batch, input.seq_len, 1];
    x * Tensor::from_data(TensorData::new(seen, dims), &Default::default())
}

#[test]
fn whole_passes() {
    let cases = own_cases("l_llama_");
    for case in &cases {
        let (model, input) = (model(case), input(case));
        let dims = [input.batch, input.seq_len];
        let embeddings = model.embed(&case.ints("in.input_ids"), dims).unwrap();
        let compare = |key: &str, x: Tensor<B, 3>| {
            case.assert_close(key, without_padding(x, &input), F32);
        };
        compare("out.embeddings", embeddings.clone());
        let mut layers = 0;
        let hidden = model.hidden_states(embeddings.clone(), &input, |layer, x| {
            compare(&format!("out.layer{layer}"), x.clone());
            layers += 1;
        });
        compare("out.hidden", hidden.unwrap());
        assert_eq!(
            case.with_prefix("out.").count(),
            layers + 3,
            "{}",
            case.name
        );

        let output = model.forward(embeddings, &input).unwrap();
        compare("out.hidden", output.hidden_states);
        compare("out.logits", output.logits);
    }
    report(cases.len(), "l_llama");
}

/// In steps of several lengths, with the padding of all rows.
#[test]
fn steps_equal_the_whole_pass() {
    for case in own_cases("l_llama_") {
        let (model, input) = (model(&case), input(&case));
        let ids = case.ints("in.input_ids");
        let mut state = model.inference_state(input.batch, input.seq_len).unwrap();
        let mut steps = Vec::new();
        for columns in [0..4, 4..5, 5..6, 6..9] {
            let cut = |values: &[i32]| -> Vec<i32> {
                let rows = values.chunks(input.seq_len);
                rows.flat_map(|row| row[columns.clone()].to_vec()).collect()
            };
            let seen = input.seen.chunks(input.seq_len);
            let step = LlamaInput {
                batch: input.batch,
                seq_len: columns.len(),
                positions: cut(&input.positions),
                seen: seen.flat_map(|row| row[columns.clone()].to_vec()).collect(),
                text_len: None,
            };
            let dims = [step.batch, step.seq_len];
            let embeddings = model.embed(&cut(&ids), dims).unwrap();
            steps.push(model.infer(embeddings, &step, &mut state).unwrap());
        }
        let hidden = without_padding(Tensor::cat(steps, 1), &input);
        case.assert_close("out.hidden", hidden, F32);
    }
}

#[test]
fn what_is_cut_off_can_be_read_again() {
    for case in own_cases("l_llama_") {
        let model = model(&case);
        let ids = &case.ints("in.input_ids")[..9];
        let mut state = model.inference_state(1, 9).unwrap();
        let read = |ids: &[i32], from: usize, state: &mut _| {
            let embeddings = model.embed(ids, [1, ids.len()]).unwrap();
            let input = LlamaInput::unpadded(1, from..from + ids.len());
            model.infer(embeddings, &input, state).unwrap().into_data()
        };
        let whole = read(ids, 0, &mut state);
        state.truncate(5);
        assert_eq!(state.len(), 5);
        let again = read(&ids[5..], 5, &mut state);
        let width = model.config().hidden_size;
        let tail = whole.iter::<f32>().skip(5 * width).collect();
        let expected = TensorData::new(tail, [1, 4, width]);
        assert_data_close(&case.name, &again, &expected, F32);
    }
}
