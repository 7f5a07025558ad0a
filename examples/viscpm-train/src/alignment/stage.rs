//! The stage that aligns a language model.

use std::path::Path;

use burn::{
    backend::Autodiff,
    module::AutodiffModule,
    tensor::{DType, backend::AutodiffBackend},
};
use mpm_core::{MpmBackend, weights::KeyMap};
use mpm_llm::{
    any::{AnyLlm, AnyTokenizer},
    template::{TemplateTokenizer, TextTemplate},
};
use mpm_train::{
    BoxError, LossOutput, Objective,
    alignment::LlmAlignment,
    recipe::{AlignmentConfig, ObjectiveConfig, Recipe},
};
use viscpm_chat::{ChatModel, VisCpmChat};

use super::PairSource;
use crate::{
    DataShare, Preview, Stage,
    chat::{ChatStage, llm_activations},
};

/// About how many tokens a sentence with its prompt has.
const SENTENCE_TOKENS: usize = 64;

/// The language model of a chat model learns that translations mean the same.
pub struct AlignmentStage<B: MpmBackend> {
    chat: ChatStage<B>,
    objective: AlignChat<Autodiff<B>>,
    config: AlignmentConfig,
}

/// The alignment of a chat model's language model.
#[derive(Clone, Debug)]
pub struct AlignChat<B: AutodiffBackend>(LlmAlignment<AnyLlm<B>, AnyTokenizer>);

impl<B: AutodiffBackend + MpmBackend> Objective<B> for AlignChat<B> {
    type Model = VisCpmChat<B>;
    type Batch = Vec<[String; 2]>;

    fn loss(&self, model: &VisCpmChat<B>, batch: Self::Batch) -> Result<LossOutput<B>, BoxError> {
        self.0.loss(&model.llm, batch)
    }
}

impl<B: MpmBackend> Stage<B> for AlignmentStage<B> {
    type Model = VisCpmChat<Autodiff<B>>;
    type Batch = Vec<[String; 2]>;
    type Objective = AlignChat<Autodiff<B>>;
    type Source = PairSource;

    fn open(recipe: &Recipe, device: &B::Device) -> Result<Self, BoxError> {
        let ObjectiveConfig::Alignment(config) = &recipe.objective else {
            return Err("`objective.kind` must be `alignment`".into());
        };
        let chat = ChatStage::open(recipe, device)?;
        let tokenizer = chat.start().tokenizer.clone();
        let default = || TextTemplate::default_of(tokenizer.family());
        let template = config.prompt.clone().unwrap_or_else(default);
        let objective = LlmAlignment::new(tokenizer, template, config.pooling, config.loss)?;
        Ok(Self {
            chat,
            objective: AlignChat(objective),
            config: config.clone(),
        })
    }

    fn model(&self) -> Self::Model {
        self.chat.model()
    }

    fn objective(&self) -> Self::Objective {
        self.objective.clone()
    }

    fn source(&self, share: &DataShare) -> Result<PairSource, BoxError> {
        PairSource::new(&self.config.files, &self.config.languages, share)
    }

    fn activations(&self, recipe: &Recipe) -> u64 {
        let sentences = 2 * recipe.batch.micro.get();
        let llm = llm_activations(
            &self.chat.start().config.model.llm,
            sentences * SENTENCE_TOKENS,
            recipe.recompute.iter().any(|part| part == "llm"),
        );
        llm.bytes(recipe.precision)
    }

    fn preview(&self, batch: &Self::Batch) -> Preview {
        let texts = batch.iter().map(|[one, other]| format!("{one}\n= {other}"));
        Preview {
            pictures: Vec::new(),
            texts: texts.collect(),
        }
    }

    fn checkpoint_keys() -> KeyMap {
        viscpm_chat::checkpoint_keys()
    }

    fn save(&self, model: Self::Model, folder: &Path) -> Result<(), BoxError> {
        let start = self.chat.start();
        let aligned = ChatModel {
            model: model.valid(),
            tokenizer: start.tokenizer.clone(),
            config: start.config.clone(),
        };
        Ok(aligned.save(folder, DType::F16)?)
    }
}
