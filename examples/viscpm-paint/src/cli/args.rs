//! The arguments and what each of them means.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{ArgGroup, Parser};
use mpm_core::{backend::BackendKind, quantization::QuantizationScheme};
use mpm_diffusion::schedule::{PredictionType, SchedulerKind};
use serde::Deserialize;
use viscpm_common::cli::DtypeArg;
use viscpm_paint::AT_ONCE;

use super::size::Size;

/// Paint a picture of a prompt, in any language that the model knows. 用模型懂得的任何语言描述来画图。
///
/// Without --batch and --from-png, the prompt is painted into --out. The name of each file is
/// printed as soon as it is written.
///
/// The exit code is 0 when all was painted, 1 after an error (of any line of a batch), 2 for wrong
/// usage, 3 when a prompt was refused or a picture was blacked out, and 130 after Ctrl-C.
#[derive(Parser, Debug)]
#[command(
    version,
    max_term_width = 100,
    group(ArgGroup::new("what").required(true).args(["prompt", "batch", "from_png"]))
)]
pub struct Args {
    #[command(flatten)]
    pub settings: Settings,

    #[command(flatten)]
    pub files: FileArgs,

    #[command(flatten)]
    pub model: ModelArgs,

    #[command(flatten)]
    pub checks: CheckArgs,
}

/// What is painted. A line of a batch has the same fields; what it leaves out is as the command
/// line says.
#[derive(clap::Args, Deserialize, Clone, Debug, Default)]
#[command(next_help_heading = "Picture")]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What is to be seen. 想画的内容。
    #[arg(value_name = "PROMPT", help_heading = "Arguments")]
    pub prompt: Option<String>,

    /// What is not to be seen. 不想出现的内容。
    #[arg(
        long,
        value_name = "TEXT",
        conflicts_with = "from_png",
        allow_hyphen_values = true
    )]
    pub negative: Option<String>,

    /// Width and height in pixels, such as 64 or 64x48. Default: the size of the picture to begin
    /// with, else the model's. 尺寸。
    #[arg(long, value_name = "SIZE", conflicts_with = "from_png")]
    pub size: Option<Size>,

    /// The number of denoising steps. Default: what suits the sampler. 步数。
    #[arg(long, value_name = "N", conflicts_with = "from_png")]
    pub steps: Option<usize>,

    /// The sampler: ddpm, ddim, euler, euler-a, dpm++2m, dpm++2m-karras or lcm (for distilled
    /// models only). Default: the model's. 采样器。
    #[arg(long, value_name = "NAME", conflicts_with = "from_png")]
    pub scheduler: Option<SchedulerKind>,

    /// How far away from the negative prompt; 1 is the prompt alone and takes half the time.
    /// Default: the model's. 引导强度。
    #[arg(
        long,
        value_name = "X",
        conflicts_with = "from_png",
        allow_negative_numbers = true
    )]
    pub guidance: Option<f64>,

    /// Decides the noise: the same seed gives the same picture. Default: a random one, which is
    /// told. 随机种子。
    #[arg(long, value_name = "N", conflicts_with = "from_png")]
    pub seed: Option<u64>,

    /// The number of pictures. They are put into one file, 8 in a row. 图片数量。
    #[arg(long, value_name = "N", conflicts_with = "from_png")]
    pub n: Option<u64>,

    /// Paint K candidates for each picture and keep the one that fits the prompt best. Needs
    /// --clip. 每张图画 K 个候选，保留最符合描述的一张。
    #[arg(long, value_name = "K", requires = "clip", conflicts_with = "from_png")]
    pub rerank: Option<u64>,

    /// A picture to begin with instead of noise, of the size that is painted. 从这张图片开始画。
    #[arg(long, value_name = "FILE")]
    pub init_image: Option<PathBuf>,

    /// How much of the picture to begin with changes, above 0 to 1. Default: 0.8. 改变的程度。
    #[arg(
        long,
        value_name = "X",
        conflicts_with = "from_png",
        allow_negative_numbers = true
    )]
    pub strength: Option<f64>,

    /// What of the picture to begin with changes: a picture of the same size, light there and
    /// dark where nothing changes. 蒙版：亮处重画，暗处保留。
    #[arg(long, value_name = "FILE")]
    pub mask: Option<PathBuf>,
}

/// Where pictures and reports go.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Files")]
pub struct FileArgs {
    /// The file to write. It carries the prompt, the seed and all other settings. 输出文件。
    #[arg(
        long,
        value_name = "FILE.png",
        required_unless_present = "batch",
        conflicts_with = "batch"
    )]
    pub out: Option<PathBuf>,

    /// Write the pictures of --n into files of their own: FILE-1.png and so on.
    #[arg(long, conflicts_with_all = ["batch", "from_png"])]
    pub separate: bool,

    /// Paint a file of prompts: each line a JSON object with "prompt" and optionally "negative",
    /// "seed", "steps", "guidance", "scheduler", "size", "n", "rerank", "init_image", "strength"
    /// and "mask" (files relative to the working folder). For each line a picture is written, named after the line's number (00001.png),
    /// and a JSON object printed, with "file", "refused" or "error", in the same order. 批量画图。
    #[arg(long, value_name = "FILE.jsonl", requires = "out_dir")]
    pub batch: Option<PathBuf>,

    /// The folder for the pictures of a batch; it is made if it is missing.
    #[arg(long, value_name = "DIR", requires = "batch", conflicts_with = "out")]
    pub out_dir: Option<PathBuf>,

    /// Paint the picture of a file again that this program wrote: with the same model and
    /// backend, the same pixels. 重画由本程序生成的图片。
    #[arg(long, value_name = "FILE.png")]
    pub from_png: Option<PathBuf>,

    /// Overwrite files that are there already.
    #[arg(long)]
    pub force: bool,

    /// Print a JSON object for each file: its name, the settings, the time and what was refused.
    #[arg(long)]
    pub json: bool,
}

/// Which model is loaded, and how.
#[derive(clap::Args, Debug)]
#[command(
    next_help_heading = "Model",
    group(ArgGroup::new("single").args(["checkpoint", "tokenizer"]))
)]
pub struct ModelArgs {
    /// A model folder (config.json, weights, vocabulary), or a Stable Diffusion 1 or 2: a folder of
    /// diffusers (model_index.json), or a single file. Default: the small model of the
    /// repository, models/viscpm-paint-emoji. Here and for the other folders, hf://org/repo or
    /// hf://org/repo/folder/ downloads one.
    #[arg(long, value_name = "DIR|FILE", conflicts_with = "checkpoint")]
    pub model: Option<PathBuf>,

    /// The tokenizer of a single file: a folder with vocab.json and merges.txt, or with
    /// tokenizer.json, such as tokenizer/ of any Stable Diffusion.
    #[arg(long, value_name = "DIR", requires = "model")]
    pub tokenizer: Option<PathBuf>,

    /// What a single file predicts, which cannot be seen in it: the noise (epsilon) or the velocity
    /// (v). Default: epsilon for Stable Diffusion 1 and v for 2, at 768 pixels; the base models of 2,
    /// at 512 pixels, need epsilon. With --from-png: what the model predicted then.
    #[arg(long, value_enum, requires = "tokenizer", conflicts_with = "config")]
    pub prediction: Option<PredictionArg>,

    /// An official VisCPM-Paint checkpoint, as torch.save or safetensors wrote it, or the index of
    /// its files. Here and for the other files, hf://org/repo/file downloads one.
    #[arg(long, value_name = "FILE", requires_all = ["vae", "vocab"])]
    pub checkpoint: Option<PathBuf>,

    /// The autoencoder of the checkpoint: a file of weights, a folder of diffusers (config.json
    /// and diffusion_pytorch_model.safetensors or .bin), or that of a whole Stable Diffusion,
    /// whose vae/ and scheduler/ are used.
    #[arg(long, value_name = "FILE|DIR", requires = "checkpoint")]
    pub vae: Option<PathBuf>,

    /// The vocabulary of the checkpoint (CPM-Bee's bee.txt).
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    pub vocab: Option<PathBuf>,

    /// The checkpoint's configuration in the format of a model folder's
    /// config.json. Default: VisCPM-Paint, 10 billion parameters. With --tokenizer, the sizes of a
    /// single file of another model than Stable Diffusion 1.5 or 2.1.
    #[arg(long, value_name = "FILE", requires = "single")]
    pub config: Option<PathBuf>,

    /// A folder of adapters that were trained for the UNet (LoRA, in the layout of PEFT); they are
    /// added to its weights.
    #[arg(long, value_name = "DIR")]
    pub lora: Option<PathBuf>,

    /// Where to compute: flex (CPU), cuda, wgpu, vulkan or metal, as far as compiled in.
    #[arg(long, default_value = "flex")]
    pub backend: BackendKind,

    /// The dtype of the weights on the device. Default: stored, or that of --from-png.
    #[arg(long, value_enum)]
    pub dtype: Option<DtypeArg>,

    /// Linear layers in 4 or 8 bits (int4, int8, int4-32 …), made while loading. Default: none, or
    /// that of --from-png. 量化以节省内存。
    #[arg(long, value_name = "SCHEME")]
    pub quantize: Option<QuantizationScheme>,

    /// Memory of the device that the language model may take, such as 5GB: layers that find no room
    /// stay in the file and come one by one; the model is forgotten before the rest is loaded.
    /// 限制显存，其余的层留在文件里。
    #[arg(long, value_name = "SIZE", conflicts_with = "quantize")]
    pub memory_limit: Option<ByteSize>,

    /// Read all prompts first and forget the language model before the rest is loaded: takes less
    /// memory. 节省内存：先读完所有描述，再加载绘图模型。
    #[arg(long)]
    pub low_memory: bool,

    /// How many pictures are denoised at the same time: more take more memory.
    #[arg(long, value_name = "N", default_value_t = AT_ONCE, conflicts_with = "from_png")]
    pub at_once: usize,
}

/// What a UNet predicts.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum PredictionArg {
    /// The noise.
    Epsilon,
    /// The velocity.
    V,
}

impl From<PredictionArg> for PredictionType {
    fn from(argument: PredictionArg) -> Self {
        match argument {
            PredictionArg::Epsilon => Self::Epsilon,
            PredictionArg::V => Self::VPrediction,
        }
    }
}

/// The models around the painting, none of which is used by default.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Checks")]
pub struct CheckArgs {
    /// Refuse unsafe prompts: a classifier's folder, such as
    /// hf://openbmb/VisCPM-Paint/text-security-checker/. 检查描述文字。
    #[arg(long, value_name = "DIR")]
    pub prompt_checker: Option<PathBuf>,

    /// Black out unsafe pictures: a safety checker's folder, such as
    /// hf://CompVis/stable-diffusion-safety-checker. 检查画出的图片。
    #[arg(long, value_name = "DIR")]
    pub safety_checker: Option<PathBuf>,

    /// Chinese-CLIP for --rerank: a folder such as hf://OFA-Sys/chinese-clip-vit-base-patch16.
    #[arg(long, value_name = "DIR", conflicts_with = "from_png")]
    pub clip: Option<PathBuf>,
}

impl Settings {
    /// These, and where they say nothing, those.
    pub fn or(self, others: &Self) -> Self {
        let others = others.clone();
        Self {
            prompt: self.prompt.or(others.prompt),
            negative: self.negative.or(others.negative),
            size: self.size.or(others.size),
            steps: self.steps.or(others.steps),
            scheduler: self.scheduler.or(others.scheduler),
            guidance: self.guidance.or(others.guidance),
            seed: self.seed.or(others.seed),
            n: self.n.or(others.n),
            rerank: self.rerank.or(others.rerank),
            init_image: self.init_image.or(others.init_image),
            strength: self.strength.or(others.strength),
            mask: self.mask.or(others.mask),
        }
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

    #[test]
    fn a_line_comes_before_the_command_line() {
        let line: Settings = serde_json::from_str(
            r#"{"prompt": "a", "size": "64x48", "scheduler": "euler-a", "guidance": 2}"#,
        )
        .expect("valid");
        let args = "paint b --size 32 --guidance -3 --negative -x --seed 5 --out o.png";
        let args = Args::try_parse_from(args.split(' ')).expect("valid");
        let both = line.or(&args.settings);
        assert_eq!(both.prompt.as_deref(), Some("a"));
        assert_eq!(both.size, "64x48".parse().ok());
        assert_eq!(both.scheduler, Some(SchedulerKind::EulerAncestral));
        assert_eq!(both.guidance, Some(2.0));
        assert_eq!(both.negative.as_deref(), Some("-x"));
        assert_eq!(both.seed, Some(5));
    }

    #[test]
    fn all_samplers_are_in_the_help() {
        let help = Args::command().render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for kind in SchedulerKind::ALL {
            assert!(help.contains(kind.name()), "{kind}");
        }
    }
}
