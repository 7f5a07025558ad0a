//! Tiny Stable Diffusions in both layouts, from the prompt to the picture: `s_sd*`.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use burn::tensor::{DType, Tensor, TensorData};
use mpm_core::weights::{LoadOptions, Precision};
use mpm_diffusion::{
    pipeline::{Denoising, Start},
    schedule::SchedulerKind,
};
use mpm_test_support::{Case, TestBackend, Tolerance, assert_data_close, own_cases, report};
use viscpm_paint::{
    ModelFiles, Outcome, PaintError, PaintJob, StableDiffusion, StableDiffusionConfig,
    StableDiffusionSource, Studio,
};

/// f16 weights are exact in f32, so only the order of summation differs, through two layers of the
/// text encoder.
const STATES: Tolerance = Tolerance {
    of_largest: 5e-6,
    ..Tolerance::EXACT
};
/// Four guided steps through some twenty layers each amplify the differences.
const AFTER_STEPS: Tolerance = Tolerance {
    of_largest: 1e-4,
    ..Tolerance::EXACT
};

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    folder.join(name)
}

fn full_precision() -> LoadOptions {
    LoadOptions {
        precision: Precision::Cast(DType::F32),
        ..LoadOptions::default()
    }
}

/// The folder of a case and its single file.
fn sources(case: &Case) -> [StableDiffusionSource; 2] {
    let folder = StableDiffusionSource::folder(&fixture(&case.name)).unwrap();
    let config = StableDiffusionConfig {
        pad_token_id: Some(case.size("/pad_token_id") as i32),
        ..folder.config.clone()
    };
    let single = fixture(case.json["single_file"].as_str().unwrap());
    let tokenizer = fixture(&case.name).join("tokenizer");
    let single = StableDiffusionSource::single_file(&single, &tokenizer, config).unwrap();
    [folder, single]
}

#[test]
fn both_layouts_paint_as_the_reference() {
    let cases = own_cases("s_sd");
    for case in &cases {
        let [folder, single] = sources(case).map(|source| {
            source.check::<TestBackend>(&Default::default()).unwrap();
            paint(case, &source)
        });
        assert_eq!(folder, single, "{}", case.name);
    }
    report(cases.len(), "Stable Diffusions in two layouts");
}

/// The last latents.
fn paint(case: &Case, source: &StableDiffusionSource) -> TensorData {
    let device = Default::default();
    let encoder = source.text_encoder::<TestBackend>(&device, &full_precision());
    let text = |key: &str| case.json[key].as_str().unwrap();
    let states = encoder
        .unwrap()
        .encode_pair(text("prompt"), text("negative_prompt"))
        .unwrap();
    case.assert_close("out.prompt_states", states.prompt.clone(), STATES);
    case.assert_close("out.negative_states", states.negative.clone(), STATES);

    let painter = source.painter::<TestBackend>(&device, &full_precision());
    let painter = painter.unwrap();
    let first: Tensor<TestBackend, 4> = case.tensor("in.latents");
    let guidance = case.json["guidance"].as_f64().unwrap();
    let text_states = painter
        .diffusion
        .guide(states.prompt, states.negative, guidance, first.dims()[0])
        .unwrap();
    let kind: SchedulerKind = text("scheduler").parse().unwrap();
    let scheduler = kind.scheduler(painter.schedule.config(), painter.convention);
    let plan = scheduler
        .plan(&painter.schedule, case.size("/steps"))
        .unwrap();
    let times: Vec<i32> = plan.steps.iter().map(|step| step.timestep as i32).collect();
    assert_eq!(times, case.ints("out.timesteps"), "{}", case.name);

    let expected: Tensor<TestBackend, 5> = case.tensor("out.latents");
    let denoising = Denoising {
        unet: &painter.diffusion.unet,
        plan: &plan,
        text: &text_states,
        start: Start::Noise,
    };
    let latents = denoising.run(
        |_| first.clone(),
        |progress| {
            let step = progress.step - 1;
            let expected = expected.clone().narrow(0, step, 1).squeeze_dim::<4>(0);
            assert_data_close(
                &format!("{} out.latents[{step}]", case.name),
                &progress.state.sample().clone().into_data(),
                &expected.into_data(),
                AFTER_STEPS,
            );
            ControlFlow::Continue(())
        },
    );
    let latents = latents.unwrap().unwrap();
    let decoded = painter
        .vae
        .decode(painter.vae.unscale_latents(latents.clone()));
    case.assert_close("out.decoded", decoded.unwrap(), AFTER_STEPS);
    latents.into_data()
}

#[test]
fn a_studio_paints_with_it() {
    let device = Default::default();
    let model = StableDiffusion::<TestBackend>::open(fixture("s_sd1"), &device, &full_precision());
    let model = model.unwrap();
    let job = PaintJob::new("a red cat", model.config.settings().default_request(7));
    let Outcome::Painted(pictures) = Studio::from(model)
        .paint(&job, |_| ControlFlow::Continue(()))
        .unwrap()
    else {
        panic!("nothing was painted")
    };
    let picture = &pictures[0].picture;
    assert_eq!((picture.width(), picture.height()), (16, 16));
}

#[test]
fn prompts_that_cannot_be_read_are_refused() {
    let files = ModelFiles::folder(&fixture("s_sd1")).unwrap();
    let prompts = files.prompt_limit().unwrap();
    // Of twelve tokens, two are the text's frame.
    let longest = "cat dog ".repeat(5);
    assert!(prompts.check(&longest, &longest).is_ok());
    let too_long = format!("{longest} red");
    for (prompt, negative, named) in [
        (&*too_long, "", "the prompt"),
        ("cat", &*too_long, "the negative prompt"),
    ] {
        let error = prompts.check(prompt, negative).unwrap_err();
        assert!(
            matches!(error, PaintError::PromptTooLong { what, tokens: 11, limit: 10 } if what == named),
            "{error}"
        );
    }
    let error = prompts.check(" ", "cat").unwrap_err();
    assert!(matches!(error, PaintError::EmptyPrompt), "{error}");
}

#[test]
fn configurations_that_describe_no_model_are_refused() {
    let refused = |change: fn(&mut StableDiffusionConfig), what: &str| {
        let mut config = StableDiffusionConfig::stable_diffusion_1_5();
        change(&mut config);
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    refused(|c| c.unet.cross_attention_dim = 1024, "cross_attention_dim");
    refused(|c| c.vae.latent_channels = 8, "latent_channels");
    refused(|c| c.pad_token_id = Some(49_408), "pad_token_id");
    refused(|c| c.pad_token_id = Some(-1), "pad_token_id");
    refused(|c| c.text_encoder.hidden_size = 0, "hidden_size");
    refused(|c| c.scheduler.beta_end = 2.0, "beta");
}
