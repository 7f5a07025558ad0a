//! The models of the experiments, each trained once and kept.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use emoji_training::{BoxError, full_precision};
use mpm_core::{MpmBackend, backend::BackendTask, model_folder::CONFIG_FILE};
use mpm_data::emoji::{EmojiSet, Language};
use train_emoji_chat::{Recipe, RunStage, StageName};
use viscpm_chat::ChatModel;

use crate::settings::Settings;

/// Steps between two checkpoints.
const CHECKPOINT_EVERY: NonZeroUsize = NonZeroUsize::new(100).unwrap();

/// How a language model has learnt its languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Languages {
    /// From texts in which they meet.
    Together,
    /// Each from texts of its own.
    Apart,
}

impl Languages {
    /// In names of folders and figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Together => "together",
            Self::Apart => "apart",
        }
    }
}

/// A model that sees pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighted {
    /// Its language model.
    pub languages: Languages,
    /// The language of the names and captions that it has seen pictures with.
    pub pictures: Language,
    /// Decides weights and samples.
    pub seed: u64,
}

/// Where models are, and what they are made from.
pub struct Lab {
    /// All settings.
    pub settings: Settings,
    /// The folder of all models.
    pub folder: PathBuf,
    /// Pictures and words.
    pub set: &'static EmojiSet,
}

impl Lab {
    /// The recipe of a model.
    pub fn recipe(&self, of: Sighted) -> Recipe {
        let mut recipe = self.settings.chat.clone();
        recipe.seed = of.seed;
        recipe.languages.cross_lingual = of.languages == Languages::Together;
        recipe.languages.pictures = of.pictures;
        recipe
    }

    /// A model after visual pretraining: the language model has never seen a picture.
    ///
    /// # Errors
    /// Those of training.
    pub fn pretrained<B: MpmBackend>(
        &self,
        of: Sighted,
        device: &B::Device,
    ) -> Result<ChatModel<B>, BoxError> {
        let folder = self.pretrain::<B>(of, device)?;
        Ok(ChatModel::open(folder, device, &full_precision())?)
    }

    /// A pretrained model after instruction tuning in its language with translated pairs of each
    /// other one.
    ///
    /// # Errors
    /// Those of training.
    pub fn tuned<B: MpmBackend>(
        &self,
        of: Sighted,
        pairs: u64,
        device: &B::Device,
    ) -> Result<ChatModel<B>, BoxError> {
        let start = self.pretrain::<B>(of, device)?;
        let folder = start.with_file_name(format!("instruction-{pairs}"));
        let recipe = Recipe {
            translated_pairs: pairs,
            ..self.recipe(of)
        };
        self.train::<B>(StageName::Instruction, recipe, &folder, Some(start), device)?;
        Ok(ChatModel::open(folder, device, &full_precision())?)
    }

    /// The folder of a pretrained model.
    fn pretrain<B: MpmBackend>(
        &self,
        of: Sighted,
        device: &B::Device,
    ) -> Result<PathBuf, BoxError> {
        let name = of.languages.name();
        let folder = self.folder.join(format!("seed-{}", of.seed)).join(name);
        let recipe = || self.recipe(of);
        // One language model serves for all languages of pictures.
        let language = folder.join("language");
        self.train::<B>(StageName::Language, recipe(), &language, None, device)?;
        let folder = folder.join(of.pictures.code());
        let alignment = StageName::Alignment.folder(&folder);
        self.train::<B>(
            StageName::Alignment,
            recipe(),
            &alignment,
            Some(language),
            device,
        )?;
        let vision = StageName::Vision.folder(&folder);
        self.train::<B>(
            StageName::Vision,
            recipe(),
            &vision,
            Some(alignment),
            device,
        )?;
        Ok(vision)
    }

    /// Trains a stage, unless its model is there.
    fn train<B: MpmBackend>(
        &self,
        name: StageName,
        recipe: Recipe,
        folder: &Path,
        start: Option<PathBuf>,
        device: &B::Device,
    ) -> Result<(), BoxError> {
        // It is written when the stage is done.
        if folder.join(CONFIG_FILE).is_file() {
            return Ok(());
        }
        viscpm_common::cli::note(&format!("training {}\n", folder.display()));
        let stage = RunStage {
            name,
            recipe,
            folder: folder.to_path_buf(),
            start,
            set: self.set,
            checkpoint_every: CHECKPOINT_EVERY,
        };
        stage.run::<B>(device.clone())
    }
}
