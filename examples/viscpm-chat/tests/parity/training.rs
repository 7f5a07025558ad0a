//! `e_vlu_train_*`: features, spliced embeddings, logits, loss and gradients.

use std::collections::BTreeMap;

use burn::{
    backend::Autodiff,
    tensor::{Int, Tensor, TensorData, activation::log_softmax},
};
use mpm_core::weights::{LoadOptions, load};
use mpm_llm::any::{AnyInput, AnyLlm};
use mpm_test_support::{
    Case, TestBackend, Tolerance, assert_values_close, cases, gradients, report,
};
use mpm_vision::{PictureEncoder, VisualModule};
use viscpm_chat::{VisCpmChat, checkpoint_keys};

use super::{
    config::config,
    input::{bounds, input},
};

type B = Autodiff<TestBackend>;

/// f32 sums of up to a hundred terms in another order, 1e-6 each, grown through
/// the layers of both parts.
const FORWARD: Tolerance = Tolerance {
    absolute: 2e-5,
    relative: 2e-5,
    ..Tolerance::EXACT
};

/// Of the loss, which is not near 0.
const LOSS: Tolerance = Tolerance {
    absolute: 0.0,
    ..FORWARD
};

/// Gradients sum over batch and sequence on top of that.
const GRADIENT: Tolerance = Tolerance {
    absolute: 5e-5,
    relative: 5e-5,
    ..Tolerance::EXACT
};

/// L2 norms of gradients are given as f64 of an f32 sum.
const NORM: Tolerance = Tolerance {
    absolute: 1e-4,
    relative: 1e-4,
    ..Tolerance::EXACT
};

const IGNORED: i32 = -100;

#[test]
fn logits_loss_and_gradients_equal_the_reference() {
    let cases = cases("e_vlu_train_");
    for case in &cases {
        check(case);
    }
    report(cases.len(), "e_vlu_train");
}

fn check(case: &Case) {
    let device = Default::default();
    let options = LoadOptions {
        keys: checkpoint_keys().unused("in").unused("out").unused("grad"),
        ..Default::default()
    };
    let model: VisCpmChat<B> = config(case).init(&device).unwrap();
    let model = load(model, case.file(), &options).unwrap();

    let pixels = case.tensor::<B, 4>("in.pixel_values");
    let VisualModule::Muffin(muffin) = &model.visual else {
        panic!("it is configured as Muffin");
    };
    let queries = muffin.query_states(pixels.clone()).unwrap();
    case.assert_close("out.vpm", queries, FORWARD);
    let features = model.visual.encode(pixels).unwrap();
    case.assert_close("out.vision_hidden_states", features.clone(), FORWARD);

    let (input, bounds) = (input(case), bounds(case));
    let any_input = AnyInput::CpmBee(input.clone());
    let spliced = model.embed(&any_input, Some(features), &bounds).unwrap();
    case.assert_close("out.vllm_embedding", spliced.clone(), FORWARD);
    let AnyLlm::CpmBee(llm) = &model.llm else {
        panic!("the model is CPM-Bee");
    };
    let output = llm.forward_embeddings(spliced, &input).unwrap();
    case.assert_close("out.hidden_states", output.hidden_states, FORWARD);
    case.assert_close("out.logits", output.logits.clone(), FORWARD);

    let loss = cross_entropy(output.logits, &case.ints("in.target"));
    case.assert_close("out.loss", loss.clone(), LOSS);
    check_gradients(case, &model, loss);
}

/// Mean over all targets but the ignored ones, as PyTorch's.
fn cross_entropy(logits: Tensor<B, 3>, targets: &[i32]) -> Tensor<B, 1> {
    let [batch, seq, classes] = logits.dims();
    let device = logits.device();
    let rows: Vec<i32> = (0..(batch * seq) as i32)
        .filter(|&row| targets[row as usize] != IGNORED)
        .collect();
    let wanted: Vec<i32> = rows.iter().map(|&row| targets[row as usize]).collect();
    let count = rows.len();
    let rows = Tensor::<B, 1, Int>::from_ints(rows.as_slice(), &device);
    let wanted = Tensor::<B, 1, Int>::from_ints(wanted.as_slice(), &device);
    let logits = logits.reshape([batch * seq, classes]).select(0, rows);
    log_softmax(logits, 1)
        .gather(1, wanted.reshape([count, 1]))
        .mean()
        .neg()
}

fn check_gradients(case: &Case, model: &VisCpmChat<B>, loss: Tensor<B, 1>) {
    let gradients: BTreeMap<String, TensorData> = gradients(model, &loss.backward())
        .into_iter()
        .map(|(path, gradient)| (checkpoint_keys().to_file(&path), gradient))
        .collect();
    for name in case.with_prefix("grad.") {
        let key = format!("grad.{name}");
        let gradient = gradients
            .get(name)
            .unwrap_or_else(|| panic!("{}: no {key}", case.name));
        case.assert_data_close(&key, gradient, GRADIENT);
    }

    let norms = case.json["grad_l2_norm_of_every_parameter"]
        .as_object()
        .unwrap();
    assert!(!norms.is_empty(), "{}: no norm of a gradient", case.name);
    for (name, expected) in norms {
        // What the loss does not depend on has zeros in PyTorch and nothing here.
        let norm = gradients.get(name).map_or(0.0, l2_norm);
        let what = format!("{} |grad.{name}|", case.name);
        assert_values_close(&what, &[norm], &[expected.as_f64().unwrap()], NORM);
    }
}

fn l2_norm(data: &TensorData) -> f64 {
    let squares = data.iter().map(|x: f64| x * x);
    squares.sum::<f64>().sqrt()
}
