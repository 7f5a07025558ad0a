//! Training with blocks that are computed again for their gradients.

use burn::{
    backend::{Autodiff, Flex},
    module::Module,
    tensor::{Distribution, Tensor},
};
use mpm_diffusion::{
    DiffusionError,
    unet::{UNet2DConditionModel, UNetConfig},
};
use mpm_test_support::gradients;

type B = Autodiff<Flex>;

fn random<const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Default::default())
}

#[test]
fn gradients_are_the_same_whatever_trains() -> Result<(), DiffusionError> {
    let config = UNetConfig::tiny();
    let unet: UNet2DConditionModel<B> = config.init(&Default::default())?;
    let sample = random([2, unet.in_channels(), 8, 8]);
    let states = random([2, 3, unet.cross_attention_dim()]).require_grad();
    // the text's keys and values train, as in the paper's stage for painting
    let mut attentions = unet.clone().no_grad();
    for (block, trained) in attentions.down_blocks.iter_mut().zip(&unet.down_blocks) {
        for (attention, trained) in block.attentions.iter_mut().zip(&trained.attentions) {
            let blocks = attention.transformer_blocks.iter_mut();
            for (block, trained) in blocks.zip(&trained.transformer_blocks) {
                block.attn2 = trained.attn2.clone();
            }
        }
    }
    let frozen = unet.clone().no_grad();
    for mut unet in [unet, attentions, frozen] {
        let step = |unet: &UNet2DConditionModel<B>| -> Result<_, DiffusionError> {
            let text = unet.read_text(states.clone())?;
            let noise = unet.forward(sample.clone(), &[500.0, 3.0], &text)?;
            let found = (noise.clone() * noise).mean().backward();
            let states = states.grad(&found).map(|grad| grad.into_data());
            Ok((states, gradients(unet, &found)))
        };
        let expected = step(&unet)?;
        unet.recompute = true;
        assert!(expected.0.is_some());
        // The same operations on the same numbers: not a bit may differ.
        assert_eq!(step(&unet)?, expected);
    }
    Ok(())
}
