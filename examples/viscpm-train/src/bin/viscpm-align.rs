//! Measures how close a language model's states of parallel sentences are.

use std::{num::NonZeroUsize, path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};
use mpm_core::{
    MpmBackend,
    backend::{BackendKind, BackendTask},
    weights::LoadOptions,
};
use mpm_data::parallel::ParallelCorpus;
use mpm_llm::{
    any::{AnyLlm, AnyTokenizer},
    template::{TemplateTokenizer, TextTemplate},
};
use mpm_train::alignment::{AlignmentReport, LlmSentences, Pooling, measure_alignment};
use viscpm_chat::ChatModel;
use viscpm_common::cli::{BoxError, DtypeArg, failure, resolve_model, show};
use viscpm_paint::PaintModel;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure whether a language model is fit to be a pivot between languages: how often, layer by
/// layer, a sentence's nearest neighbour in the other language is its translation. See
/// docs/alignment.md.
#[derive(Parser)]
#[command(version)]
struct Align {
    /// The model's folder; hf://org/repo downloads one.
    #[arg(long)]
    model: PathBuf,

    /// What the folder holds.
    #[arg(long, value_enum, default_value = "chat")]
    assembly: AssemblyArg,

    /// Parallel sentences: a table (.tsv) with a header of language codes, or JSON lines of
    /// {"en": "…", "zh": "…"}.
    #[arg(long)]
    pairs: PathBuf,

    /// The languages to compare; all of the file without it.
    #[arg(long, value_delimiter = ',')]
    languages: Vec<String>,

    /// Which states stand for a sentence.
    #[arg(long, value_enum, default_value = "mean")]
    pooling: PoolingArg,

    /// What stands around a sentence for CPM-Bee: key=text, in the order of the prompt; one text
    /// is {text}. Without it, caption={text} and objects=.
    #[arg(long = "part", value_name = "KEY=TEXT", value_parser = part)]
    parts: Vec<(String, String)>,

    /// What stands around a sentence for a model of the LLaMA family: a text with {text} in it.
    /// Without it, {text} and a line break.
    #[arg(long, value_name = "TEXT", conflicts_with = "parts")]
    template: Option<String>,

    /// Sentences that are read at a time.
    #[arg(long, default_value = "16")]
    batch: NonZeroUsize,

    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,

    /// Where to compute: flex (CPU), cuda, wgpu, vulkan or metal, as far as compiled in.
    #[arg(long, default_value = "flex")]
    backend: BackendKind,

    /// In which numbers.
    #[arg(long, value_enum, default_value = "f32")]
    dtype: DtypeArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum AssemblyArg {
    /// VisCPM-Chat
    Chat,
    /// VisCPM-Paint
    Paint,
}

#[derive(Clone, Copy, ValueEnum)]
enum PoolingArg {
    /// The mean of the sentence's tokens
    Mean,
    /// Its last token
    Last,
    /// The mean of the tokens behind it
    Behind,
}

fn part(text: &str) -> Result<(String, String), String> {
    let (key, text) = text.split_once('=').ok_or("expected key=text")?;
    Ok((key.to_owned(), text.to_owned()))
}

fn main() -> ExitCode {
    viscpm_common::keep_freed_memory();
    match run(Align::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::fail(error),
    }
}

fn run(align: Align) -> Result<(), BoxError> {
    let json = align.json;
    let report = align.backend.run(align)??;
    show(&match json {
        true => serde_json::to_string_pretty(&report)? + "\n",
        false => format!("{report}\n"),
    })?;
    Ok(())
}

impl BackendTask for Align {
    type Output = Result<AlignmentReport, BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let corpus = ParallelCorpus::open(&self.pairs)?;
        let options = LoadOptions {
            precision: self.dtype.precision(),
            ..LoadOptions::default()
        };
        let (llm, tokenizer) = self.language_model::<B>(&device, &options)?;
        let template = match &self.template {
            Some(line) => TextTemplate::Line(line.clone()),
            None if self.parts.is_empty() => TextTemplate::default_of(tokenizer.family()),
            None => TextTemplate::Parts(self.parts.clone()),
        };
        let pooling = match self.pooling {
            PoolingArg::Mean => Pooling::Mean,
            PoolingArg::Last => Pooling::Last,
            PoolingArg::Behind => Pooling::Behind,
        };
        let sentences = LlmSentences::new(&llm, &tokenizer, &template, pooling, self.batch)?;
        let languages = match self.languages.is_empty() {
            true => corpus.languages(),
            false => &self.languages,
        };
        let languages: Vec<_> = languages.iter().map(String::as_str).collect();
        Ok(measure_alignment(&sentences, corpus.rows(), &languages)?)
    }
}

impl Align {
    fn language_model<B: MpmBackend>(
        &self,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<(AnyLlm<B>, AnyTokenizer), BoxError> {
        let folder = resolve_model(&self.model)?;
        Ok(match self.assembly {
            AssemblyArg::Chat => {
                let model = ChatModel::<B>::open(&folder, device, options)?;
                (model.model.llm, model.tokenizer)
            }
            AssemblyArg::Paint => {
                let encoder = PaintModel::open(&folder, device, options)?.text_encoder;
                (encoder.llm, encoder.prompts.tokenizer)
            }
        })
    }
}
