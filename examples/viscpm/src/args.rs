//! The arguments of the program.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{ArgGroup, Parser, Subcommand, ValueEnum};
use mpm_core::quantization::QuantizationScheme;
use viscpm_common::cli::DtypeArg;

/// Model files of VisCPM: official checkpoints made into model folders, and checkpoints of random
/// weights. VisCPM 的模型文件：把官方权重转换成模型目录，或生成随机权重。
#[derive(Parser, Debug)]
#[command(name = "viscpm", version)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Write a model folder from an official checkpoint, of VisCPM-Chat or VisCPM-Paint.
    /// 把官方权重转换成模型目录。
    Convert(ConvertArgs),

    /// Put a chat model together from a language model and a picture encoder, to be trained.
    /// 用语言模型和图像编码器拼出一个待训练的对话模型。
    Assemble(AssembleArgs),

    /// Compare the files of a folder that was written by convert with their checksums.
    /// 检查文件是否完好。
    Verify {
        /// The folder.
        folder: PathBuf,
    },

    /// Write a checkpoint with the names, shapes and dtype of the official one, and random
    /// weights: to see what a machine can do without 20 GB of downloads. 生成随机权重。
    RandomCheckpoint(RandomArgs),
}

#[derive(clap::Args, Debug)]
pub struct ConvertArgs {
    /// The checkpoint: a file as torch.save or safetensors wrote it, or the index of its shards.
    /// Here and for the other files, hf://org/repo/file downloads one.
    #[arg(long, value_name = "FILE")]
    pub checkpoint: PathBuf,

    /// The vocabulary of the checkpoint (CPM-Bee's bee.txt).
    #[arg(long, value_name = "FILE")]
    pub vocab: PathBuf,

    /// Of VisCPM-Paint, the autoencoder: a file of weights, a folder of diffusers such as
    /// hf://org/repo/vae/, or that of a whole Stable Diffusion.
    #[arg(long, value_name = "FILE|DIR")]
    pub vae: Option<PathBuf>,

    /// The checkpoint's configuration in the format of a model folder's config.json. Default:
    /// the published model, 10 billion parameters.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The folder to write. A run that was ended goes on where it was.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// The dtype of the weights in the folder.
    #[arg(long, value_enum, default_value_t = DtypeArg::Stored)]
    pub dtype: DtypeArg,

    /// Linear layers in 4 or 8 bits: int4 or int8, with blocks of 64 weights that share a scale, or
    /// another size of blocks, such as int4-32; int8-row.
    #[arg(long, value_name = "SCHEME")]
    pub quantize: Option<QuantizationScheme>,

    /// No file of weights is larger.
    #[arg(long, value_name = "SIZE", default_value = "4GB")]
    pub shard_size: ByteSize,

    /// Replace the model that the folder has. It stays until the new one is complete.
    #[arg(long)]
    pub force: bool,
}

#[derive(clap::Args, Debug)]
#[command(group(ArgGroup::new("visual").required(true).args(["encoder", "visual_from", "visual_config"])))]
pub struct AssembleArgs {
    /// The language model: a chat model folder, or a folder of Hugging Face with a model of the
    /// LLaMA family. Here and for the other folders, hf://org/repo downloads one.
    #[arg(long, value_name = "DIR")]
    pub llm: PathBuf,

    /// A folder of Hugging Face with CLIP or SigLIP; a new connector leads to the language model.
    #[arg(long, value_name = "DIR")]
    pub encoder: Option<PathBuf>,

    /// A chat model folder whose visual module is taken; only what leads to the language model is
    /// new.
    #[arg(long, value_name = "DIR")]
    pub visual_from: Option<PathBuf>,

    /// The configuration of a new visual module, as `model.visual` of a chat model's config.json.
    #[arg(long, value_name = "FILE")]
    pub visual_config: Option<PathBuf>,

    /// What leads from the encoder to the language model.
    #[arg(long, value_enum, default_value_t = ConnectorArg::Mlp, requires = "encoder")]
    pub connector: ConnectorArg,

    /// The encoder's layer that is read, from the end: -2 is the one before the last, as in LLaVA.
    /// Default: its output.
    #[arg(
        long,
        value_name = "N",
        requires = "encoder",
        allow_negative_numbers = true
    )]
    pub layer: Option<i64>,

    /// The folder to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// The dtype of the weights in the folder.
    #[arg(long, value_enum, default_value_t = DtypeArg::Stored)]
    pub dtype: DtypeArg,

    /// Decides about new weights.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// What leads from an encoder to a language model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConnectorArg {
    /// Two linear layers, as in LLaVA 1.5
    Mlp,
    /// 64 queries that read the encoder's features, as in MiniCPM-V
    Resampler,
}

#[derive(clap::Args, Debug)]
pub struct RandomArgs {
    /// Which model.
    pub model: Model,

    /// The file to write: safetensors if its name ends so, otherwise as torch.save writes it.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Of VisCPM-Paint, the file to write the autoencoder to.
    #[arg(long, value_name = "FILE", required_if_eq("model", "paint"))]
    pub vae: Option<PathBuf>,

    /// The model's configuration in the format of a model folder's config.json. Default: the
    /// published model, 10 billion parameters.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The dtype of the weights.
    #[arg(long, value_enum, default_value_t = RandomDtype::F16)]
    pub dtype: RandomDtype,

    /// Decides about the weights.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,

    /// Overwrite files that are there already.
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// VisCPM-Chat
    Chat,
    /// VisCPM-Paint
    Paint,
}

/// The dtypes in which checkpoints are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RandomDtype {
    /// 32 bits
    F32,
    /// 16 bits, IEEE half precision
    F16,
}

impl RandomDtype {
    /// The size of a value.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
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
}
