//! `l_keys_*`: the parameters of published models.

use std::collections::BTreeMap;

use mpm_core::weights::module_keys;
use mpm_llm::llama::{Llama, LlamaConfig};
use mpm_test_support::{TestBackend, own_cases, report};

#[test]
fn parameters_are_those_of_the_published_models() {
    let cases = own_cases("l_keys_");
    for case in &cases {
        let config: LlamaConfig = serde_json::from_value(case.json["config"].clone()).unwrap();
        // Nothing is drawn before it is used.
        let model: Llama<TestBackend> = config.init(&Default::default()).unwrap();
        let expected: BTreeMap<String, Vec<usize>> =
            serde_json::from_value(case.json["shapes"].clone()).unwrap();
        assert_eq!(module_keys(&model), expected, "{}", case.name);
    }
    report(cases.len(), "l_keys");
}
