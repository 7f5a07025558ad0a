//! `c_cpmbee_*`: the whole model, forward, gradients, and step by step.

use burn::{backend::Autodiff, tensor::backend::Backend};
use mpm_llm::cpm_bee::{CpmBee, CpmBeeConfig, CpmBeeInput, CpmBeeStep, InferenceState};
use mpm_test_support::{Case, TestBackend, Tolerance, cases, gradients, load_branch, report};

use crate::mask;

type Train = Autodiff<TestBackend>;

/// f32 through up to three blocks, sums in another order than PyTorch's.
const F32: Tolerance = Tolerance {
    absolute: 2e-5,
    relative: 2e-5,
    ..Tolerance::EXACT
};
/// Gradients add up over all tokens of the batch and cancel: they are compared
/// with the largest of their tensor.
const GRADIENT: Tolerance = Tolerance {
    relative: 5e-5,
    of_largest: 5e-5,
    ..Tolerance::EXACT
};
/// The bias is gathered, not computed.
const BIAS: Tolerance = Tolerance::EXACT;

#[test]
fn whole_model() {
    let cases = cases("c_cpmbee_");
    for case in &cases {
        let config: CpmBeeConfig = serde_json::from_value(case.json["config"].clone()).unwrap();
        let prefix = case.json["weights_prefix"].as_str().unwrap();
        forward_and_gradients(case, &config, prefix);
        step_by_step(case, &config, prefix);
    }
    report(cases.len(), "c_cpmbee");
}

fn load<B: Backend>(case: &Case, config: &CpmBeeConfig, prefix: &str) -> CpmBee<B> {
    let branch = prefix.strip_suffix('.').unwrap();
    load_branch(config.init(&Default::default()).unwrap(), case, branch)
}

fn forward_and_gradients(case: &Case, config: &CpmBeeConfig, prefix: &str) {
    let model: CpmBee<Train> = load(case, config, prefix);
    let ints = |name: &str| case.ints(&format!("in.forward.{name}"));
    let shape = case.shape("in.forward.input");
    let input = CpmBeeInput {
        batch: shape[0],
        seq_len: shape[1],
        ids: ints("input"),
        sub_ids: ints("input_sub"),
        length: ints("length"),
        context: case.bools("in.forward.context"),
        sample_ids: ints("sample_ids"),
        num_segments: ints("num_segments"),
        segment_ids: ints("segment"),
        segment_rel_offset: ints("segment_rel_offset"),
        segment_rel: ints("segment_rel"),
        span: ints("span"),
        ext_table_ids: ints("ext_table_ids"),
        ext_table_sub: ints("ext_table_sub"),
    };

    let bias = model.attention_bias(&input).unwrap();
    let [_, heads, len_q, len_k] = bias.bias().dims();
    let all_rows = bias.bias().expand([input.batch, heads, len_q, len_k]);
    case.assert_close("out.forward.position_bias", all_rows, BIAS);
    mask::assert_hidden(case, "out.forward.attention_mask", bias.hidden());

    let embeddings = model
        .embed(&input.ids, &input.sub_ids, [input.batch, input.seq_len])
        .unwrap();
    case.assert_close("out.forward.embed", embeddings.clone(), F32);
    let mut layers = 0;
    let hidden = model.hidden_states(embeddings, &input, |layer, x| {
        case.assert_close(&format!("out.forward.layer{layer}"), x.clone(), F32);
        layers += 1;
    });
    case.assert_close("out.forward.hidden", hidden.unwrap(), F32);
    assert_eq!(layers, config.num_layers);

    let output = model.forward(&input).unwrap();
    case.assert_close("out.forward.hidden", output.hidden_states, F32);
    case.assert_close("out.forward.logits", output.logits.clone(), F32);
    let loss = (output.logits * case.tensor::<Train, 3>("in.forward.loss_weight")).mean();
    case.assert_close("out.forward.loss", loss.clone(), F32);

    let gradients = gradients(&model, &loss.backward());
    let mut checked = 0;
    let branch = format!("grad.{prefix}");
    for name in case.with_prefix(&branch) {
        let gradient = gradients
            .get(name)
            .unwrap_or_else(|| panic!("{}: no gradient of {name}", case.name));
        let key = format!("{branch}{name}");
        case.assert_data_close(&key, gradient, GRADIENT);
        checked += 1;
    }
    assert!(checked > 0, "{}: no gradient in the case", case.name);
}

fn step_by_step(case: &Case, config: &CpmBeeConfig, prefix: &str) {
    let model: CpmBee<TestBackend> = load(case, config, prefix);
    let final_len = case.shape("out.infer_final.k0")[2];
    let batch = case.shape("in.infer0.input")[0];
    let mut state = model
        .inference_state(batch, final_len + 2, case.ints("in.infer0.segment_rel"))
        .unwrap();
    let mut index = 0;
    while case.has(&format!("in.infer{index}.input")) {
        infer(case, &model, index, &mut state);
        index += 1;
    }
    assert_eq!(state.len(), final_len);
    for (layer, cache) in state.cache().layers().iter().enumerate() {
        case.assert_close(&format!("out.infer_final.k{layer}"), cache.key(), F32);
        case.assert_close(&format!("out.infer_final.v{layer}"), cache.value(), F32);
    }
}

fn infer(
    case: &Case,
    model: &CpmBee<TestBackend>,
    index: usize,
    state: &mut InferenceState<TestBackend>,
) {
    let ints = |name: &str| case.ints(&format!("in.infer{index}.{name}"));
    let shape = case.shape(&format!("in.infer{index}.input"));
    let step = CpmBeeStep {
        batch: shape[0],
        len: shape[1],
        position: ints("position"),
        context: case.bools(&format!("in.infer{index}.context")),
        sample_ids: ints("sample_ids"),
        num_segments: ints("num_segments"),
        segment_ids: ints("segment"),
        segment_rel_offset: ints("segment_rel_offset"),
    };
    let name = |what: &str| format!("out.infer{index}.{what}");

    let bias = model.step_bias(&step, state).unwrap();
    let [_, heads, len_q, len_k] = bias.bias().dims();
    let all_rows = bias.bias().expand([step.batch, heads, len_q, len_k]);
    case.assert_close(&name("position_bias"), all_rows, BIAS);
    mask::assert_hidden(case, &name("attention_mask"), bias.hidden());

    let embeddings = model
        .embed(&ints("input"), &ints("input_sub"), [shape[0], shape[1]])
        .unwrap();
    let hidden = model.infer(embeddings, &step, state).unwrap();
    case.assert_close(&name("hidden"), hidden.clone(), F32);
    let ext_table = model
        .embed_ext_table(&ints("ext_table_ids"), &ints("ext_table_sub"))
        .unwrap();
    case.assert_close(&name("logits"), model.logits(hidden, ext_table), F32);
}
