//! Training with layers that are computed again for their gradients.

use burn::{
    backend::{Autodiff, Flex},
    module::Module,
    tensor::{Distribution, Tensor},
};
use mpm_test_support::gradients;
use mpm_vision::{Muffin, MuffinConfig, VisionError};

type B = Autodiff<Flex>;

#[test]
fn gradients_are_the_same_whatever_trains() -> Result<(), VisionError> {
    let device = Default::default();
    let muffin: Muffin<B> = MuffinConfig::tiny().init(&device)?;
    let pictures = Tensor::random([2, 3, 32, 32], Distribution::Default, &device);
    let mut partly = muffin.clone();
    let layers = &mut partly.vpm.beit3.encoder.layers;
    layers[0] = layers[0].clone().no_grad();
    let mut mapping_only = muffin.clone().no_grad();
    mapping_only.mapping = muffin.mapping.clone();
    let mut queries_only = muffin.clone().no_grad();
    queries_only.query = muffin.query.clone();
    for mut muffin in [muffin, partly, mapping_only, queries_only] {
        let step = |muffin: &Muffin<B>| -> Result<_, VisionError> {
            let features = muffin.forward(pictures.clone())?;
            let found = (features.clone() * features).mean().backward();
            Ok(gradients(muffin, &found))
        };
        let expected = step(&muffin)?;
        muffin.vpm.beit3.encoder.recompute = true;
        assert!(!expected.is_empty());
        // The same operations on the same numbers: not a bit may differ.
        assert_eq!(step(&muffin)?, expected);
    }
    Ok(())
}
