//! The names and shapes of the published checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use burn::backend::Flex;
use mpm_core::weights::module_keys;
use mpm_vision::UNUSED_KEYS;
use viscpm_chat::{VisCpmChat, VisCpmChatConfig, checkpoint_keys};

/// Names and shapes of the official `vlu_cpmbee` checkpoint.
const PUBLISHED: &str = include_str!("../../../../tests/fixtures/chat_checkpoint_keys.json");

#[test]
fn the_mapping_is_a_bijection_on_the_published_names() {
    let published: BTreeMap<String, Vec<usize>> = serde_json::from_str(PUBLISHED).unwrap();
    assert_eq!(published.len(), 1413);
    // Parameters are made when they are first read: 10 billion of them cost
    // nothing here.
    let model: VisCpmChat<Flex> = VisCpmChatConfig::viscpm_chat()
        .init(&Default::default())
        .unwrap();
    let ours = module_keys(&model);
    let keys = checkpoint_keys();

    let mut reached = BTreeSet::new();
    let mut unused = Vec::new();
    for (name, shape) in &published {
        let Some(path) = keys.to_module(name) else {
            unused.push(name.as_str());
            continue;
        };
        assert_eq!(ours.get(&path), Some(shape), "{name} -> {path}");
        assert_eq!(&keys.to_file(&path), name);
        assert!(
            reached.insert(path),
            "{name} maps to a parameter that is taken"
        );
    }
    assert_eq!(
        reached.len(),
        ours.len(),
        "parameters without a name in the file"
    );
    let mut expected = UNUSED_KEYS.to_vec();
    expected.sort_unstable();
    assert_eq!(unused, expected);
}
