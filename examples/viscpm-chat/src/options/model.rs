//! Which model is loaded.

use std::path::PathBuf;

use bytesize::ByteSize;
use mpm_core::quantization::QuantizationScheme;
use viscpm_common::cli::DtypeArg;

/// Which model is loaded.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// A model folder (config.json, weights, vocabulary). Default: the small
    /// model of the repository, models/viscpm-chat-emoji. Here and for the other folders,
    /// hf://org/repo downloads one.
    #[arg(long, value_name = "DIR", conflicts_with = "checkpoint")]
    pub model: Option<PathBuf>,

    /// An official VisCPM-Chat checkpoint, as torch.save or safetensors wrote it, or the index of
    /// its files. Here and for the other files, hf://org/repo/file downloads one.
    #[arg(long, value_name = "FILE", requires = "vocab")]
    pub checkpoint: Option<PathBuf>,

    /// The vocabulary of the checkpoint (CPM-Bee's bee.txt).
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    pub vocab: Option<PathBuf>,

    /// The checkpoint's configuration in the format of a model folder's
    /// config.json. Default: VisCPM-Chat, 10 billion parameters.
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    pub config: Option<PathBuf>,

    /// A folder of adapters that were trained for the model (LoRA, in the layout of PEFT); they
    /// are added to its weights.
    #[arg(long, value_name = "DIR")]
    pub lora: Option<PathBuf>,

    /// The dtype of the weights on the device.
    #[arg(long, value_enum, default_value_t = DtypeArg::Stored)]
    pub dtype: DtypeArg,

    /// Linear layers in 4 or 8 bits (int4, int8, int4-32 …), made while loading. 量化以节省内存。
    #[arg(long, value_name = "SCHEME")]
    pub quantize: Option<QuantizationScheme>,

    /// Memory of the device that may be taken, such as 3GB: layers of the language model that find
    /// no room stay in the file and come one by one. 限制显存，其余的层留在文件里。
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["lora", "quantize"])]
    pub memory_limit: Option<ByteSize>,
}
