//! Writing a trained model as it ships.

use std::path::PathBuf;

use burn::tensor::DType;
use emoji_training::BoxError;
use mpm_core::{
    MpmBackend,
    backend::BackendTask,
    weights::{KeyMap, LoadOptions, Precision, WeightFile, load, save},
};
use mpm_data::emoji::EmojiSet;
use viscpm_paint::PaintModel;

use train_emoji_paint::{Folders, Judge, Recipe};

/// The judge's file beside the model.
const JUDGE_FILE: &str = "judge.safetensors";

/// From a run to a folder.
#[derive(clap::Args)]
pub struct Export {
    /// The folder of the run.
    #[arg(long, default_value = "runs/emoji-paint")]
    run: PathBuf,

    /// Where to write the model and its judge, with weights in f16.
    #[arg(long, default_value = "models/viscpm-paint-emoji")]
    to: PathBuf,
}

pub struct ExportTask {
    pub options: Export,
    pub recipe: Recipe,
    pub set: &'static EmojiSet,
}

impl BackendTask for ExportTask {
    type Output = Result<(), BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let Export { run, to } = self.options;
        let as_stored = LoadOptions::default();
        let folders = Folders::of(&run);
        let model = PaintModel::<B>::open(&folders.painter, &device, &as_stored)?;
        model.save(&to, DType::F16)?;
        let things = self.recipe.things(self.set)?;
        let file = WeightFile::open(folders.judge_weights())?;
        let judge = load(Judge::<B>::new(things.len(), &device), &file, &as_stored)?;
        let half = Precision::Cast(DType::F16);
        Ok(save(&judge, to.join(JUDGE_FILE), &KeyMap::new(), half)?)
    }
}
