//! The names and shapes of the published checkpoint and of the autoencoder's files.

use std::collections::{BTreeMap, BTreeSet};

use burn::backend::Flex;
use mpm_core::weights::{KeyMap, module_keys};
use mpm_diffusion::{LatentDiffusion, vae::VaeConfig};
use viscpm_paint::{ModelConfig, checkpoint_keys};

/// Names and shapes of the official VisCPM-Paint checkpoint.
const PUBLISHED: &str = include_str!("../../../../tests/fixtures/paint_checkpoint_keys.json");
/// Names and shapes of Stable Diffusion's autoencoder, as diffusers writes them today.
const AUTOENCODER: &str = include_str!("../../../../tests/fixtures/sd_vae_keys.json");

type Shapes = BTreeMap<String, Vec<usize>>;

fn parse(json: &str) -> Shapes {
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_mapping_is_a_bijection_on_the_published_names() {
    let published = parse(PUBLISHED);
    assert_eq!(published.len(), 1124);
    // Parameters are made when they are first read: 10 billion of them cost
    // nothing here.
    let (config, device) = (ModelConfig::viscpm_paint(), Default::default());
    let llm = config.llm.init::<Flex>(&device).unwrap();
    let diffusion = LatentDiffusion::<Flex>::new(&config.unet, config.llm.d_model(), &device);
    let (llm_keys, diffusion_keys) = checkpoint_keys();
    let in_llm = reached(&published, &llm_keys, &module_keys(&llm));
    let in_diffusion = reached(
        &published,
        &diffusion_keys,
        &module_keys(&diffusion.unwrap()),
    );
    assert_eq!((in_llm.len(), in_diffusion.len()), (435, 689));
    assert!(in_llm.is_disjoint(&in_diffusion));
    let all: BTreeSet<_> = in_llm.union(&in_diffusion).cloned().collect();
    assert_eq!(all, published.into_keys().collect());
}

/// The published names that lead to parameters, all of which are reached once.
fn reached(published: &Shapes, keys: &KeyMap, parameters: &Shapes) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut paths = BTreeSet::new();
    for (name, shape) in published {
        let Some(path) = keys.to_module(name) else {
            continue;
        };
        assert_eq!(parameters.get(&path), Some(shape), "{name} -> {path}");
        assert_eq!(&keys.to_file(&path), name);
        assert!(paths.insert(path), "{name} maps to a taken parameter");
        names.insert(name.clone());
    }
    assert_eq!(paths.len(), parameters.len(), "parameters without a name");
    names
}

#[test]
fn the_autoencoder_has_the_names_of_diffusers() {
    let vae = VaeConfig::stable_diffusion().init::<Flex>(&Default::default());
    assert_eq!(module_keys(&vae.unwrap()), parse(AUTOENCODER));
}
