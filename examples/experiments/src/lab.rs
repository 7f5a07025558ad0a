//! The models of the experiments, each trained once and kept.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use emoji_training::{BoxError, full_precision};
use mpm_core::{MpmBackend, backend::BackendTask, model_folder::CONFIG_FILE};
use mpm_data::emoji::{EmojiSet, Language, Tasks};
use train_emoji_chat::{Recipe, Respondent, RunStage, StageName};
use train_emoji_paint::{self as paint, Exam};
use viscpm_chat::ChatModel;

use crate::{settings::Settings, translate::Translations};

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

/// Where the names in captions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// From people who know the language.
    Published,
    /// From English, by the language model's own translation.
    Translated,
}

/// A model that sees pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighted {
    /// Its language model.
    pub languages: Languages,
    /// The language of the names and captions that it has seen pictures with.
    pub pictures: Language,
    /// Where these come from.
    pub words: Words,
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

    /// A pretrained model whose language model has read mixed texts since, after instruction tuning
    /// in its language with translated pairs of each other one.
    ///
    /// # Errors
    /// Those of training.
    pub fn tuned<B: MpmBackend>(
        &self,
        of: Sighted,
        pairs: u64,
        device: &B::Device,
    ) -> Result<ChatModel<B>, BoxError> {
        let start = self.mix::<B>(of, device)?;
        let folder = start.with_file_name(format!("instruction-{pairs}"));
        let recipe = Recipe {
            translated_pairs: pairs,
            ..self.recipe(of)
        };
        let stage = self.stage(StageName::Instruction, recipe, &folder, Some(start));
        train::<B>(stage, device)?;
        Ok(ChatModel::open(folder, device, &full_precision())?)
    }

    /// The names in the language of a model's pictures, as its language model translates them.
    ///
    /// # Errors
    /// Those of training and of the model.
    pub fn translations<B: MpmBackend>(
        &self,
        of: Sighted,
        device: &B::Device,
    ) -> Result<Translations, BoxError> {
        let language = self.language_model::<B>(of, device)?;
        let model = Respondent {
            model: ChatModel::<B>::open(language, device, &full_precision())?,
        };
        let tasks = Tasks::new(self.set, &self.recipe(of).tasks())?;
        Translations::new(&model, &tasks, of.pictures)
    }

    /// A painter whose language model has seen no picture either, with its judge. Autoencoder and
    /// judge measure all seeds alike: they are trained once.
    ///
    /// # Errors
    /// Those of training.
    pub fn painter<B: MpmBackend>(
        &self,
        seed: u64,
        device: &B::Device,
    ) -> Result<Exam<B>, BoxError> {
        let of = Sighted {
            languages: Languages::Together,
            pictures: Language::English,
            words: Words::Published,
            seed,
        };
        let chat_model = self.language_model::<B>(of, device)?;
        let folders = paint::Folders {
            painter: self.folder_of(of).join("painter"),
            ..paint::Folders::of(&self.folder.join("paint"))
        };
        let recipe = paint::Recipe {
            names: self.settings.chat.names,
            languages: self.settings.languages.clone(),
            ..self.settings.paint.clone()
        };
        for (name, seed) in [
            (paint::StageName::Autoencoder, recipe.seed),
            (paint::StageName::Judge, recipe.seed),
            (paint::StageName::Painter, seed),
        ] {
            if folders.is_done(name) {
                continue;
            }
            note_training(folders.stage(name));
            let stage = paint::RunStage {
                name,
                recipe: paint::Recipe {
                    seed,
                    ..recipe.clone()
                },
                folders: folders.clone(),
                set: self.set,
                chat_model: chat_model.clone(),
                checkpoint_every: CHECKPOINT_EVERY,
            };
            stage.run::<B>(device.clone())?;
        }
        let things = recipe.things(self.set)?;
        let judge = folders.judge_weights();
        Exam::open(things, &folders.painter, &judge, device.clone())
    }

    /// The folder of a language model, which serves for all languages of pictures.
    fn language_model<B: MpmBackend>(
        &self,
        of: Sighted,
        device: &B::Device,
    ) -> Result<PathBuf, BoxError> {
        let folder = self.folder_of(of).join("language");
        let stage = self.stage(StageName::Language, self.recipe(of), &folder, None);
        train::<B>(stage, device)?;
        Ok(folder)
    }

    /// The folder of a pretrained model.
    fn pretrain<B: MpmBackend>(
        &self,
        of: Sighted,
        device: &B::Device,
    ) -> Result<PathBuf, BoxError> {
        let folder = self.folder_of(of).join(match of.words {
            Words::Published => of.pictures.code().to_owned(),
            Words::Translated => format!("{}-translated", of.pictures),
        });
        let vision = StageName::Vision.folder(&folder);
        if is_trained(&vision) {
            return Ok(vision);
        }
        let language = self.language_model::<B>(of, device)?;
        let set = match of.words {
            Words::Published => self.set,
            Words::Translated => {
                let translated = self.translations::<B>(of, device)?.apply(self.set);
                // Samples borrow from it, on the thread that prepares batches, too.
                Box::leak(Box::new(translated))
            }
        };
        let alignment = StageName::Alignment.folder(&folder);
        for (name, folder, start) in [
            (StageName::Alignment, &alignment, language),
            (StageName::Vision, &vision, alignment.clone()),
        ] {
            let stage = RunStage {
                set,
                ..self.stage(name, self.recipe(of), folder, Some(start))
            };
            train::<B>(stage, device)?;
        }
        Ok(vision)
    }

    /// The folder of a pretrained model whose language model has read mixed texts since.
    fn mix<B: MpmBackend>(&self, of: Sighted, device: &B::Device) -> Result<PathBuf, BoxError> {
        let start = self.pretrain::<B>(of, device)?;
        let folder = start.with_file_name("mixed-text");
        let mut recipe = self.recipe(of);
        recipe.language = self.settings.pairs.mixed_text.clone();
        recipe.languages.code_switching = self.settings.pairs.code_switching;
        let stage = self.stage(StageName::Language, recipe, &folder, Some(start));
        train::<B>(stage, device)?;
        Ok(folder)
    }

    fn folder_of(&self, of: Sighted) -> PathBuf {
        let seed = format!("seed-{}", of.seed);
        self.folder.join(seed).join(of.languages.name())
    }

    fn stage(
        &self,
        name: StageName,
        recipe: Recipe,
        folder: &Path,
        start: Option<PathBuf>,
    ) -> RunStage {
        RunStage {
            name,
            recipe,
            folder: folder.to_path_buf(),
            start,
            set: self.set,
            checkpoint_every: CHECKPOINT_EVERY,
        }
    }
}

/// Whether a stage is done: then its model is there.
fn is_trained(folder: &Path) -> bool {
    folder.join(CONFIG_FILE).is_file()
}

/// Trains a stage, unless it is done.
fn train<B: MpmBackend>(stage: RunStage, device: &B::Device) -> Result<(), BoxError> {
    if is_trained(&stage.folder) {
        return Ok(());
    }
    note_training(&stage.folder);
    stage.run::<B>(device.clone())
}

fn note_training(folder: &Path) {
    viscpm_common::cli::note(&format!("training {}\n", folder.display()));
}
