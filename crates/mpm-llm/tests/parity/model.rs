//! `c_cpmbee_*`: the whole model, forward, gradients, and step by step.

use burn::{
    backend::{Autodiff, Flex},
    tensor::{Tensor, backend::Backend},
};
use mpm_llm::cpm_bee::{CpmBee, CpmBeeConfig, CpmBeeInput, CpmBeeStep, InferenceState};

use crate::{
    common,
    tensors::{TensorFile, Tolerance},
};

type Train = Autodiff<Flex>;

/// f32 through up to three blocks, sums in another order than PyTorch's.
const F32: Tolerance = Tolerance {
    absolute: 2e-5,
    relative: 2e-5,
};
/// Gradients add up over all tokens of the batch and cancel: they are compared
/// with the largest of their tensor.
const GRADIENT: f64 = 5e-5;
/// The bias is gathered, not computed.
const EXACT: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 0.0,
};

#[test]
fn whole_model() {
    let names = common::cases("c_cpmbee_");
    for name in &names {
        let (json, file) = (common::json(name), TensorFile::open(name));
        let config: CpmBeeConfig = serde_json::from_value(json["config"].clone()).unwrap();
        let prefix = json["weights_prefix"].as_str().unwrap();
        forward_and_gradients(&file, &config, prefix);
        step_by_step(&file, &config, prefix);
    }
    println!("parity: {} cases (c_cpmbee)", names.len());
}

fn load<B: Backend>(file: &TensorFile, config: &CpmBeeConfig, prefix: &str) -> CpmBee<B> {
    file.load(config.init(&Default::default()).unwrap(), prefix)
}

fn forward_and_gradients(file: &TensorFile, config: &CpmBeeConfig, prefix: &str) {
    let model: CpmBee<Train> = load(file, config, prefix);
    let ints = |name: &str| file.ints(&format!("in.forward.{name}"));
    let shape = file.shape("in.forward.input");
    let input = CpmBeeInput {
        batch: shape[0],
        seq_len: shape[1],
        ids: ints("input"),
        sub_ids: ints("input_sub"),
        length: ints("length"),
        context: file.bools("in.forward.context"),
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
    let [_, heads, len_q, len_k] = bias.bias.dims();
    let all_rows = bias.bias.expand([input.batch, heads, len_q, len_k]);
    file.check("out.forward.position_bias", all_rows, EXACT);
    let expected = file.hidden::<Train>("out.forward.attention_mask");
    let actual = bias.hidden.expand(expected.dims());
    assert_eq!(actual.into_data(), expected.into_data(), "attention mask");

    let embeddings = model
        .embed(&input.ids, &input.sub_ids, [input.batch, input.seq_len])
        .unwrap();
    file.check("out.forward.embed", embeddings.clone(), F32);
    let mut layers = 0;
    let hidden = model.hidden_states(embeddings, &input, |layer, x| {
        file.check(&format!("out.forward.layer{layer}"), x.clone(), F32);
        layers += 1;
    });
    file.check("out.forward.hidden", hidden.unwrap(), F32);
    assert_eq!(layers, config.num_layers);

    let output = model.forward(&input).unwrap();
    file.check("out.forward.hidden", output.hidden_states, F32);
    file.check("out.forward.logits", output.logits.clone(), F32);
    let loss = (output.logits * file.float::<Train, 3>("in.forward.loss_weight")).mean();
    file.check_scalar("out.forward.loss", loss.clone(), F32);

    let grads = loss.backward();
    let layer = |index: usize| &model.encoder.layers[index];
    let mut checked = 0;
    for name in file.names() {
        let Some(path) = name.strip_prefix(&format!("grad.{prefix}")) else {
            continue;
        };
        checked += 1;
        let parts: Vec<&str> = path.split('.').collect();
        let tolerance = Tolerance {
            absolute: GRADIENT * file.largest(&name),
            relative: GRADIENT,
        };
        let gradient_2d = |x: Tensor<Train, 2>| {
            file.check(&name, x.grad(&grads).expect("reached"), tolerance);
        };
        let gradient_1d = |x: Tensor<Train, 1>| {
            file.check(&name, x.grad(&grads).expect("reached"), tolerance);
        };
        match parts[..] {
            ["input_embedding", "weight"] => gradient_2d(model.input_embedding.weight.val()),
            ["position_bias", "relative_attention_bias"] => {
                gradient_2d(model.position_bias.relative_attention_bias.val());
            }
            ["encoder", "output_layernorm", "weight"] => {
                gradient_1d(model.encoder.output_layernorm.weight.val());
            }
            ["encoder", "layers", index, "self_att", ref rest @ ..] => {
                let block = layer(index.parse().unwrap()).self_att.as_ref().unwrap();
                let attention = &block.self_attention;
                match rest {
                    ["layernorm_before_attention", "weight"] => {
                        gradient_1d(block.layernorm_before_attention.weight.val());
                    }
                    ["self_attention", "project_q", "weight"] => {
                        gradient_2d(attention.project_q.weight.val());
                    }
                    ["self_attention", "project_k", "weight"] => {
                        gradient_2d(attention.project_k.weight.val());
                    }
                    ["self_attention", "project_v", "weight"] => {
                        gradient_2d(attention.project_v.weight.val());
                    }
                    ["self_attention", "attention_out", "weight"] => {
                        gradient_2d(attention.attention_out.weight.val());
                    }
                    _ => panic!("unknown gradient {name}"),
                }
            }
            ["encoder", "layers", index, "ffn", ref rest @ ..] => {
                let block = layer(index.parse().unwrap()).ffn.as_ref().unwrap();
                match rest {
                    ["layernorm_before_ffn", "weight"] => {
                        gradient_1d(block.layernorm_before_ffn.weight.val());
                    }
                    ["ffn", "w_in", "w_0", "weight"] => {
                        gradient_2d(block.ffn.w_in.w_0.weight.val());
                    }
                    ["ffn", "w_in", "w_1", "weight"] => {
                        gradient_2d(block.ffn.w_in.w_1.weight.val());
                    }
                    ["ffn", "w_out", "weight"] => gradient_2d(block.ffn.w_out.weight.val()),
                    _ => panic!("unknown gradient {name}"),
                }
            }
            _ => panic!("unknown gradient {name}"),
        }
    }
    assert!(checked > 0, "no gradient in the case");
}

fn step_by_step(file: &TensorFile, config: &CpmBeeConfig, prefix: &str) {
    let model: CpmBee<Flex> = load(file, config, prefix);
    let final_len = file.shape("out.infer_final.k0")[2];
    let batch = file.shape("in.infer0.input")[0];
    let mut state = model
        .inference_state(batch, final_len + 2, file.ints("in.infer0.segment_rel"))
        .unwrap();
    let mut index = 0;
    while file.has(&format!("in.infer{index}.input")) {
        infer(file, &model, index, &mut state);
        index += 1;
    }
    assert_eq!(state.len(), final_len);
    for (layer, cache) in state.cache().layers().iter().enumerate() {
        file.check(&format!("out.infer_final.k{layer}"), cache.key(), F32);
        file.check(&format!("out.infer_final.v{layer}"), cache.value(), F32);
    }
}

fn infer(file: &TensorFile, model: &CpmBee<Flex>, index: usize, state: &mut InferenceState<Flex>) {
    let ints = |name: &str| file.ints(&format!("in.infer{index}.{name}"));
    let shape = file.shape(&format!("in.infer{index}.input"));
    let step = CpmBeeStep {
        batch: shape[0],
        len: shape[1],
        position: ints("position"),
        context: file.bools(&format!("in.infer{index}.context")),
        sample_ids: ints("sample_ids"),
        num_segments: ints("num_segments"),
        segment_ids: ints("segment"),
        segment_rel_offset: ints("segment_rel_offset"),
    };
    let name = |what: &str| format!("out.infer{index}.{what}");

    let bias = model.step_bias(&step, state).unwrap();
    let [_, heads, len_q, len_k] = bias.bias.dims();
    let all_rows = bias.bias.expand([step.batch, heads, len_q, len_k]);
    file.check(&name("position_bias"), all_rows, EXACT);
    let expected = file.hidden::<Flex>(&name("attention_mask"));
    let actual = bias.hidden.expand(expected.dims());
    assert_eq!(
        actual.into_data(),
        expected.into_data(),
        "{}",
        name("attention_mask")
    );

    let embeddings = model
        .embed(&ints("input"), &ints("input_sub"), [shape[0], shape[1]])
        .unwrap();
    let hidden = model.infer(embeddings, &step, state).unwrap();
    file.check(&name("hidden"), hidden.clone(), F32);
    let ext_table = model
        .embed_ext_table(&ints("ext_table_ids"), &ints("ext_table_sub"))
        .unwrap();
    file.check(&name("logits"), model.logits(hidden, ext_table), F32);
}
