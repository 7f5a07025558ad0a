//! The three stages: language, vision, instructions.

use std::{
    num::NonZeroUsize,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use burn::{
    backend::Autodiff,
    module::AutodiffModule,
    tensor::{DType, backend::Backend},
};
use indicatif::{ProgressBar, ProgressStyle};
use mpm_core::{
    MpmBackend,
    backend::BackendTask,
    weights::{LoadOptions, Precision},
};
use mpm_data::emoji::{EmojiSet, Tasks};
use mpm_llm::{
    decoding::{DecodingParams, Strategy},
    tokenizer::{CpmBeeTokenizer, VocabularyBuilder},
};
use mpm_train::{
    CheckpointStore, Prefetch, StepReport, Trainer,
    freeze::{ParameterTable, train_only},
    metrics::MetricsWriter,
    pattern::PathPattern,
};
use viscpm_chat::{ChatModel, ModelConfig, VisCpmChat};

use crate::{
    BoxError,
    objective::ChatObjective,
    recipe::{Recipe, Stage},
    source::{SampleSource, StepBatches, Stream},
};

/// Samples that the vocabulary is counted on.
const VOCABULARY_SAMPLES: u64 = 30_000;

/// A few turns; the model saw none longer in training.
const MAX_PROMPT_TOKENS: usize = 256;

/// Checkpoints kept of each stage.
const KEPT: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Batches prepared while the model computes.
const PREFETCHED: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// A stage of the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum StageName {
    /// The language model, from bilingual text only.
    Language,
    /// The visual module, from English captions; the language model is frozen.
    Vision,
    /// Both, from English instructions, a few translated ones and text.
    Instruction,
}

impl StageName {
    /// The folder of the stage within the run's.
    pub fn folder(self, run: &Path) -> PathBuf {
        run.join(match self {
            Self::Language => "language",
            Self::Vision => "vision",
            Self::Instruction => "instruction",
        })
    }
}

/// Runs one stage, from its newest checkpoint where there is one.
pub struct RunStage {
    pub name: StageName,
    pub recipe: Recipe,
    pub run: PathBuf,
    pub set: &'static EmojiSet,
    pub checkpoint_every: NonZeroUsize,
}

impl BackendTask for RunStage {
    type Output = Result<(), BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let tasks = Arc::new(Tasks::new(self.set, &self.recipe.tasks())?);
        let recipe = &self.recipe;
        // Weights differ between stages and runs only by what they learn.
        Autodiff::<B>::seed(&device, recipe.seed);
        let previous = |name: StageName| {
            ChatModel::<Autodiff<B>>::open(name.folder(&self.run), &device, &full_precision())
        };
        let (start, stage, stream, parts): (_, _, _, &[&str]) = match self.name {
            StageName::Language => (
                fresh::<B>(recipe, &tasks, &device)?,
                &recipe.language,
                Stream::Text,
                &["llm"],
            ),
            StageName::Vision => (
                previous(StageName::Language)?,
                &recipe.vision,
                Stream::Captions,
                &["visual"],
            ),
            StageName::Instruction => (
                previous(StageName::Vision)?,
                &recipe.instruction,
                Stream::Instructions {
                    translated: recipe.translated_pairs,
                    share: recipe.translated_share,
                    text_share: recipe.text_share,
                },
                &["llm", "visual"],
            ),
        };
        let source = SampleSource::new(
            (self.set, tasks),
            start.tokenizer.clone(),
            stream,
            (start.config.preprocessing, recipe.model.visual.num_queries),
            recipe.seed,
            StepBatches {
                samples: stage.batch,
                batches: recipe.batches,
            },
        );
        let model = self.train::<B>(start.model, stage, parts, source)?;
        let finished = ChatModel {
            model,
            tokenizer: start.tokenizer,
            config: start.config,
        };
        Ok(finished.save(self.name.folder(&self.run), DType::F32)?)
    }
}

impl RunStage {
    fn train<B: MpmBackend>(
        &self,
        model: VisCpmChat<Autodiff<B>>,
        stage: &Stage,
        parts: &[&str],
        source: SampleSource,
    ) -> Result<VisCpmChat<B>, BoxError> {
        let folder = self.name.folder(&self.run);
        let patterns: Vec<_> = parts.iter().map(|part| PathPattern::new(*part)).collect();
        let model = train_only::<Autodiff<B>, _>(model, &patterns)?;
        let table = ParameterTable::new::<Autodiff<B>, _>(&model).to_string();
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("parameters.txt"), table)?;

        let mut config = self.recipe.trainer(stage);
        config.checkpoint_every = Some(self.checkpoint_every);
        let checkpoints = CheckpointStore::open(folder.join("checkpoints"), KEPT)?;
        let mut source = Prefetch::new(source, PREFETCHED);
        let mut trainer = Trainer::new(config, ChatObjective::<Autodiff<B>>::new(), model)?
            .with_checkpoints(checkpoints)
            .with_callback(MetricsWriter::json_lines(folder.join("metrics.jsonl")))
            .with_callback(progress(stage.steps));
        trainer.resume(&mut source)?;
        Ok(trainer.run(&mut source)?.model.valid())
    }
}

fn fresh<B: MpmBackend>(
    recipe: &Recipe,
    tasks: &Tasks<'_>,
    device: &B::Device,
) -> Result<ChatModel<Autodiff<B>>, BoxError> {
    let mut builder = VocabularyBuilder::new(recipe.vocabulary_size);
    // The keys of the prompt are texts, too.
    for key in ["image", "context", "question", "User: \nAI: \n"] {
        builder.add_text(key);
        builder.add_text(key);
    }
    for index in 0..VOCABULARY_SAMPLES {
        let sample = tasks.text(recipe.seed, index);
        let texts = [
            sample.description.as_deref(),
            Some(&sample.question),
            Some(&sample.answer),
        ];
        texts
            .into_iter()
            .flatten()
            .for_each(|text| builder.add_text(text));
    }
    let tokenizer = CpmBeeTokenizer::new(builder.finish()?)?;
    let mut model = recipe.model.clone();
    model.llm.vocab_size = tokenizer.vocab_size();
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

/// Weights of any dtype, to train or evaluate in f32.
pub fn full_precision() -> LoadOptions {
    LoadOptions {
        precision: Precision::Cast(DType::F32),
        ..LoadOptions::default()
    }
}

fn progress(steps: usize) -> impl FnMut(&StepReport) -> ControlFlow<()> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(steps as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_secs(1));
    move |report| {
        bar.set_position(report.step as u64);
        bar.set_message(format!(
            "loss {:.3}, {:.1} % of tokens right, {:.0} samples/s",
            report.loss,
            100.0 * report.accuracy.unwrap_or(0.0),
            report.samples_per_second
        ));
        ControlFlow::Continue(())
    }
}
