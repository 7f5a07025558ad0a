//! Checkpoints of random weights.

mod checkpoint;
mod pickle;
mod torch_zip;
mod values;

use std::{collections::BTreeMap, path::Path};

use burn::{backend::Flex, module::Module};
use mpm_core::weights::{KeyMap, module_keys};
use viscpm_chat::VisCpmChatConfig;
use viscpm_common::cli::BoxError;

use crate::args::{Model, RandomArgs};

/// Names and shapes.
type Shapes = BTreeMap<String, Vec<usize>>;

/// Writes the checkpoint that the arguments ask for.
pub fn write(args: RandomArgs) -> Result<(), BoxError> {
    let config = args.config.as_deref();
    let mut files = Vec::new();
    match args.model {
        Model::Chat => files.push((chat(config)?, &args.out)),
        Model::Paint => {
            let [shapes, vae_shapes] = paint(config)?;
            files.push((shapes, &args.out));
            files.extend(args.vae.iter().map(|vae| (vae_shapes.clone(), vae)));
        }
    }
    for (shapes, path) in &files {
        checkpoint::check(shapes, path, args.dtype, args.force)?;
    }
    for (shapes, path) in &files {
        checkpoint::write(shapes, path, args.dtype, args.seed)?;
    }
    Ok(())
}

/// Those of VisCPM-Chat, with the tensors that are in its checkpoint and that nothing reads.
fn chat(config: Option<&Path>) -> Result<Shapes, BoxError> {
    let config = match config {
        Some(file) => viscpm_chat::ModelConfig::open(file)?.model,
        None => VisCpmChatConfig::viscpm_chat(),
    };
    let model = config.init::<Flex>(&Default::default())?;
    let mut shapes = shapes(&model, &viscpm_chat::checkpoint_keys());
    let width = config.visual.encoder.width();
    let unread = [
        ("vpm.mim_head.weight", vec![PICTURE_CODES, width]),
        ("vpm.mim_head.bias", vec![PICTURE_CODES]),
        ("vpm.beit3.text_embed.weight", vec![TEXT_TOKENS, width]),
        ("vpm.beit3.vision_embed.mask_token", vec![1, 1, width]),
    ];
    shapes.extend(unread.map(|(name, shape)| (name.to_owned(), shape)));
    Ok(shapes)
}

/// The codes that BEiT-3 predicts of hidden pieces of pictures.
const PICTURE_CODES: usize = 8192;

/// The vocabulary that BEiT-3 read with its pictures.
const TEXT_TOKENS: usize = 64_010;

/// Those of VisCPM-Paint and of its autoencoder.
fn paint(config: Option<&Path>) -> Result<[Shapes; 2], BoxError> {
    let config = match config {
        Some(file) => viscpm_paint::ModelConfig::open(file)?,
        None => viscpm_paint::ModelConfig::viscpm_paint(),
    };
    let device = Default::default();
    let llm = config.llm.init::<Flex>(&device)?;
    let (llm_keys, diffusion_keys) = viscpm_paint::checkpoint_keys();
    let mut all = shapes(&llm, &llm_keys);
    let diffusion = config.diffusion::<Flex>(&device)?;
    all.extend(shapes(&diffusion, &diffusion_keys));
    let vae = config.vae.init::<Flex>(&device)?;
    Ok([all, shapes(&vae, &KeyMap::new())])
}

fn shapes<M: Module<Flex>>(model: &M, keys: &KeyMap) -> Shapes {
    let shapes = module_keys(model).into_iter();
    shapes
        .map(|(name, shape)| (keys.to_file(&name), shape))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    const CHAT: &str = include_str!("../../../../tests/fixtures/chat_checkpoint_keys.json");
    const PAINT: &str = include_str!("../../../../tests/fixtures/paint_checkpoint_keys.json");
    const VAE: &str = include_str!("../../../../tests/fixtures/sd_vae_keys.json");

    /// The whole list: names and shapes.
    fn published(json: &str) -> Shapes {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn checkpoints_have_the_published_names_and_shapes() {
        assert_eq!(chat(None).unwrap(), published(CHAT));
        let [all, vae] = paint(None).unwrap();
        assert_eq!(all, published(PAINT));
        assert_eq!(vae, published(VAE));
    }
}
