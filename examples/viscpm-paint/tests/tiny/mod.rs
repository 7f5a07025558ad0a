//! Tiny models of random weights: the painter's, and those around it.

use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard},
};

use burn::{
    backend::Flex,
    module::{Module, Param},
    tensor::{DType, Tensor, TensorData, backend::Backend},
};
use mpm_core::{
    nn::TorchLinear,
    weights::{KeyMap, Precision, save},
};
use mpm_diffusion::{
    LatentDiffusion, TransBlock,
    schedule::{NoiseSchedule, SchedulerKind},
    unet::{DownBlockType, PerLevel, UNetConfig, UpBlockType},
    vae::VaeConfig,
};
use mpm_llm::{
    any::{AnyLlmConfig, AnyTokenizer},
    bert::{Bert, BertClassifier, BertConfig},
    cpm_bee::CpmBeeConfig,
    llama::{LlamaText, LlamaTokenizer},
    tokenizer::{CpmBeeTokenizer, VocabularyBuilder},
};
use mpm_test_support::own_cases;
use mpm_vision::clip::{ClipConfig, ClipVision, ClipVisionConfig, SafetyChecker};
use serde_json::json;
use viscpm_paint::{ModelConfig, PaintDefaults, PaintModel, Painter, TextEncoder};

/// Below every cosine: all pictures are flagged.
pub const STRICT: f32 = -1.5;
/// Above every cosine: none is.
pub const LAX: f32 = 1.5;

const TEXTS: [&str; 3] = [
    "a red cat on a mat",
    "a dog and a cat",
    "一只红色的猫和一只狗",
];

const BERT_VOCABULARY: &str =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nred\ncat\ndog\n一\n只\n猫\n狗\n";

/// The generator of Burn's backends is global, and tests run side by side.
static WEIGHTS: Mutex<()> = Mutex::new(());

/// To be held while random numbers are drawn.
fn seeded() -> MutexGuard<'static, ()> {
    let guard = WEIGHTS.lock();
    let guard = guard.unwrap_or_else(|poisoned| poisoned.into_inner());
    Flex::seed(&Default::default(), 7);
    guard
}

/// Weights are drawn when first read: now, while no other test draws.
fn drawn<M: Module<Flex>>(fresh: impl Fn() -> M) -> M {
    fresh().load_record(fresh().into_record())
}

/// A model that paints 32 × 32 pixels, a latent pixel for 4 × 4 of them.
pub fn model() -> PaintModel<Flex> {
    let vocabulary = VocabularyBuilder::new(140).build(TEXTS).unwrap();
    let tokenizer = CpmBeeTokenizer::new(vocabulary).unwrap();
    let llm = CpmBeeConfig {
        vocab_size: tokenizer.vocab_size(),
        dim_model: 16,
        num_heads: 2,
        dim_head: 8,
        dim_ff: 24,
        num_layers: 2,
        embedding_init_std: 1.0,
        ..CpmBeeConfig::tiny()
    };
    behind(llm.into(), AnyTokenizer::CpmBee(tokenizer))
}

/// The same behind a model of the LLaMA family.
pub fn llama_model() -> PaintModel<Flex> {
    let case = &own_cases("l_tokenizer_letters")[0];
    let json = case.json["tokenizer"].to_string();
    let tokenizer = LlamaTokenizer::from_json(json.as_bytes(), case.size("/size")).unwrap();
    let config = json!({
        "model_type": "llama", "vocab_size": tokenizer.vocab_size(), "hidden_size": 16,
        "intermediate_size": 24, "num_hidden_layers": 4, "num_attention_heads": 2,
        "max_position_embeddings": 64,
    });
    let text = LlamaText {
        ends: Vec::new(),
        chat_template: None,
        tokenizer,
    };
    let config = serde_json::from_value(config).unwrap();
    behind(config, AnyTokenizer::Llama(text))
}

fn behind(llm: AnyLlmConfig, tokenizer: AnyTokenizer) -> PaintModel<Flex> {
    let unet = UNetConfig {
        sample_size: 8,
        down_block_types: vec![
            DownBlockType::CrossAttnDownBlock2D,
            DownBlockType::DownBlock2D,
        ],
        up_block_types: vec![UpBlockType::UpBlock2D, UpBlockType::CrossAttnUpBlock2D],
        block_out_channels: vec![16, 16],
        layers_per_block: 1,
        norm_num_groups: 4,
        cross_attention_dim: 16,
        attention_head_dim: PerLevel::Same(2),
        ..UNetConfig::stable_diffusion_2_1()
    };
    let vae = VaeConfig {
        block_out_channels: vec![8, 8, 16],
        layers_per_block: 1,
        norm_num_groups: 4,
        ..VaeConfig::stable_diffusion()
    };
    let config = ModelConfig {
        max_prompt_tokens: 256,
        defaults: PaintDefaults {
            size: 32,
            scheduler: SchedulerKind::DpmSolver,
            steps: Some(3),
            guidance: 3.0,
        },
        ..ModelConfig::new(llm, unet, vae)
    };
    let device = Default::default();
    let _alone = seeded();
    let unet = drawn(|| config.unet.init(&device).unwrap());
    let [d_llm, d_text] = [config.llm.d_model(), config.unet.cross_attention_dim];
    let mut trans_block = drawn(|| TransBlock::new(d_llm, d_text, &device));
    // The text shall matter.
    louder(&mut trans_block.w_out_res, 8.0);
    let diffusion = LatentDiffusion {
        unet,
        trans_block: Some(trans_block),
    };
    let mut autoencoder = drawn(|| config.vae.init(&device).unwrap());
    // Contrast, so that pictures differ in more than a level.
    let last = &mut autoencoder.decoder.conv_out;
    last.weight = last.weight.clone().map(|weight| weight * 2.0);
    PaintModel {
        text_encoder: TextEncoder {
            llm: drawn(|| config.llm.init(&device).unwrap()),
            prompts: config.prompt_tokenizer(tokenizer),
        },
        painter: Painter {
            diffusion,
            vae: autoencoder,
            schedule: NoiseSchedule::new(config.scheduler.clone()).unwrap(),
            convention: config.convention,
        },
        config,
    }
}

fn louder(layer: &mut TorchLinear<Flex>, factor: f64) {
    let weight = layer.weight.float().unwrap().val();
    layer.weight = Param::from_tensor(weight * factor).into();
}

/// Writes a safety checker all of whose thresholds are the same.
pub fn write_safety_checker(folder: &Path, threshold: f32) {
    fs::create_dir(folder).unwrap();
    let config = ClipConfig {
        vision_config: ClipVisionConfig::tiny(),
        projection_dim: 12,
    };
    let json = serde_json::to_string(&config).unwrap();
    fs::write(folder.join("config.json"), json).unwrap();
    let _alone = seeded();
    let device = Default::default();
    let mut checker = drawn(|| SafetyChecker::<Flex>::new(&config, &device).unwrap());
    let thresholds = &mut checker.concept_embeds_weights;
    *thresholds = thresholds
        .clone()
        .map(|weights| weights.full_like(threshold));
    write_weights(&checker, folder, &KeyMap::new());
}

/// Writes a classifier that refuses every prompt or none.
pub fn write_prompt_checker(folder: &Path, refuses: bool) {
    fs::create_dir(folder).unwrap();
    let config = BertConfig::tiny();
    let json = serde_json::to_string(&config).unwrap();
    fs::write(folder.join("config.json"), json).unwrap();
    fs::write(folder.join("vocab.txt"), BERT_VOCABULARY).unwrap();
    let _alone = seeded();
    let device = Default::default();
    let mut model = drawn(|| BertClassifier::<Flex>::new(&config, &device).unwrap());
    let logit = if refuses { 50.0 } else { -50.0 };
    let bias = Tensor::from_data(TensorData::from([-logit, logit]), (&device, DType::F32));
    model.classifier.bias = Some(Param::from_tensor(bias));
    let keys = BertClassifier::<Flex>::checkpoint_keys(&config);
    write_weights(&model, folder, &keys);
}

/// Both towers in one file.
#[derive(Module, Debug)]
struct ChineseClip<B: Backend> {
    text_model: Bert<B>,
    text_projection: TorchLinear<B>,
    vision_model: ClipVision<B>,
    visual_projection: TorchLinear<B>,
    logit_scale: Param<Tensor<B, 1>>,
}

/// Writes a Chinese-CLIP.
pub fn write_chinese_clip(folder: &Path) {
    fs::create_dir(folder).unwrap();
    let (text, vision) = (BertConfig::tiny(), ClipVisionConfig::tiny());
    let json = json!({"text_config": text, "vision_config": vision, "projection_dim": 12});
    fs::write(folder.join("config.json"), json.to_string()).unwrap();
    fs::write(folder.join("vocab.txt"), BERT_VOCABULARY).unwrap();
    let _alone = seeded();
    let device = Default::default();
    let projection = |width| TorchLinear::new(width, 12, &device).without_bias();
    let model: ChineseClip<Flex> = drawn(|| ChineseClip {
        text_model: text.init(&device).unwrap(),
        text_projection: projection(text.hidden_size),
        vision_model: vision.init(&device).unwrap(),
        visual_projection: projection(vision.hidden_size),
        logit_scale: Param::from_tensor(Tensor::from_data([3.0], (&device, DType::F32))),
    });
    let keys = Bert::<Flex>::checkpoint_keys("text_model", text.num_hidden_layers);
    write_weights(&model, folder, &keys);
}

fn write_weights<M: Module<Flex>>(model: &M, folder: &Path, keys: &KeyMap) {
    let weights = folder.join("model.safetensors");
    save(model, weights, keys, Precision::AsStored).unwrap();
}
