//! A tiny model of random weights, a picture, and the program.

use std::{
    io::Write,
    ops::Deref,
    process::Command,
    sync::{Mutex, MutexGuard},
};

use burn::{
    backend::Flex,
    module::{Module, Param},
    tensor::{DType, Tensor, backend::Backend, s},
};
use mpm_llm::{
    any::{AnyLlm, AnyTokenizer},
    cpm_bee::CpmBeeConfig,
    decoding::{DecodingParams, Strategy},
    tokenizer::{CpmBeeTokenizer, VocabularyBuilder},
};
use mpm_test_support::program::TestFolder;
pub use mpm_test_support::program::{Outcome, run};
use mpm_vision::{Beit3Config, MuffinConfig};
use viscpm_chat::{ChatModel, ModelConfig, VisCpmChatConfig};

const TEXTS: [&str; 3] = [
    "What is this? a cat",
    "What is this? a dog",
    "这是什么？一只猫",
];

/// The generator of Burn's backends is global, and tests run side by side.
static WEIGHTS: Mutex<()> = Mutex::new(());

/// A folder with `model/` and `picture.png`.
pub struct Sandbox(TestFolder);

impl Deref for Sandbox {
    type Target = TestFolder;

    fn deref(&self) -> &TestFolder {
        &self.0
    }
}

/// To be held while random numbers are drawn.
pub fn alone() -> MutexGuard<'static, ()> {
    WEIGHTS
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A model that never ends an answer by itself, so that tests decide about it.
pub fn model() -> ChatModel<Flex> {
    let vocabulary = VocabularyBuilder::new(140).build(TEXTS).unwrap();
    let tokenizer = CpmBeeTokenizer::new(vocabulary).unwrap();
    let llm = CpmBeeConfig {
        vocab_size: tokenizer.vocab_size(),
        dim_model: 16,
        num_heads: 2,
        dim_head: 8,
        dim_ff: 24,
        num_layers: 2,
        // Logits of some size, so that rounding seldom decides.
        embedding_init_std: 1.0,
        ..CpmBeeConfig::tiny()
    };
    // Weights of some size here, too: another picture shall give another answer.
    let encoder = Beit3Config::tiny().with_init_std(0.5);
    let visual = MuffinConfig::new(encoder, llm.dim_model).with_num_queries(4);
    let mut config = ModelConfig::new(VisCpmChatConfig::muffin(llm, visual)).unwrap();
    config.decoding = DecodingParams {
        strategy: Strategy::Greedy,
        repetition_penalty: 1.5,
        max_new_tokens: 12,
        ..DecodingParams::default()
    };

    let _alone = alone();
    let device = Default::default();
    Flex::seed(&device, 7);
    let fresh = || config.model.init::<Flex>(&device).unwrap();
    // Weights are drawn when first read: now, while no other test draws.
    let mut model = fresh().load_record(fresh().into_record());
    // Logit 0 for the end and for line breaks; some other one is always higher.
    let AnyLlm::CpmBee(llm) = &mut model.llm else {
        panic!("it is configured as CPM-Bee");
    };
    let weight = llm.input_embedding.weight.float().unwrap().val();
    let zeros = Tensor::zeros([1, weight.dims()[1]], &device);
    let never = [4, tokenizer.eos_id() as usize];
    let weight = never.into_iter().fold(weight, |weight, id| {
        weight.slice_assign(s![id..id + 1, ..], zeros.clone())
    });
    llm.input_embedding.weight = Param::from_tensor(weight).into();
    ChatModel {
        model,
        tokenizer: AnyTokenizer::CpmBee(tokenizer),
        config,
    }
}

impl Sandbox {
    pub fn new() -> Self {
        let sandbox = Self(TestFolder::new());
        model().save(sandbox.path("model"), DType::F32).unwrap();
        let picture = image::RgbImage::from_fn(40, 30, |x, y| {
            image::Rgb([(x * 6) as u8, (y * 8) as u8, 90])
        });
        picture.save(sandbox.path("picture.png")).unwrap();
        sandbox
    }

    /// The program in this folder, without a model.
    pub fn without_model(&self) -> Command {
        self.program(env!("CARGO_BIN_EXE_viscpm-chat"))
    }

    /// The program with the model.
    pub fn chat(&self) -> Command {
        let mut command = self.without_model();
        command.args(["--model", "model"]);
        command
    }

    /// Asks for one answer, with more arguments.
    pub fn ask(&self, arguments: &[&str]) -> Outcome {
        let question = ["--image", "picture.png", "--question", "What is this?"];
        run(self.chat().args(question).args(arguments))
    }
}

/// Runs a command with a file as its standard input.
pub fn run_with_input(command: &mut Command, input: impl AsRef<[u8]>) -> Outcome {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_ref()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    run(command.stdin(file))
}
