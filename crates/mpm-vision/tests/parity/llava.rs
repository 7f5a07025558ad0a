//! `v_llava_*`: what the language model of LLaVA reads of a picture.

use burn::tensor::{Tensor, TensorData};
use mpm_core::weights::module_keys;
use mpm_test_support::{Case, gradients, load, own_cases, report};
use mpm_vision::{PictureEncoder, VisualModule, VisualModuleConfig, visual_module::llava_keys};

use super::{Ad, FORWARD, FULL_GRADIENT};

#[test]
fn llava_pictures() {
    let cases = own_cases("v_llava_");
    for case in &cases {
        features_and_gradients(case);
    }
    report(cases.len(), "v_llava");
}

fn features_and_gradients(case: &Case) {
    let config = VisualModuleConfig::from_llava(&case.json).unwrap();
    let module: VisualModule<Ad> = config.init(&Default::default()).unwrap();
    let branches = ["vision_tower", "multi_modal_projector", "language_model"];
    let module = load(module, case, &branches, llava_keys());

    let pixel_values: Tensor<Ad, 4> = case.tensor("in.pixel_values");
    let features = module.encode(pixel_values).unwrap();
    let [batch, num_features, width] = features.dims();
    assert_eq!(module.features_shape(), [num_features, width]);
    assert_eq!(batch, case.shape("in.pixel_values")[0]);
    case.assert_close("out.image_features", features.clone(), FORWARD);

    let loss = (features * case.tensor("in.loss_weight")).mean();
    let mut found = gradients(&module, &loss.backward());
    let parameters = module_keys(&module);
    for name in case.with_prefix("grad.") {
        let path = llava_keys().to_module(name).unwrap();
        let gradient = found.remove(&path).unwrap_or_else(|| {
            // What the loss does not depend on has zeros in the case and nothing here.
            TensorData::zeros::<f32, _>(parameters[&path].clone())
        });
        case.assert_data_close(&format!("grad.{name}"), &gradient, FULL_GRADIENT);
    }
    assert!(found.is_empty(), "{found:?}");
}
