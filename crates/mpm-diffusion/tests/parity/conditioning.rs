//! What the UNet is conditioned on: `g_sd_small*`.

use burn::tensor::Tensor;
use mpm_diffusion::{TransBlock, unet::timestep_embedding};
use mpm_test_support::{TestBackend, Tolerance, cases, load_branch, report};

/// The reference's exponential of f32 differs in its last bit, 6e-8, which a timestep of 999
/// multiplies.
const SINUSOID: Tolerance = Tolerance {
    absolute: 1.2e-4,
    ..Tolerance::EXACT
};
/// Sums of 40 products of f32, and a norm.
const FORWARD: Tolerance = Tolerance {
    of_largest: 2e-6,
    ..Tolerance::EXACT
};

#[test]
fn the_trans_block_and_the_sinusoids_equal_the_reference() {
    let cases = cases("g_sd_small");
    for case in &cases {
        let device = Default::default();
        let block =
            TransBlock::<TestBackend>::new(case.size("/dim_in"), case.size("/dim_out"), &device);
        let block = load_branch(block, case, "trans_block");
        case.assert_close(
            "out.trans_block",
            block.forward(case.tensor("in.x")),
            FORWARD,
        );

        let timesteps: Vec<f64> = case
            .ints("in.timesteps")
            .into_iter()
            .map(f64::from)
            .collect();
        const KEY: &str = "out.timestep_embedding_";
        for width in case.with_prefix(KEY) {
            let embedded: Tensor<TestBackend, 2> =
                timestep_embedding(&timesteps, width.parse().unwrap(), true, 0, &device);
            case.assert_close(&format!("{KEY}{width}"), embedded, SINUSOID);
        }
    }
    report(cases.len(), "trans block and sinusoids");
}
