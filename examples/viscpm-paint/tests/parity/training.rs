//! The training loss and its gradients: `g_sdwrapper_*`.

use burn::backend::Autodiff;
use mpm_test_support::{Case, TestBackend, Tolerance, cases, gradients, report};
use mpm_train::{
    BoxError,
    diffusion::{DiffusionLoss, DiffusionLossConfig, DiffusionNoise, DiffusionParts},
    freeze::{ParameterTable, train_only},
};

use super::wrapper::{FORWARD, painter};

type Ad = Autodiff<TestBackend>;

/// Gradients pass all layers twice and sum over all pixels.
const GRADIENT: Tolerance = Tolerance {
    of_largest: 5e-5,
    ..Tolerance::EXACT
};

#[test]
fn loss_and_gradients_equal_the_reference() {
    let cases = cases("g_sdwrapper_");
    for case in &cases {
        train(case);
    }
    report(cases.len(), "training loss and gradients");
}

fn train(case: &Case) {
    let painter = painter::<Ad>(case);
    // What the paper trains; the others get no gradient.
    let patterns = DiffusionParts::CrossAttention.patterns();
    let diffusion = train_only::<Ad, _>(painter.diffusion, &patterns).unwrap();
    let trainable = ParameterTable::new::<Ad, _>(&diffusion);
    assert!(trainable.trainable().all(|parameter| {
        parameter.path.starts_with("trans_block.") || parameter.path.contains(".attn2.")
    }));

    let encoded = painter.vae.encode(case.tensor("in.train.pixel_values"));
    let latents = encoded
        .unwrap()
        .sample(case.tensor("in.train.vae_sample_noise"));
    let latents = painter.vae.scale_latents(latents);
    let hidden = case.tensor::<Ad, 3>("in.train.text_hidden_states");
    let trans_block = diffusion.trans_block.as_ref().unwrap();
    case.assert_close(
        "out.train.trans_block",
        trans_block.forward(hidden.clone()),
        FORWARD,
    );
    let text = diffusion.read_text(hidden).unwrap();
    let timesteps = case.ints("in.train.timesteps");
    let drawn = DiffusionNoise {
        noise: case.tensor("in.train.noise"),
        offset: None,
        timesteps: timesteps.into_iter().map(|t| t as usize).collect(),
    };
    let loss = DiffusionLoss::new(painter.schedule, DiffusionLossConfig::default()).unwrap();
    let (output, prediction) = loss
        .loss(latents, drawn, |noisy, timesteps| {
            diffusion
                .unet
                .forward(noisy, timesteps, &text)
                .map_err(BoxError::from)
        })
        .unwrap();
    case.assert_close("out.train.model_pred", prediction, FORWARD);
    case.assert_close("out.train.loss", output.loss.clone(), FORWARD);

    let found = gradients(&diffusion, &output.loss.backward());
    let mut compared = 0;
    for name in case.with_prefix("grad.") {
        let found = found
            .get(name)
            .unwrap_or_else(|| panic!("{}: no gradient of {name}", case.name));
        case.assert_data_close(&format!("grad.{name}"), found, GRADIENT);
        compared += 1;
    }
    assert!(compared > 0, "{} has no gradients", case.name);
    assert_eq!(found.len(), trainable.trainable().count());
}
