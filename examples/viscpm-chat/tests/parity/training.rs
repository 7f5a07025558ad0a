//! `e_vlu_train_*`: features, spliced embeddings, logits, loss and gradients.

use burn::{
    backend::{Autodiff, Flex},
    module::{Module, ModuleVisitor, Param},
    tensor::{ElementConversion, Int, Tensor, activation::log_softmax, backend::AutodiffBackend},
};
use mpm_core::weights::{LoadOptions, load};
use mpm_llm::cpm_bee::splice_features;
use viscpm_chat::{VisCpmChat, checkpoint_keys};

use super::common::{Case, assert_close, cases};

type B = Autodiff<Flex>;

/// f32 sums of up to a hundred terms in another order, 1e-6 each, grown through
/// the layers of both parts.
const FORWARD: f64 = 2e-5;

/// Gradients sum over batch and sequence on top of that.
const GRADIENT: f64 = 5e-5;

/// L2 norms of gradients are given as f64 of an f32 sum.
const NORM: f64 = 1e-4;

const IGNORED: i32 = -100;

#[test]
fn logits_loss_and_gradients_equal_the_reference() {
    for case in cases("e_vlu_train_") {
        check(&case);
    }
}

fn check(case: &Case) {
    let device = Default::default();
    let options = LoadOptions {
        keys: checkpoint_keys().unused("in").unused("out").unused("grad"),
        ..Default::default()
    };
    let model: VisCpmChat<B> = case.config().init(&device).unwrap();
    let model = load(model, &case.tensors, &options).unwrap();
    let named = |what: &str| format!("{} {what}", case.name);

    let pixels = case.tensor::<B, 4>("in.pixel_values");
    let queries = model.visual.query_states(pixels.clone()).unwrap();
    assert_close(&named("vpm"), queries, case.tensor("out.vpm"), FORWARD);
    let features = model.visual.forward(pixels).unwrap();
    assert_close(
        &named("features"),
        features.clone(),
        case.tensor("out.vision_hidden_states"),
        FORWARD,
    );

    let input = case.input();
    let embeddings = model
        .llm
        .embed(&input.ids, &input.sub_ids, [input.batch, input.seq_len])
        .unwrap();
    let spliced = splice_features(embeddings, features.clone(), &case.bounds()).unwrap();
    assert_close(
        &named("embedding"),
        spliced,
        case.tensor("out.vllm_embedding"),
        FORWARD,
    );
    let output = model.forward(&input, features, &case.bounds()).unwrap();
    assert_close(
        &named("hidden states"),
        output.hidden_states,
        case.tensor("out.hidden_states"),
        FORWARD,
    );
    assert_close(
        &named("logits"),
        output.logits.clone(),
        case.tensor("out.logits"),
        FORWARD,
    );

    let loss = cross_entropy(output.logits, &case.ints("in.target"));
    let (ours, theirs) = (
        loss.clone().into_scalar().elem::<f64>(),
        case.scalar("out.loss"),
    );
    assert!(
        (ours - theirs).abs() <= FORWARD * theirs,
        "loss {ours} instead of {theirs}"
    );

    let gradients = loss.backward();
    let mut checker = GradientChecker {
        case,
        gradients: &gradients,
        path: Vec::new(),
        compared: 0,
        norms: 0,
    };
    model.visit(&mut checker);
    let expected = case
        .tensors
        .tensors()
        .keys()
        .filter(|key| key.starts_with("grad."))
        .count();
    assert_eq!(checker.compared, expected, "{}: gradients", case.name);
    let norms = case.json["grad_l2_norm_of_every_parameter"]
        .as_object()
        .map_or(0, |n| n.len());
    assert!(
        checker.norms > 0 && checker.norms <= norms,
        "{}: norms",
        case.name
    );
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

struct GradientChecker<'a> {
    case: &'a Case,
    gradients: &'a <B as AutodiffBackend>::Gradients,
    path: Vec<String>,
    compared: usize,
    norms: usize,
}

impl ModuleVisitor<B> for GradientChecker<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        // Burn's norms say gamma and beta; Linear weights are transposed.
        let path = self
            .path
            .join(".")
            .replace("gamma", "weight")
            .replace("beta", "bias");
        let key = checkpoint_keys().to_file(&path);
        let Some(gradient) = param.val().grad(self.gradients) else {
            return;
        };
        if let Some(norm) = self.case.json["grad_l2_norm_of_every_parameter"][&key].as_f64() {
            let ours: f64 = gradient.clone().square().sum().into_scalar().elem::<f64>();
            let ours = ours.sqrt();
            assert!(
                (ours - norm).abs() <= NORM * (1.0 + norm),
                "{} |grad.{key}|: {ours} instead of {norm}",
                self.case.name
            );
            self.norms += 1;
        }
        let key = format!("grad.{key}");
        if !self.case.tensors.tensors().contains_key(&key) {
            return;
        }
        let theirs: Tensor<Flex, D> = self.case.tensor(&key);
        let is_linear = D == 2 && key.ends_with("weight") && key.contains("mapping.")
            || key.contains("_proj.") && key.ends_with("weight")
            || key.contains(".fc") && key.ends_with("weight");
        let theirs = if is_linear {
            theirs.swap_dims(0, 1)
        } else {
            theirs
        };
        assert_close(
            &format!("{} {key}", self.case.name),
            gradient,
            theirs,
            GRADIENT,
        );
        self.compared += 1;
    }
}
