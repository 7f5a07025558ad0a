//! The autoencoder: `g_vae_*`.

use burn::tensor::Tensor;
use mpm_diffusion::vae::{AutoencoderKl, VaeConfig};
use mpm_test_support::{Case, TestBackend, Tolerance, cases, load_branch, report};
use serde::Deserialize;

/// Sums of f32 products in another order, through some twenty layers with norms.
const FORWARD: Tolerance = Tolerance {
    of_largest: 1e-5,
    ..Tolerance::EXACT
};

#[test]
fn the_autoencoder_equals_the_reference() {
    let cases = cases("g_vae_");
    for case in &cases {
        let vae = load_branch(vae(case), case, "vae");
        let latents = vae.encode(case.tensor("in.pixel_values")).unwrap();
        // No variance of these cases reaches the bounds at which it is cut.
        let moments = Tensor::cat(vec![latents.mean.clone(), latents.logvar.clone()], 1);
        case.assert_close("out.moments", moments, FORWARD);
        case.assert_close("out.mean", latents.mean.clone(), FORWARD);
        case.assert_close("out.logvar", latents.logvar.clone(), FORWARD);
        case.assert_close("out.std", latents.std(), FORWARD);
        let sample = latents.sample(case.tensor("in.noise"));
        case.assert_close("out.sample", sample.clone(), FORWARD);
        // The reference decodes the sample.
        case.assert_close("out.decoded", vae.decode(sample).unwrap(), FORWARD);
        let other_size = vae.decode(case.tensor("in.latent2")).unwrap();
        case.assert_close("out.decoded2", other_size, FORWARD);
    }
    report(cases.len(), "autoencoder");
}

fn vae(case: &Case) -> AutoencoderKl<TestBackend> {
    let config = VaeConfig::deserialize(&case.json["vae_config"]).unwrap();
    config.init(&Default::default()).unwrap()
}
