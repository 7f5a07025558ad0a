//! Writes a model folder of random weights in f16, to see what painting takes at full size:
//! Stable Diffusion 2.1's UNet and autoencoder behind a CPM-Bee of 1.2 billion parameters.
//!
//! ```sh
//! cargo run --example random-model -- target/random-paint-model
//! ```

use std::{error::Error, path::PathBuf};

use burn::{backend::Flex, tensor::DType};
use mpm_diffusion::{schedule::NoiseSchedule, unet::UNetConfig, vae::VaeConfig};
use mpm_llm::{any::AnyTokenizer, cpm_bee::CpmBeeConfig, tokenizer::CpmBeeTokenizer};
use viscpm_paint::{ModelConfig, PaintModel, Painter, TextEncoder};

const VOCABULARY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../models/viscpm-paint-emoji/vocab.txt"
);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name a folder")?;
    let tokenizer = CpmBeeTokenizer::from_file(VOCABULARY)?;
    let llm = CpmBeeConfig {
        vocab_size: tokenizer.vocab_size(),
        dim_model: 2048,
        num_heads: 16,
        dim_ff: 5120,
        num_layers: 24,
        ..CpmBeeConfig::cpm_bee_10b()
    };
    let unet = UNetConfig::stable_diffusion_2_1();
    let config = ModelConfig::new(llm, unet, VaeConfig::stable_diffusion());
    let device = Default::default();
    let model = PaintModel::<Flex> {
        text_encoder: TextEncoder {
            llm: config.llm.init(&device)?,
            prompts: config.prompt_tokenizer(AnyTokenizer::CpmBee(tokenizer)),
        },
        painter: Painter {
            diffusion: config.diffusion(&device)?,
            vae: config.vae.init(&device)?,
            schedule: NoiseSchedule::new(config.scheduler.clone())?,
            convention: config.convention,
        },
        config,
    };
    Ok(model.save(PathBuf::from(folder), DType::F16)?)
}
