//! What is trained, how long and on what.

use std::{num::NonZeroUsize, path::Path};

use emoji_training::{BoxError, Stage, read_recipe};
use mpm_data::emoji::{EmojiSet, Language, Style};
use mpm_diffusion::{schedule::NoiseScheduleConfig, unet::UNetConfig, vae::VaeConfig};
use mpm_train::diffusion::{
    AutoencoderLossConfig, DiffusionLossConfig, DiffusionParts, ResolutionSchedule,
};
use serde::{Deserialize, Serialize};
use viscpm_paint::{PaintDefaults, PromptTemplate};

use crate::things::Things;

/// The recipe of the model that ships with the repository.
const SHIPPED: &str = include_str!("../recipe.json");

/// All settings of the stages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Decides weights, pictures, prompts and noise.
    pub seed: u64,
    /// How many things of the emoji set are painted, beside the shapes.
    pub emoji: usize,
    /// Whether hearts and shapes of one colour are painted, too: the first `names` names have none.
    #[serde(default = "yes")]
    pub shapes: bool,
    /// How many training pictures a thing needs.
    pub pictures_per_thing: NonZeroUsize,
    /// Each thing is painted in the first of these styles that it has, and in all that it has where
    /// there is none. The fewer pictures there are of a thing, the sooner it is learnt.
    #[serde(default)]
    pub styles: Vec<Style>,
    /// How many names the language model knows: `names` of the chat model's recipe.
    pub names: usize,
    /// The languages that the language model reads. Prompts in training are English whatever
    /// they are.
    #[serde(default = "bilingual")]
    pub languages: Vec<Language>,
    /// Whether things that one of the languages has no name for are left out. Otherwise they are
    /// asked for in those that have one.
    #[serde(default = "yes")]
    pub named_everywhere: bool,
    /// How a prompt is put to the language model.
    pub prompt: PromptTemplate,
    /// The sizes of the autoencoder; `scaling_factor` is measured when it is trained.
    pub vae: VaeConfig,
    /// The sizes of the UNet.
    pub unet: UNetConfig,
    /// The noise.
    pub scheduler: NoiseScheduleConfig,
    /// Pictures to latents and back. Its steps are those of `autoencoder_resolutions`.
    pub autoencoder: Stage,
    /// The sizes of the autoencoder's pictures; smaller ones are parts of whole ones.
    pub autoencoder_resolutions: ResolutionSchedule,
    /// Its loss.
    pub autoencoder_loss: AutoencoderLossConfig,
    /// English prompts to latents; the language model is frozen. Its steps are those of
    /// `painter_resolutions`.
    pub painter: Stage,
    /// The sizes of the painter's pictures; smaller ones are whole ones shrunk.
    pub painter_resolutions: ResolutionSchedule,
    /// Its loss.
    pub painter_loss: DiffusionLossConfig,
    /// What trains.
    pub painter_parts: DiffusionParts,
    /// The share of prompts that are left empty, for guidance.
    pub condition_dropout: f64,
    /// The most noise on the language model's states in training, relative to their deviation.
    pub max_states_noise: f32,
    /// Versions of each picture that the painter sees, differing in place and size.
    pub versions: NonZeroUsize,
    /// Pictures to things: judges what is painted.
    pub judge: Stage,
    /// Settings that the model ships with.
    pub defaults: PaintDefaults,
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
        self.autoencoder.validate("autoencoder")?;
        self.painter.validate("painter")?;
        self.judge.validate("judge")?;
        for (name, stage, resolutions) in [
            (
                "autoencoder",
                &self.autoencoder,
                &self.autoencoder_resolutions,
            ),
            ("painter", &self.painter, &self.painter_resolutions),
        ] {
            let steps = resolutions.steps();
            if stage.steps != steps {
                return Err(format!(
                    "recipe: `{name}.steps` is {}, but `{name}_resolutions` has {steps}",
                    stage.steps
                )
                .into());
            }
        }
        Ok(())
    }

    /// What is painted.
    ///
    /// # Errors
    /// Those of the set, and when there is nothing to paint.
    pub fn things(&self, set: &'static EmojiSet) -> Result<Things, BoxError> {
        let things = Things::new(set, self)?;
        match things.is_empty() {
            true => {
                Err("recipe: no thing has that many pictures; lower `pictures_per_thing`".into())
            }
            false => Ok(things),
        }
    }
}

fn yes() -> bool {
    true
}

fn bilingual() -> Vec<Language> {
    vec![Language::English, Language::Chinese]
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
