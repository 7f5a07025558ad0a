//! What is trained, how long and on what.

use std::path::Path;

use emoji_training::{BoxError, Stage, read_recipe};
use mpm_data::{
    emoji::{Language, TaskOptions},
    picture::{
        PicturePreprocessor,
        augment::{StyleJitter, TrainAugmentation},
    },
};
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
    /// Which languages take part where.
    #[serde(default)]
    pub languages: LanguagePlan,
    /// Changes of the drawing style of training pictures; without it there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style_jitter: Option<StyleJitter>,
    /// The share of descriptions that the language model reads as imagined pictures.
    pub imagined_share: f64,
    /// Tokens of the vocabulary that is built from the texts.
    pub vocabulary_size: usize,
    /// Sizes of both parts; `llm.vocab_size` follows the vocabulary.
    pub model: VisCpmChatConfig,
    /// Text only: the language model.
    pub language: Stage,
    /// Pictures with names: the visual module's features become the language
    /// model's embeddings of the names.
    pub alignment: Stage,
    /// Pictures with captions; the language model is frozen.
    pub vision: Stage,
    /// Questions about pictures; everything trains.
    pub instruction: Stage,
    /// The weight that the alignment's loss keeps beside that of the answers.
    pub anchor: f64,
    /// How many of the instructions are there in each of the translated languages, too.
    pub translated_pairs: u64,
    /// The share of the translated pairs among the samples of the last stage.
    pub translated_share: f64,
    /// The share of text among the samples of the last stage.
    pub text_share: f64,
    /// The share of samples of the last stage that follow an earlier question.
    pub context_share: f64,
}

/// Which languages take part where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LanguagePlan {
    /// Those that the language model reads and writes.
    pub text: Vec<Language>,
    /// Whether things that one of them has no name for are left out. Otherwise they are asked
    /// about in those that have one.
    pub named_everywhere: bool,
    /// Whether they meet in its texts.
    pub cross_lingual: bool,
    /// The share of its questions that are answered in another language.
    pub code_switching: f64,
    /// That of names, captions and instructions about pictures.
    pub pictures: Language,
    /// Those of the translated pairs.
    pub translated: Vec<Language>,
}

impl Default for LanguagePlan {
    /// English about pictures, and a few translated pairs in Chinese.
    fn default() -> Self {
        Self {
            text: vec![Language::English, Language::Chinese],
            named_everywhere: true,
            cross_lingual: true,
            code_switching: 0.0,
            pictures: Language::English,
            translated: vec![Language::Chinese],
        }
    }
}

impl Recipe {
    /// Reads a recipe; without a file it is the shipped one.
    ///
    /// # Errors
    /// When the file cannot be read or is no sound recipe.
    pub fn read(file: Option<&Path>) -> Result<Self, BoxError> {
        let recipe: Self = read_recipe(file, SHIPPED)?;
        recipe.validate()?;
        Ok(recipe)
    }

    /// Checks what can be known before anything is trained.
    ///
    /// # Errors
    /// Names the field that is unsound.
    pub fn validate(&self) -> Result<(), BoxError> {
        for (name, stage) in [
            ("language", &self.language),
            ("alignment", &self.alignment),
            ("vision", &self.vision),
            ("instruction", &self.instruction),
        ] {
            stage.validate(name)?;
        }
        if self.translated_pairs > 0 && self.languages.translated.is_empty() {
            return Err("recipe: `translated_pairs` need `languages.translated`".into());
        }
        Ok(())
    }

    /// How training pictures are varied.
    pub fn augmentation(&self, preprocessor: PicturePreprocessor) -> TrainAugmentation {
        TrainAugmentation {
            style: self.style_jitter,
            ..TrainAugmentation::new(preprocessor)
        }
    }

    /// What samples are drawn from.
    pub fn tasks(&self) -> TaskOptions {
        let languages = &self.languages.text;
        TaskOptions {
            names: self.names,
            named_in: match self.languages.named_everywhere {
                true => languages.clone(),
                false => Vec::new(),
            },
            question_languages: languages.clone(),
            description_languages: languages.clone(),
            cross_lingual: self.languages.cross_lingual,
            code_switching: self.languages.code_switching,
            ..TaskOptions::default()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn all_recipes_are_sound() {
        Recipe::read(None).unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
        for file in std::fs::read_dir(folder).unwrap() {
            Recipe::read(Some(&file.unwrap().path())).unwrap();
        }
    }
}
