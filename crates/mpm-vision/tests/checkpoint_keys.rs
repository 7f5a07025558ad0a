//! The parameters of encoders and connectors are those of published checkpoints: same names, same
//! shapes, each once.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use burn::{
    backend::Flex,
    module::{Module, list_param_ids},
};
use mpm_core::weights::{KeyMap, module_keys};
use mpm_vision::{
    Muffin, MuffinConfig, UNUSED_KEYS, VisualModule, VisualModuleConfig,
    clip::ClipVisionConfig,
    connector::ResamplerConfig,
    siglip::SiglipVisionConfig,
    visual_module::{llava_keys, minicpm_v_keys},
};

/// Names and shapes of all tensors of the published checkpoint outside its
/// language model, one a line: `name 1x2x3`.
const CHECKPOINT_KEYS: &str = include_str!("data/chat_vlu_cpmbee_vision_keys.txt");

/// The same of other checkpoints, written by `tests/fixtures/scripts/v_keys.py`.
const SIGLIP_KEYS: &str = include_str!("data/siglip_so400m_patch14_384_keys.txt");
const CLIP_KEYS: &str = include_str!("data/clip_vit_large_patch14_336_keys.txt");
const RESAMPLER_2_0_KEYS: &str = include_str!("data/minicpm_v_2_0_resampler_keys.txt");
const RESAMPLER_2_6_KEYS: &str = include_str!("data/minicpm_v_2_6_resampler_keys.txt");

type Shapes = BTreeMap<String, Vec<usize>>;

fn shapes(keys: &str) -> Shapes {
    keys.lines()
        .map(|line| {
            let (name, shape) = line.split_once(' ').unwrap();
            let shape = shape.split('x').map(|side| side.parse().unwrap());
            (name.to_owned(), shape.collect())
        })
        .collect()
}

/// Names and shapes of a module's parameters, without drawing a single weight.
fn parameters(module: &impl Module<Flex>) -> Shapes {
    let parameters = module_keys(module);
    let count = list_param_ids(module).len();
    assert_eq!(parameters.len(), count, "two parameters share a name");
    parameters
}

/// The same under the names of a file.
fn in_file(module: &impl Module<Flex>, keys: &KeyMap) -> Shapes {
    let parameters = parameters(module);
    let count = parameters.len();
    let named = parameters.into_iter();
    let named: Shapes = named
        .map(|(path, shape)| {
            let name = keys.to_file(&path);
            assert_eq!(keys.to_module(&name), Some(path));
            (name, shape)
        })
        .collect();
    assert_eq!(
        named.len(),
        count,
        "two parameters have one name in the file"
    );
    named
}

#[test]
fn parameters_and_checkpoint_keys_are_in_bijection() {
    let muffin: Muffin<Flex> = MuffinConfig::viscpm_chat()
        .init(&Default::default())
        .unwrap();
    let parameters = parameters(&muffin);

    let mut expected = shapes(CHECKPOINT_KEYS);
    assert_eq!(expected.len(), 978);
    for key in UNUSED_KEYS {
        assert!(
            expected.remove(*key).is_some(),
            "{key} is not in the checkpoint"
        );
    }
    assert_eq!(parameters, expected);

    // The same by the configuration of any visual module.
    let module = VisualModuleConfig::viscpm_chat().init::<Flex>(&Default::default());
    assert_eq!(self::parameters(&module.unwrap()), expected);
}

#[test]
fn vision_towers_have_the_published_parameters() {
    let device = Default::default();
    let keys = KeyMap::new().rename("vision_model", "");
    let siglip = SiglipVisionConfig::so400m_patch14_384().init::<Flex>(&device);
    assert_eq!(in_file(&siglip.unwrap(), &keys), shapes(SIGLIP_KEYS));
    let clip = ClipVisionConfig::vit_l14_336().init::<Flex>(&device);
    assert_eq!(in_file(&clip.unwrap(), &keys), shapes(CLIP_KEYS));
}

#[test]
fn resamplers_have_the_published_parameters() {
    let device = Default::default();
    let keys = KeyMap::new().rename("resampler", "");
    let with_positions = ResamplerConfig {
        query_positions: true,
        ..ResamplerConfig::default()
    };
    let resampler = with_positions.init::<Flex>(1152, 2304, &device).unwrap();
    assert_eq!(in_file(&resampler, &keys), shapes(RESAMPLER_2_0_KEYS));
    let resampler = ResamplerConfig::default().init::<Flex>(1152, 3584, &device);
    assert_eq!(
        in_file(&resampler.unwrap(), &keys),
        shapes(RESAMPLER_2_6_KEYS)
    );
}

#[test]
fn visual_modules_are_made_of_the_published_parts() {
    let module = |config: VisualModuleConfig| -> VisualModule<Flex> {
        config.init(&Default::default()).unwrap()
    };
    let below = |shapes: Shapes, from: &str, to: &str| -> Shapes {
        let renamed = shapes.into_iter().filter_map(|(name, shape)| {
            let rest = name.strip_prefix(from)?;
            Some((format!("{to}{rest}"), shape))
        });
        renamed.collect()
    };

    let llava = in_file(&module(VisualModuleConfig::llava_1_5_7b()), &llava_keys());
    let mut expected = below(shapes(CLIP_KEYS), "", "vision_tower.");
    for (layer, d_in) in [("linear_1", 1024), ("linear_2", 4096)] {
        let name = format!("multi_modal_projector.{layer}");
        expected.insert(format!("{name}.weight"), vec![4096, d_in]);
        expected.insert(format!("{name}.bias"), vec![4096]);
    }
    assert_eq!(llava, expected);

    let minicpm = module(VisualModuleConfig::minicpm_v_2_6());
    let minicpm = in_file(&minicpm, &minicpm_v_keys());
    let mut expected = below(shapes(SIGLIP_KEYS), "vision_model.", "vpm.");
    expected.retain(|name, _| !name.starts_with("vpm.head."));
    let positions = "vpm.embeddings.position_embedding.weight".to_owned();
    expected.insert(positions, vec![70 * 70, 1152]);
    expected.extend(shapes(RESAMPLER_2_6_KEYS));
    assert_eq!(minicpm, expected);
}
