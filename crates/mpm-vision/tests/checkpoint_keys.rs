//! The parameters of [`Muffin`] are the picture side of VisCPM-Chat's checkpoint:
//! same names, same shapes, each once.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use burn::{backend::Flex, module::list_param_ids};
use mpm_core::weights::module_keys;
use mpm_vision::{Muffin, MuffinConfig, UNUSED_KEYS};

/// Names and shapes of all tensors of the published checkpoint outside its
/// language model, one a line: `name 1x2x3`.
const CHECKPOINT_KEYS: &str = include_str!("data/chat_vlu_cpmbee_vision_keys.txt");

fn checkpoint_shapes() -> BTreeMap<String, Vec<usize>> {
    CHECKPOINT_KEYS
        .lines()
        .map(|line| {
            let (name, shape) = line.split_once(' ').unwrap();
            let shape = shape.split('x').map(|side| side.parse().unwrap());
            (name.to_owned(), shape.collect())
        })
        .collect()
}

#[test]
fn parameters_and_checkpoint_keys_are_in_bijection() {
    let muffin: Muffin<Flex> = MuffinConfig::viscpm_chat()
        .init(&Default::default())
        .unwrap();
    // Names and shapes, without drawing a single weight.
    let parameters = module_keys(&muffin);
    assert_eq!(
        parameters.len(),
        list_param_ids(&muffin).len(),
        "two parameters share a name"
    );

    let mut expected = checkpoint_shapes();
    assert_eq!(expected.len(), 978);
    for key in UNUSED_KEYS {
        assert!(
            expected.remove(*key).is_some(),
            "{key} is not in the checkpoint"
        );
    }
    assert_eq!(parameters, expected);
}
