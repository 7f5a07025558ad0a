//! A whole model from its official files, from the prompt to the picture: `i_ckpt_paint_*`.

use std::{ops::ControlFlow, path::Path};

use burn::tensor::{DType, Tensor};
use mpm_core::weights::{KeyMap, LoadOptions, Precision, save};
use mpm_diffusion::{
    pipeline::{Denoising, Start},
    schedule::{Convention, NoiseScheduleConfig, SchedulerKind},
    unet::UNetConfig,
    vae::VaeConfig,
};
use mpm_llm::cpm_bee::CpmBeeConfig;
use mpm_test_support::{
    Case, TestBackend, Tolerance, cases, folder, load_branch, report, vocabulary,
};
use serde::Deserialize;
use viscpm_paint::{ModelConfig, PaintError, Painter, Source};

/// f16 weights are exact in f32, so only the order of summation differs.
const FORWARD: Tolerance = Tolerance {
    of_largest: 2e-5,
    ..Tolerance::EXACT
};
/// Four guided steps amplify the differences of each.
const AFTER_STEPS: Tolerance = Tolerance {
    of_largest: 1e-4,
    ..Tolerance::EXACT
};

/// The autoencoder's older names, in which the file is written here.
const OLD_NAMES: [(&str, &str); 4] = [
    ("query", "to_q"),
    ("key", "to_k"),
    ("value", "to_v"),
    ("proj_attn", "to_out.0"),
];

#[test]
fn a_prompt_becomes_the_picture_of_the_reference() {
    let cases = cases("i_ckpt_paint_");
    let mut compared = 0;
    for case in &cases {
        let Some(vocabulary) = vocabulary::small() else {
            continue;
        };
        let scratch = tempfile::tempdir().unwrap();
        let source = source(case, &vocabulary, scratch.path());
        paint(case, &source);
        compared += 1;
    }
    report(compared, "whole models");
}

/// The files of a case.
fn source(case: &Case, vocabulary: &Path, scratch: &Path) -> Source {
    let vae = VaeConfig::deserialize(&case.json["vae_config"]).unwrap();
    let mut config = ModelConfig::new(
        CpmBeeConfig::deserialize(&case.json["llm_config"]).unwrap(),
        UNetConfig::deserialize(&case.json["unet_config"]).unwrap(),
        vae.clone(),
    );
    config.scheduler = NoiseScheduleConfig::stable_diffusion();
    config.convention = Convention::Current;

    let vae_weights = scratch.join("vae.safetensors");
    let module = load_branch(
        vae.init::<TestBackend>(&Default::default()).unwrap(),
        case,
        "vae",
    );
    let mut names = KeyMap::new();
    for coder in ["encoder", "decoder"] {
        for (old, new) in OLD_NAMES {
            let attention = format!("{coder}.mid_block.attentions.0");
            names = names.rename(&format!("{attention}.{old}"), &format!("{attention}.{new}"));
        }
    }
    save(&module, &vae_weights, &names, Precision::AsStored).unwrap();
    let weights = case.json["file"].as_str().unwrap();
    Source {
        config,
        weights: folder().join("i_checkpoints").join(weights),
        vae_weights,
        vocabulary: vocabulary.to_path_buf(),
        adapter: None,
    }
}

fn full_precision() -> LoadOptions {
    LoadOptions {
        precision: Precision::Cast(DType::F32),
        ..LoadOptions::default()
    }
}

fn paint(case: &Case, source: &Source) {
    let device = Default::default();
    let text_encoder = source.text_encoder::<TestBackend>(&device, &full_precision());
    let prompt = case.json["prompt"].as_str().unwrap();
    let negative = case.json["negative_prompt"].as_str().unwrap_or("");
    let states = text_encoder.unwrap().encode_pair(prompt, negative).unwrap();
    case.assert_close("out.cond_hidden", states.prompt.clone(), FORWARD);
    case.assert_close("out.uncond_hidden", states.negative.clone(), FORWARD);

    let painter: Painter<TestBackend> = source.painter(&device, &full_precision()).unwrap();
    let trans_block = painter.diffusion.trans_block.as_ref().unwrap();
    let trans = trans_block.forward(states.prompt.clone());
    case.assert_close("out.cond_trans", trans, FORWARD);
    let guidance = case.json["guidance"].as_f64().unwrap();
    let pictures = case.size("/num_images_per_prompt");
    let text = painter
        .diffusion
        .guide(states.prompt, states.negative, guidance, pictures)
        .unwrap();
    let scheduler = SchedulerKind::Ddpm.scheduler(painter.schedule.config(), painter.convention);
    let plan = scheduler.plan(&painter.schedule, case.size("/steps"));
    let plan = plan.unwrap();
    let times: Vec<i32> = plan.steps.iter().map(|step| step.timestep as i32).collect();
    assert_eq!(times, case.ints("out.timesteps"));

    let first: Tensor<TestBackend, 4> = case.tensor("in.latents");
    let row = |key: &str, i: usize| -> Tensor<TestBackend, 4> {
        let all: Tensor<TestBackend, 5> = case.tensor(key);
        all.narrow(0, i, 1).squeeze_dim(0)
    };
    let denoising = Denoising {
        unet: &painter.diffusion.unet,
        plan: &plan,
        text: &text,
        start: Start::Noise,
    };
    let latents = denoising.run(
        |draw| match draw.checked_sub(1) {
            None => first.clone(),
            Some(step) => row("in.variance_noise", step),
        },
        |_| ControlFlow::Continue(()),
    );
    let latents = latents.unwrap().unwrap();
    let steps: Tensor<TestBackend, 5> = case.tensor("out.latents");
    let last = steps.dims()[0] - 1;
    mpm_test_support::assert_data_close(
        &format!("{} the last latents", case.name),
        &latents.clone().into_data(),
        &row("out.latents", last).into_data(),
        AFTER_STEPS,
    );
    let decoded = painter.vae.decode(painter.vae.unscale_latents(latents));
    let shown = (decoded.unwrap() / 2.0 + 0.5).clamp(0.0, 1.0);
    let shown = shown.permute([0, 2, 3, 1]);
    case.assert_close("out.images_nhwc", shown, AFTER_STEPS);
}

#[test]
fn a_chat_checkpoint_is_named() {
    let case = cases("i_ckpt_paint_").remove(0);
    let Some(vocabulary) = vocabulary::small() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let mut source = source(&case, &vocabulary, scratch.path());
    source.weights = folder().join("i_checkpoints/chat_a.pt");
    let loaded = source.painter::<TestBackend>(&Default::default(), &full_precision());
    assert!(matches!(loaded, Err(PaintError::ChatCheckpoint { .. })));
}
