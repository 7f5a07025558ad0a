//! The UNet, level by level, and its gradients: `g_unet_*`.

use std::collections::BTreeMap;

use burn::{
    backend::Autodiff,
    tensor::{Tensor, TensorData},
};
use mpm_core::MpmBackend;
use mpm_diffusion::unet::{UNet2DConditionModel, UNetConfig, UNetLevel, timestep_embedding};
use mpm_test_support::{Case, TestBackend, Tolerance, cases, gradients, load_branch, report};
use serde::Deserialize;

type Ad = Autodiff<TestBackend>;

/// Sums of f32 products in another order, through some twenty layers with norms.
const FORWARD: Tolerance = Tolerance {
    of_largest: 1e-5,
    ..Tolerance::EXACT
};
/// The same for gradients, which pass all layers twice.
const GRADIENT: Tolerance = Tolerance {
    of_largest: 3e-5,
    ..Tolerance::EXACT
};
/// The reference's exponential of f32 differs in its last bit, 6e-8, which a timestep of 999
/// multiplies.
const SINUSOID: Tolerance = Tolerance {
    absolute: 1.2e-4,
    ..Tolerance::EXACT
};

#[test]
fn outputs_and_gradients_equal_the_reference() {
    let cases = cases("g_unet_");
    for case in &cases {
        every_output_is_equal(case);
        gradients_are_equal(case);
    }
    report(cases.len(), "UNet");
}

fn unet<B: MpmBackend>(case: &Case) -> (UNetConfig, UNet2DConditionModel<B>) {
    let config = UNetConfig::deserialize(&case.json["unet_config"]).unwrap();
    let unet = config.init::<B>(&Default::default()).unwrap();
    (config, load_branch(unet, case, "unet"))
}

fn timesteps(case: &Case) -> Vec<f64> {
    let timesteps = case.ints("in.timesteps");
    timesteps.into_iter().map(f64::from).collect()
}

fn every_output_is_equal(case: &Case) {
    let (config, unet) = unet::<TestBackend>(case);
    let sample: Tensor<TestBackend, 4> = case.tensor("in.sample");
    let times = timesteps(case);
    let states: Tensor<TestBackend, 3> = case.tensor("in.encoder_hidden_states");
    let text = unet.read_text(states.clone()).unwrap();

    let width = config.block_out_channels[0];
    let sinusoids = timestep_embedding::<TestBackend>(&times, width, true, 0, &Default::default());
    case.assert_close("out.inter.time_proj", sinusoids.clone(), SINUSOID);

    let mut outputs: BTreeMap<String, TensorData> = BTreeMap::new();
    let mut record = |name: &str, data: TensorData| {
        outputs.insert(name.to_owned(), data);
    };
    record("inter.time_proj", sinusoids.clone().into_data());
    let embedded = unet.time_embedding.forward(sinusoids);
    record("inter.time_embedding", embedded.into_data());
    let mut input = None;
    let output = unet.forward_observed(sample.clone(), &times, &text, |level, x| {
        let name = match level {
            UNetLevel::Input => {
                input = Some(x.clone());
                "inter.conv_in".to_owned()
            }
            UNetLevel::Down(i) => format!("inter.down{i}"),
            UNetLevel::Mid => "inter.mid_block".to_owned(),
            UNetLevel::Up(i) => format!("inter.up{i}"),
        };
        record(&name, x.clone().into_data());
    });
    let output = output.unwrap();
    let first = &unet.down_blocks[0];
    let batch = sample.dims()[0];
    let time = unet.embed_time(&times).expand([batch as i64, -1]);
    let x = first.resnets[0].forward(input.unwrap(), Some(&time));
    record("inter.down0.resnet0", x.clone().into_data());
    let attention = &first.attentions[0];
    let x = attention.forward(x, &attention.read_text(&states));
    record("inter.down0.attn0", x.unwrap().into_data());
    let loss = (output.clone() * case.tensor("in.loss_weight")).mean();
    record("loss", loss.into_data());
    record("sample", output.into_data());
    // One timestep for all rows.
    let output = unet.forward(sample, &[333.0], &text).unwrap();
    record("sample_t333", output.into_data());

    for name in case.with_prefix("out.") {
        let found = outputs
            .get(name)
            .unwrap_or_else(|| panic!("{}: out.{name} is not computed here", case.name));
        let tolerance = match name {
            "inter.time_proj" => SINUSOID,
            _ => FORWARD,
        };
        case.assert_data_close(&format!("out.{name}"), found, tolerance);
    }
}

fn gradients_are_equal(case: &Case) {
    let (_, unet) = unet::<Ad>(case);
    let sample = case.tensor::<Ad, 4>("in.sample").require_grad();
    let states = case
        .tensor::<Ad, 3>("in.encoder_hidden_states")
        .require_grad();
    let text = unet.read_text(states.clone()).unwrap();
    let output = unet
        .forward(sample.clone(), &timesteps(case), &text)
        .unwrap();
    let loss = (output * case.tensor("in.loss_weight")).mean();
    let grads = loss.backward();

    let mut found = gradients(&unet, &grads);
    let (sample, states) = (sample.grad(&grads).unwrap(), states.grad(&grads).unwrap());
    let inputs = [
        ("in.sample", sample.into_data()),
        ("in.encoder_hidden_states", states.into_data()),
    ];
    for name in case.with_prefix("grad.") {
        let found = match name.strip_prefix("unet.") {
            Some(name) => found.remove(name),
            None => inputs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, data)| data.clone()),
        };
        let found = found.unwrap_or_else(|| panic!("{}: no gradient of {name}", case.name));
        case.assert_data_close(&format!("grad.{name}"), &found, GRADIENT);
    }
}
