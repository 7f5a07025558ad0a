//! The memory that it takes to load a checkpoint of several gigabytes, beside the model itself.
//!
//! A program of its own, since the highest memory of a process is that of all its tests.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it measured"
)]

use std::{fs, time::Instant};

use burn::{backend::Flex, module::Module, tensor::DType};
use mpm_core::weights::{LoadOptions, Precision, WeightFile, load};
use mpm_llm::cpm_bee::CpmBeeConfig;
use mpm_test_support::program::{TestFolder, run};
use mpm_vision::{Beit3Config, MuffinConfig};
use viscpm_chat::{ModelConfig, VisCpmChatConfig, checkpoint_keys};

/// What loading may take beside the model: the limit that the project has set itself.
const ALLOWED: usize = 1 << 30;

/// Of half the published layers' width and a quarter of their number, with the whole vocabulary:
/// 1.1 billion parameters, of which the largest tensor has 177 million.
fn config() -> ModelConfig {
    let llm = CpmBeeConfig {
        dim_model: 2048,
        num_heads: 16,
        dim_ff: 5120,
        num_layers: 18,
        ..CpmBeeConfig::cpm_bee_10b()
    };
    let visual = MuffinConfig::new(Beit3Config::tiny(), llm.dim_model).with_num_queries(4);
    ModelConfig::new(VisCpmChatConfig::muffin(llm, visual)).unwrap()
}

/// The highest memory of this process so far, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kilobytes.parse::<usize>().unwrap() * 1024
}

#[test]
fn loading_takes_little_memory_beside_the_model() {
    let folder = TestFolder::new();
    let config = config();
    let json = serde_json::to_vec(&config).unwrap();
    folder.write("config.json", json);
    let mut program = folder.program(env!("CARGO_BIN_EXE_viscpm"));
    let arguments = ["--config", "config.json", "--out", "checkpoint.pt"];
    let written = run(program.args(["random-checkpoint", "chat"]).args(arguments));
    assert_eq!(written.code, Some(0), "{written:?}");

    let before = peak();
    for (dtype, size) in [(DType::F16, 2), (DType::BF16, 2)] {
        let file = WeightFile::open(folder.path("checkpoint.pt")).unwrap();
        let options = LoadOptions {
            keys: checkpoint_keys(),
            precision: Precision::Cast(dtype),
            ..LoadOptions::default()
        };
        let start = Instant::now();
        let fresh = config.model.init::<Flex>(&Default::default()).unwrap();
        let model = load(fresh, &file, &options).unwrap();
        let bytes = model.num_params() * size;
        assert!(bytes > 2_000_000_000, "the model has {bytes} bytes only");
        let beside = peak() - before - bytes;
        println!(
            "{dtype:?}: {:.2} GB in {:.1} s, and {:.2} GB beside",
            bytes as f64 / 1e9,
            start.elapsed().as_secs_f64(),
            beside as f64 / 1e9
        );
        assert!(
            beside < ALLOWED,
            "{dtype:?}: {beside} bytes beside the model"
        );
    }
}
