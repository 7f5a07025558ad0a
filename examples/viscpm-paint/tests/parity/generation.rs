//! Guided generation with given noise: `g_sdwrapper_*`.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, TensorData};
use mpm_diffusion::{
    pipeline::{Denoising, Start},
    schedule::SchedulerKind,
};
use mpm_test_support::{Case, TestBackend, Tolerance, assert_data_close, cases, report};
use viscpm_paint::to_pictures;

use super::wrapper::{self, FORWARD};

/// Five guided steps amplify the differences of each.
const AFTER_STEPS: Tolerance = Tolerance {
    of_largest: 1e-4,
    ..Tolerance::EXACT
};
/// A level at the edge of rounding.
const LEVEL: Tolerance = Tolerance {
    absolute: 1.0,
    ..Tolerance::EXACT
};

#[test]
fn guided_generation_equals_the_reference() {
    let cases = cases("g_sdwrapper_");
    for case in &cases {
        generate(case);
    }
    report(cases.len(), "guided generation");
}

fn generate(case: &Case) {
    let painter = wrapper::painter::<TestBackend>(case);
    let hidden = |name: &str| case.tensor::<TestBackend, 3>(&format!("in.gen.{name}"));
    let scale = case.json["guidance_scale"].as_f64().unwrap();
    let pictures = case.size("/num_images_per_prompt");
    let text = painter.diffusion.guide(
        hidden("text_hidden_states"),
        hidden("uncond_text_hidden_states"),
        scale,
        pictures,
    );
    let text = text.unwrap();
    let scheduler = SchedulerKind::Ddpm.scheduler(painter.schedule.config(), painter.convention);
    let plan = scheduler.plan(&painter.schedule, case.size("/steps"));
    let plan = plan.unwrap();
    let times: Vec<i32> = plan.steps.iter().map(|step| step.timestep as i32).collect();
    assert_eq!(times, case.ints("out.gen.timesteps"), "{}", case.name);

    let first: Tensor<TestBackend, 4> = case.tensor("in.gen.latents");
    let variance: Tensor<TestBackend, 5> = case.tensor("in.gen.variance_noise");
    let row = |all: &Tensor<TestBackend, 5>, i: usize| -> Tensor<TestBackend, 4> {
        all.clone().narrow(0, i, 1).squeeze_dim(0)
    };
    let mut input = first.clone();
    for (i, step) in plan.steps.iter().enumerate() {
        let output = text.predict(&painter.diffusion.unet, input, step.timestep);
        assert_row(case, "out.gen.noise_pred_guided", i, output.unwrap());
        input = row(&case.tensor("out.gen.latents"), i);
    }

    let denoising = Denoising {
        unet: &painter.diffusion.unet,
        plan: &plan,
        text: &text,
        start: Start::Noise,
    };
    let latents = denoising.run(
        |draw| match draw.checked_sub(1) {
            None => first.clone(),
            Some(step) => row(&variance, step),
        },
        |progress| {
            let sample = progress.state.sample().clone();
            assert_row(case, "out.gen.latents", progress.step - 1, sample);
            ControlFlow::Continue(())
        },
    );
    let latents = latents.unwrap().unwrap();
    let decoded = painter.vae.decode(painter.vae.unscale_latents(latents));
    let decoded = decoded.unwrap();
    let shown = (decoded.clone() / 2.0 + 0.5).clamp(0.0, 1.0);
    let shown = shown.permute([0, 2, 3, 1]);
    case.assert_close("out.gen.images_nhwc", shown, AFTER_STEPS);
    let levels: Vec<u8> = to_pictures(decoded)
        .unwrap()
        .iter()
        .flat_map(|picture| picture.pixels().to_vec())
        .collect();
    let levels = TensorData::new(levels, case.shape("out.gen.images_u8").to_vec());
    case.assert_data_close("out.gen.images_u8", &levels, LEVEL);
}

/// Compares with row `i` of a stored tensor of all steps.
fn assert_row(case: &Case, key: &str, i: usize, actual: Tensor<TestBackend, 4>) {
    let expected: Tensor<TestBackend, 5> = case.tensor(key);
    let expected: Tensor<TestBackend, 4> = expected.narrow(0, i, 1).squeeze_dim(0);
    let what = format!("{} {key}[{i}]", case.name);
    let tolerance = match key {
        "out.gen.latents" => AFTER_STEPS,
        _ => FORWARD,
    };
    assert_data_close(&what, &actual.into_data(), &expected.into_data(), tolerance);
}
