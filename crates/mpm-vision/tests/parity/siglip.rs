//! `v_siglip_*`: SigLIP's vision transformer.

use burn::tensor::Tensor;
use mpm_test_support::{Case, gradients, load, own_cases, report};
use mpm_vision::{
    FeatureSelection, PictureEncoder,
    siglip::{SiglipConfig, SiglipVision},
};

use super::{Ad, FORWARD, FULL_GRADIENT};

#[test]
fn siglip_pictures() {
    let cases = own_cases("v_siglip_");
    for case in &cases {
        outputs_and_gradients(case);
    }
    report(cases.len(), "v_siglip");
}

fn outputs_and_gradients(case: &Case) {
    let siglip = open(case);
    let pixel_values: Tensor<Ad, 4> = case.tensor("in.pixel_values");

    let tokens = siglip.embeddings.forward(pixel_values.clone()).unwrap();
    case.assert_close("out.tokens", tokens, FORWARD);
    for (name, layer) in [("tokens", 0), ("penultimate", -2), ("before_norm", -1)] {
        let selection = FeatureSelection {
            vision_feature_layer: Some(layer),
            ..FeatureSelection::default()
        };
        let states = siglip.select(pixel_values.clone(), selection).unwrap();
        case.assert_close(&format!("out.{name}"), states, FORWARD);
    }
    let output = siglip.forward(pixel_values).unwrap();
    let states = output.last_hidden_state;
    case.assert_close("out.last_hidden_state", states.clone(), FORWARD);

    let weighted: Tensor<Ad, 3> = match output.pooled {
        None => states * case.tensor("in.loss_weight"),
        Some(pooled) => {
            case.assert_close("out.pooled", pooled.clone(), FORWARD);
            (pooled * case.tensor("in.loss_weight")).unsqueeze()
        }
    };
    let mut found = gradients(&siglip, &weighted.mean().backward());
    for name in case.with_prefix("grad.") {
        let gradient = found.remove(name).unwrap_or_else(|| panic!("no {name}"));
        case.assert_data_close(&format!("grad.{name}"), &gradient, FULL_GRADIENT);
    }
    assert!(found.is_empty(), "{found:?}");

    let larger = siglip
        .with_image_size(case.size("/large_image_size"))
        .unwrap();
    let states = larger.encode(case.tensor("in.pixel_values_large")).unwrap();
    case.assert_close("out.large_last_hidden_state", states, FORWARD);
}

fn open(case: &Case) -> SiglipVision<Ad> {
    let config: SiglipConfig = serde_json::from_value(case.json.clone()).unwrap();
    let siglip = config.vision_config.init(&Default::default()).unwrap();
    let branches = ["vision_model", "text_model", "logit_scale", "logit_bias"];
    let keys = SiglipVision::<Ad>::checkpoint_keys(case.file());
    load(siglip, case, &branches, keys)
}
