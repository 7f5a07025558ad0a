//! The stages: language, alignment, vision, instructions.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use burn::{
    backend::Autodiff,
    module::AutodiffModule,
    tensor::{DType, backend::Backend},
};
use emoji_training::{BoxError, Stage, StageRun, full_precision, train};
use mpm_core::{MpmBackend, backend::BackendTask};
use mpm_data::{
    emoji::{EmojiSet, Tasks},
    picture::PicturePreprocessor,
};
use mpm_llm::decoding::{DecodingParams, Strategy};
use mpm_train::{DataSource, Objective, freeze::train_only, pattern::PathPattern};
use mpm_vision::{PictureEncoder, VisualModule};
use viscpm_chat::{ChatModel, ModelConfig, VisCpmChatConfig, stack_pictures};

use crate::{
    alignment::{AlignedModule, AlignmentObjective},
    names::Names,
    objective::ChatObjective,
    pictures::PictureSource,
    recipe::Recipe,
    source::{PictureSlots, SampleSource, StepBatches, Stream},
    vocabulary,
};

/// A few turns; the model saw none longer in training.
const MAX_PROMPT_TOKENS: usize = 256;

/// Batches over which the stem's statistics are measured.
const FOLDED_BATCHES: usize = 16;

/// A stage of the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum StageName {
    /// The language model, from text only.
    Language,
    /// The visual module, from English names in the language model's embeddings.
    Alignment,
    /// The visual module, from English captions; the language model is frozen.
    Vision,
    /// Both, from English instructions, a few translated ones and text.
    Instruction,
}

impl StageName {
    /// The stage whose model this one begins with.
    pub fn previous(self) -> Option<Self> {
        match self {
            Self::Language => None,
            Self::Alignment => Some(Self::Language),
            Self::Vision => Some(Self::Alignment),
            Self::Instruction => Some(Self::Vision),
        }
    }

    /// The folder of the stage within the run's.
    pub fn folder(self, run: &Path) -> PathBuf {
        run.join(match self {
            Self::Language => "language",
            Self::Alignment => "alignment",
            Self::Vision => "vision",
            Self::Instruction => "instruction",
        })
    }
}

/// Runs one stage, from its newest checkpoint where there is one.
pub struct RunStage {
    /// Which.
    pub name: StageName,
    /// All settings.
    pub recipe: Recipe,
    /// The stage's folder: checkpoints, metrics, and the model in the end.
    pub folder: PathBuf,
    /// The folder of the model to begin with; `None` for a new one.
    pub start: Option<PathBuf>,
    /// What there is to learn from.
    pub set: &'static EmojiSet,
    /// Steps between two checkpoints.
    pub checkpoint_every: NonZeroUsize,
}

impl BackendTask for RunStage {
    type Output = Result<(), BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let tasks = Arc::new(Tasks::new(self.set, &self.recipe.tasks())?);
        let recipe = &self.recipe;
        // Weights differ between stages and runs only by what they learn.
        Autodiff::<B>::seed(&device, recipe.seed);
        let start = match &self.start {
            None => fresh::<B>(recipe, &tasks, &device)?,
            Some(folder) => ChatModel::open(folder, &device, &full_precision())
                .map_err(|error| format!("{error}; train the stage before this one first"))?,
        };
        let (stream, parts): (_, &[&str]) = match self.name {
            StageName::Alignment => return self.align(start, tasks, &device),
            StageName::Language => (Stream::Text, &["llm"]),
            StageName::Vision => (Stream::Captions, &["visual"]),
            StageName::Instruction => {
                let stream = Stream::Instructions {
                    translated: recipe.translated_pairs,
                    share: recipe.translated_share,
                    text_share: recipe.text_share,
                    context_share: recipe.context_share,
                };
                (stream, &["llm", "visual"])
            }
        };
        let slots = start.model.picture_slots();
        let objective = ChatObjective {
            names: Names::new(&start.tokenizer, &tasks, recipe.languages.pictures, slots)?,
            anchor: recipe.anchor,
        };
        let source = SampleSource::new(
            (self.set, tasks),
            start.tokenizer.clone(),
            stream,
            (
                start.config.preprocessing,
                PictureSlots {
                    count: slots,
                    d_llm: recipe.model.visual.d_llm,
                },
            ),
            recipe,
            StepBatches {
                samples: self.stage().batch,
                batches: self.stage().parts,
            },
        );
        let patterns: Vec<_> = parts.iter().map(|part| PathPattern::new(*part)).collect();
        let model = train_only::<Autodiff<B>, _>(start.model, &patterns)?;
        let model = self.train::<B, _, _>(objective, model, source)?;
        self.save(ChatModel { model, ..start })
    }
}

impl RunStage {
    fn stage(&self) -> &Stage {
        match self.name {
            StageName::Language => &self.recipe.language,
            StageName::Alignment => &self.recipe.alignment,
            StageName::Vision => &self.recipe.vision,
            StageName::Instruction => &self.recipe.instruction,
        }
    }

    /// Trains a fresh visual module to write the names of pictures in embeddings.
    fn align<B: MpmBackend>(
        &self,
        mut start: ChatModel<Autodiff<B>>,
        tasks: Arc<Tasks<'static>>,
        device: &B::Device,
    ) -> Result<(), BoxError> {
        let config = &self.recipe.model.visual;
        let language = self.recipe.languages.pictures;
        let model = AlignedModule::new(config, tasks.classes().len(), device)?;
        let [slots, _] = model.visual.features_shape();
        let names = Names::new(&start.tokenizer, &tasks, language, slots)?;
        let objective = AlignmentObjective {
            names: names.embed(&start.model.llm)?,
        };
        let source = || self.pictures(start.config.preprocessing, &tasks);
        let model = self.train::<B, _, _>(objective, model, source())?;
        let mut source = source();
        let mut pictures = Vec::new();
        for _ in 0..FOLDED_BATCHES {
            if let Some(batch) = source.next_batch()? {
                pictures.push(stack_pictures::<B>(&batch.pictures, device)?);
            }
        }
        start.model.visual = VisualModule::from_inner(model.valid().finish(pictures)?);
        start.config.model.visual = config.clone();
        self.save(start)
    }

    /// Single pictures and their classes.
    fn pictures(
        &self,
        preprocessor: PicturePreprocessor,
        tasks: &Arc<Tasks<'static>>,
    ) -> PictureSource {
        PictureSource {
            set: self.set,
            tasks: tasks.clone(),
            augmentation: self.recipe.augmentation(preprocessor),
            seed: self.recipe.seed,
            batch: self.stage().part(),
            next: 0,
        }
    }

    /// Trains what is trainable of a model.
    fn train<B, O, S>(&self, objective: O, model: O::Model, source: S) -> Result<O::Model, BoxError>
    where
        B: MpmBackend,
        O: Objective<Autodiff<B>>,
        S: DataSource<Batch = O::Batch> + Send + 'static,
        S::Position: Send,
    {
        let run = StageRun {
            stage: self.stage(),
            folder: self.folder.clone(),
            seed: self.recipe.seed,
            checkpoint_every: self.checkpoint_every,
        };
        Ok(train::<B, _, _>(&run, objective, model, source)?.model)
    }

    /// Writes the finished model for the next stage.
    fn save<B: Backend>(&self, model: ChatModel<B>) -> Result<(), BoxError> {
        Ok(model.save(&self.folder, DType::F32)?)
    }
}

fn fresh<B: MpmBackend>(
    recipe: &Recipe,
    tasks: &Tasks<'_>,
    device: &B::Device,
) -> Result<ChatModel<Autodiff<B>>, BoxError> {
    let (llm, tokenizer) = vocabulary::build(recipe, tasks)?;
    let model = VisCpmChatConfig {
        llm,
        visual: recipe.model.visual.clone(),
    };
    Ok(ChatModel {
        model: model.init(device)?,
        tokenizer,
        config: ModelConfig {
            max_prompt_tokens: MAX_PROMPT_TOKENS,
            decoding: short_answers(),
            ..ModelConfig::new(model)?
        },
    })
}

/// Answers are names and short phrases: nothing to search or to vary.
fn short_answers() -> DecodingParams {
    DecodingParams {
        strategy: Strategy::Greedy,
        temperature: 1.0,
        repetition_penalty: 1.0,
        max_new_tokens: 48,
        ..DecodingParams::default()
    }
}
