//! A case of the reference's `SDWrapper` as our parts: `g_sdwrapper_*`.

use mpm_core::{MpmBackend, weights::KeyMap};
use mpm_diffusion::{
    LatentDiffusion,
    schedule::{Convention, NoiseSchedule, NoiseScheduleConfig},
    unet::UNetConfig,
    vae::{self, VaeConfig},
};
use mpm_test_support::{Case, Tolerance, load};
use serde::Deserialize;
use viscpm_paint::Painter;

/// Sums of f32 products in another order, through some twenty layers with norms.
pub const FORWARD: Tolerance = Tolerance {
    of_largest: 2e-5,
    ..Tolerance::EXACT
};

/// UNet, trans block, autoencoder and schedule of a case.
pub fn painter<B: MpmBackend>(case: &Case) -> Painter<B> {
    let device = Default::default();
    let unet = UNetConfig::deserialize(&case.json["unet_config"]).unwrap();
    let autoencoder = VaeConfig::deserialize(&case.json["vae_config"]).unwrap();
    let diffusion = LatentDiffusion::new(&unet, case.size("/dim_llm"), &device).unwrap();
    Painter {
        diffusion: load(diffusion, case, &["unet", "trans_block"], KeyMap::new()),
        vae: load(
            autoencoder.init(&device).unwrap(),
            case,
            &["vae"],
            vae::checkpoint_keys(case.file()),
        ),
        schedule: schedule(case),
        convention: convention(case),
    }
}

fn schedule(case: &Case) -> NoiseSchedule {
    let config = NoiseScheduleConfig::deserialize(&case.json["scheduler"]).unwrap();
    NoiseSchedule::new(config).unwrap()
}

/// Which release of diffusers made a case.
fn convention(case: &Case) -> Convention {
    match case.json["versions"]["diffusers"].as_str() {
        Some("0.15.0") => Convention::Pinned,
        _ => Convention::Current,
    }
}
