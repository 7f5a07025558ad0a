//! `v_resampler_*`: queries that read the features of a grid.

use burn::tensor::Tensor;
use mpm_core::weights::module_keys;
use mpm_test_support::{Case, gradients, load_branch, own_cases, report};
use mpm_vision::connector::{Resampler, ResamplerConfig};

use super::{Ad, FORWARD, FULL_GRADIENT};

#[test]
fn resamplers() {
    let cases = own_cases("v_resampler_");
    for case in &cases {
        features_and_gradients(case);
    }
    report(cases.len(), "v_resampler");
}

fn features_and_gradients(case: &Case) {
    let resampler = open(case);
    let features: Tensor<Ad, 3> = case.tensor("in.features");
    let features = features.require_grad();
    let grid = [case.size("/grid/0"), case.size("/grid/1")];
    let output = resampler.forward(features.clone(), grid);
    case.assert_close("out.features", output.clone(), FORWARD);

    let loss = (output * case.tensor("in.loss_weight")).mean();
    let grads = loss.backward();
    let mut found = gradients(&resampler, &grads);
    let grad = features.grad(&grads).unwrap().into_data();
    found.insert("features".to_owned(), grad);
    for name in case.with_prefix("grad.") {
        let gradient = found.remove(name).unwrap_or_else(|| panic!("no {name}"));
        case.assert_data_close(&format!("grad.{name}"), &gradient, FULL_GRADIENT);
    }
    // `pos_embed`, where there is one, does not train.
    assert!(found.is_empty(), "{found:?}");
}

fn open(case: &Case) -> Resampler<Ad> {
    let config = ResamplerConfig {
        num_queries: case.size("/num_queries"),
        num_heads: Some(case.size("/num_heads")),
        query_positions: case.json["query_positions"].as_bool().unwrap(),
        ..ResamplerConfig::default()
    };
    let (d_in, d_llm) = (case.size("/d_in"), case.size("/d_llm"));
    let fresh: Resampler<Ad> = config.init(d_in, d_llm, &Default::default()).unwrap();
    if let Some(positions) = &fresh.pos_embed {
        case.assert_close("resampler.pos_embed", positions.val(), FORWARD);
        assert_eq!(
            module_keys(&fresh)["pos_embed"],
            case.shape("resampler.pos_embed")
        );
    }
    load_branch(fresh, case, "resampler")
}
