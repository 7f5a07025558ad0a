//! What is trained, how often and how long.

use std::path::Path;

use emoji_training::{BoxError, Stage, read_recipe};
use mpm_data::emoji::Language;
use serde::{Deserialize, Serialize};
use train_emoji_chat::Recipe;

/// The settings of the published figures.
const SHIPPED: &str = include_str!("../experiments.json");

/// All settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Each experiment is made once for each: error bars come from their spread.
    pub seeds: Vec<u64>,
    /// The languages that are compared; English is the first.
    pub languages: Vec<Language>,
    /// Instruction tuning with translated pairs.
    pub pairs: Pairs,
    /// Every n-th training picture is asked about, and all of those that were held out.
    pub every: usize,
    /// How many pictures of each thing are painted in each language.
    pub paintings: usize,
    /// The small chat model.
    pub chat: Recipe,
    /// The small painter; its `names` and `languages` are those of the chat model.
    pub paint: train_emoji_paint::Recipe,
}

/// Settings of instruction tuning with translated pairs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairs {
    /// How many pairs there are of each language.
    pub counts: Vec<u64>,
    /// What the language model reads before, without pictures: texts that mix languages, as those
    /// from the web do. One that has only ever answered in the language of the question would go
    /// on with that, whatever it is tuned on.
    pub mixed_text: Stage,
    /// The share of questions in these texts that are answered in another language.
    pub code_switching: f64,
}

impl Settings {
    /// Reads settings; without a file they are the shipped ones.
    ///
    /// # Errors
    /// When the file cannot be read, or what it says is unsound.
    pub fn read(file: Option<&Path>) -> Result<Self, BoxError> {
        let settings: Self = read_recipe(file, SHIPPED)?;
        settings.chat.validate()?;
        settings.paint.validate()?;
        settings.pairs.mixed_text.validate("pairs.mixed_text")?;
        if settings.languages.first() != Some(&Language::English) {
            return Err("settings: `languages` must begin with `en`, the pivot".into());
        }
        if settings.seeds.is_empty() || settings.every == 0 || settings.paintings == 0 {
            return Err("settings: `seeds`, `every` and `paintings` must not be empty or 0".into());
        }
        Ok(settings)
    }

    /// The languages besides the pivot.
    pub fn targets(&self) -> &[Language] {
        &self.languages[1..]
    }
}
