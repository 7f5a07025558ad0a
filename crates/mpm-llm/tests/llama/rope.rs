//! `l_rope`: frequencies of rotary positions.

use mpm_llm::llama::LlamaConfig;
use mpm_test_support::{Tolerance, assert_values_close, own_cases, report};
use serde_json::Value;

/// Powers in f32, by another library: two units in the last place.
const F32: Tolerance = Tolerance {
    relative: 2.5e-7,
    ..Tolerance::EXACT
};
/// As [`F32`], of powers whose base is itself a power in f32 there and in f64 here.
const DYNAMIC: Tolerance = Tolerance {
    relative: 2e-6,
    ..Tolerance::EXACT
};

#[test]
fn frequencies() {
    let [case] = &own_cases("l_rope")[..] else {
        panic!("there is one case")
    };
    let stretched = case.json["cases"].as_array().unwrap();
    for stretch in stretched {
        let mut file = case.json["config"].clone();
        file["rope_parameters"] = stretch["rope"].clone();
        let config: LlamaConfig = serde_json::from_value(file).unwrap();
        let name = stretch["rope"]["rope_type"].as_str().unwrap();
        let tolerance = if name == "dynamic" { DYNAMIC } else { F32 };
        for length in stretch["lengths"].as_array().unwrap() {
            let len = length["len"].as_u64().unwrap() as usize;
            let frequencies = config.rope.frequencies(config.head_dim, len);
            let actual: Vec<f64> = frequencies.into_iter().map(f64::from).collect();
            let expected = numbers(&length["frequencies"]);
            assert_values_close(&format!("{name}, {len}"), &actual, &expected, tolerance);
            let factor = length["attention_factor"].as_f64().unwrap();
            let actual = config.rope.attention_factor();
            assert!((actual - factor).abs() < 1e-12, "{name}: {actual} {factor}");
        }
    }
    report(stretched.len(), "l_rope");
}

fn numbers(list: &Value) -> Vec<f64> {
    let list = list.as_array().unwrap().iter();
    list.map(|number| number.as_f64().unwrap()).collect()
}
