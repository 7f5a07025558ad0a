//! The arguments and what each of them means.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use clap::{ArgGroup, Parser, Subcommand, ValueEnum};
use mpm_core::backend::BackendKind;
use viscpm_chat::options::{DecodingArgs, ModelArgs};
use viscpm_common::cli::DtypeArg;

/// Measure how good a model's answers or pictures are. See docs/evaluation.md and
/// docs/picture-metrics.md.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Ask a chat model the questions of a file, and compare its answers with what is right.
    Chat(Box<ChatArgs>),
    /// Compare answers that are there already, of any system, with what is right.
    Score(ScoreArgs),
    /// Have answers to LLaVA's questions judged by a stronger language model.
    Llava(Box<LlavaArgs>),
    /// Measure how well pictures fit their prompts, and how near they are to real ones.
    Paint(Box<PaintArgs>),
}

/// A file of questions.
#[derive(clap::Args, Debug)]
pub struct DataArgs {
    /// The questions, each line a JSON object: {"image": "1.png", "question": "…", "answers":
    /// ["…"], "language": "de", "task": "vqa"}. Without "image" it is about no picture; "language"
    /// is "en" if left out, "task" (exact, vqa, caption or keywords) is "exact".
    #[arg(long, value_name = "FILE.jsonl")]
    pub data: PathBuf,

    /// Only so many of the questions, from the first on.
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,

    /// Write all figures to this file, too.
    #[arg(long, value_name = "FILE.json")]
    pub json: Option<PathBuf>,
}

/// What `chat` takes.
#[derive(clap::Args, Debug)]
pub struct ChatArgs {
    #[command(flatten)]
    pub data: DataArgs,

    /// The folder of the pictures. Default: that of the questions.
    #[arg(long, value_name = "DIR")]
    pub pictures: Option<PathBuf>,

    /// Keep each answer in this file as soon as it is there. Run again to go on with it.
    #[arg(long, value_name = "FILE.jsonl")]
    pub answers: Option<PathBuf>,

    #[command(flatten)]
    pub ask: AskArgs,
}

/// What `score` takes.
#[derive(clap::Args, Debug)]
pub struct ScoreArgs {
    #[command(flatten)]
    pub data: DataArgs,

    /// The answers, each line a JSON object: {"line": 1, "question": "…", "answer": "…"}, where
    /// "line" is that of the question in its file and "question" repeats it.
    #[arg(long, value_name = "FILE.jsonl")]
    pub answers: PathBuf,
}

/// Who is asked, and how.
#[derive(clap::Args, Debug)]
pub struct AskArgs {
    /// Show a plain grey picture in place of each: what the model answers without looking.
    #[arg(long)]
    pub without_picture: bool,

    /// Where to compute: flex (CPU), cuda, wgpu, vulkan or metal, as far as compiled in.
    #[arg(long, default_value = "flex")]
    pub backend: BackendKind,

    #[command(flatten)]
    pub model: ModelArgs,

    #[command(flatten)]
    pub decoding: DecodingArgs,
}

/// What `llava` takes.
#[derive(clap::Args, Debug)]
pub struct LlavaArgs {
    /// The questions, such as qa90_questions.jsonl.
    #[arg(long, value_name = "FILE.jsonl")]
    pub questions: PathBuf,

    /// What is in the pictures, such as caps_boxes_coco2014_val_80.jsonl.
    #[arg(long, value_name = "FILE.jsonl")]
    pub context: PathBuf,

    /// The answers that the model's are compared with, such as qa90_gpt4_answer.jsonl.
    #[arg(long, value_name = "FILE.jsonl")]
    pub reference: PathBuf,

    /// The model's answers. With --model or --checkpoint those that lack are asked for and kept
    /// there; without, all have to be there.
    #[arg(long, value_name = "FILE.jsonl")]
    pub answers: PathBuf,

    /// The folder of the pictures. Default: that of the questions.
    #[arg(long, value_name = "DIR")]
    pub pictures: Option<PathBuf>,

    /// Write all judgements and figures to this file, too.
    #[arg(long, value_name = "FILE.json")]
    pub json: Option<PathBuf>,

    #[command(flatten)]
    pub judge: JudgeArgs,

    #[command(flatten)]
    pub ask: AskArgs,
}

/// Who judges.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Judge")]
#[command(group(ArgGroup::new("judge").args(["judge_url", "judge_command"]).required(true)))]
pub struct JudgeArgs {
    /// An address for chat completions in OpenAI's layout: http://…/v1/chat/completions. https://
    /// needs a program that was built with the feature https.
    #[arg(long, value_name = "URL", requires = "judge_name")]
    pub judge_url: Option<String>,

    /// A command that reads lines {"id": "1", "prompt": "…"} and answers each by {"id": "1",
    /// "reply": "…"}.
    #[arg(long, value_name = "COMMAND")]
    pub judge_command: Option<String>,

    /// The judge's name: of the model at the address; of a command it is the command if left out.
    /// Replies are kept under it.
    #[arg(long, value_name = "NAME")]
    pub judge_name: Option<String>,

    /// The variable of the environment that has the key for the address.
    #[arg(long, value_name = "VARIABLE", requires = "judge_url")]
    pub judge_key: Option<String>,

    /// Where replies are kept. Default: beside the answers, with -replies in the name.
    #[arg(long, value_name = "FILE.jsonl")]
    pub replies: Option<PathBuf>,

    /// The language in which the judge is addressed.
    #[arg(long, value_enum, default_value = "english")]
    pub judge_language: JudgeLanguageArg,

    /// How often a question is put to the judge until it counts as failed. Default: 3.
    #[arg(long, value_name = "N")]
    pub rounds: Option<NonZeroU32>,

    /// Seconds between rounds, and after a question without a reply. Default: 5.
    #[arg(long, value_name = "SECONDS", value_parser = pause)]
    pub pause: Option<f64>,

    /// Seconds in which a reply has to be there.
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    pub judge_timeout: NonZeroU32,
}

/// Languages in which a judge can be addressed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum JudgeLanguageArg {
    /// English
    English,
    /// Simplified Chinese
    Chinese,
}

/// What `paint` takes.
#[derive(clap::Args, Debug)]
#[command(group(ArgGroup::new("figures").args(["clip", "inception"]).required(true).multiple(true)))]
pub struct PaintArgs {
    /// The pictures, each line a JSON object: {"image": "1.png", "prompt": "…", "language": "en"}.
    #[arg(long, value_name = "FILE.jsonl")]
    pub pictures: PathBuf,

    /// The folder of the pictures. Default: that of the list.
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,

    /// CLIP score and retrieval by the model of this folder: CLIP or Chinese-CLIP, as published.
    #[arg(long, value_name = "DIR")]
    pub clip: Option<PathBuf>,

    /// The Fréchet distance by this Inception network: pt_inception-2015-12-05-6726825d.pth.
    #[arg(long, value_name = "FILE", requires = "reference")]
    pub inception: Option<PathBuf>,

    /// The folder of the real pictures for the Fréchet distance.
    #[arg(long, value_name = "DIR", requires = "inception")]
    pub reference: Option<PathBuf>,

    /// Pictures and prompts that are read at a time.
    #[arg(long, value_name = "N", default_value = "16")]
    pub batch: NonZeroUsize,

    /// Write all figures to this file, too.
    #[arg(long, value_name = "FILE.json")]
    pub json: Option<PathBuf>,

    /// Paint the pictures that are not there first, by the VisCPM-Paint of this folder, or by the
    /// Stable Diffusion of a folder of diffusers.
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,

    /// A folder of adapters for the model (LoRA, in the layout of PEFT).
    #[arg(long, value_name = "DIR", requires = "model")]
    pub lora: Option<PathBuf>,

    /// The dtype of the paint model's weights.
    #[arg(long, value_enum, default_value_t = DtypeArg::Stored)]
    pub dtype: DtypeArg,

    /// Decides the noise of what is painted.
    #[arg(long, value_name = "N", default_value = "0")]
    pub seed: u64,

    /// Where to compute: flex (CPU), cuda, wgpu, vulkan or metal, as far as compiled in.
    #[arg(long, default_value = "flex")]
    pub backend: BackendKind,
}

/// Seconds that somebody would wait.
fn pause(text: &str) -> Result<f64, String> {
    const DAY: f64 = 86_400.0;
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=DAY).contains(&seconds) => Ok(seconds),
        _ => Err(format!("give a number of seconds from 0 to {DAY}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
