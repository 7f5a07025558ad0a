//! What is trained, how long and on what.

use std::path::Path;

use emoji_training::{BoxError, Stage, read_recipe};
use mpm_data::emoji::{Language, TaskOptions};
use serde::{Deserialize, Serialize};
use viscpm_chat::VisCpmChatConfig;

/// The recipe of the model that ships with the repository.
const SHIPPED: &str = include_str!("../recipe.json");

/// All settings of the stages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Decides weights, samples and augmentation.
    pub seed: u64,
    /// How many things the model learns to name. About one in twenty is known from
    /// text alone, see docs/emoji-set.md.
    pub names: usize,
    /// The share of descriptions that the language model reads as imagined pictures.
    pub imagined_share: f64,
    /// Tokens of the vocabulary that is built from the texts.
    pub vocabulary_size: usize,
    /// Sizes of both parts; `llm.vocab_size` follows the vocabulary.
    pub model: VisCpmChatConfig,
    /// Text only, bilingual: the language model.
    pub language: Stage,
    /// Pictures with English names: the visual module's features become the language
    /// model's embeddings of the names.
    pub alignment: Stage,
    /// Pictures with English captions; the language model is frozen.
    pub vision: Stage,
    /// Questions about pictures; everything trains.
    pub instruction: Stage,
    /// The weight that the alignment's loss keeps beside that of the answers.
    pub anchor: f64,
    /// How many of the instructions are there in Chinese, too.
    pub translated_pairs: u64,
    /// The share of the translated pairs among the samples of the last stage.
    pub translated_share: f64,
    /// The share of bilingual text among the samples of the last stage.
    pub text_share: f64,
    /// The share of samples of the last stage that follow an earlier question.
    pub context_share: f64,
}

impl Recipe {
    /// Reads a recipe; without a file it is the shipped one.
    pub fn read(file: Option<&Path>) -> Result<Self, BoxError> {
        let recipe: Self = read_recipe(file, SHIPPED)?;
        for (name, stage) in [
            ("language", &recipe.language),
            ("alignment", &recipe.alignment),
            ("vision", &recipe.vision),
            ("instruction", &recipe.instruction),
        ] {
            stage.validate(name)?;
        }
        Ok(recipe)
    }

    /// What samples are drawn from.
    pub fn tasks(&self) -> TaskOptions {
        TaskOptions {
            names: self.names,
            question_languages: vec![Language::English, Language::Chinese],
            description_languages: vec![Language::English, Language::Chinese],
            ..TaskOptions::default()
        }
    }
}
