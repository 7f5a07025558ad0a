//! The arguments and what each of them means.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use mpm_core::backend::BackendKind;
use mpm_llm::decoding::{DecodingParams, Sampling, Strategy};
use viscpm_common::cli::DtypeArg;

/// Ask about a picture, in English or Chinese. 用中文或英文就一张图片提问。
///
/// With --question one answer is printed; with --batch one per line of a file;
/// with neither a conversation begins.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
pub struct Args {
    /// The picture: PNG, JPEG, WebP, GIF or BMP. 图片文件。
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,

    /// The question; without it a conversation begins. 问题。
    #[arg(
        long,
        value_name = "TEXT",
        conflicts_with = "batch",
        allow_hyphen_values = true
    )]
    pub question: Option<String>,

    /// Print the answer as a JSON object instead of streaming its text.
    #[arg(long, requires = "question")]
    pub json: bool,

    /// Answer a file of questions: each line a JSON object with "image" (relative
    /// to the working folder), "question" and optionally "context" ("User: …\nAI: …\n").
    /// Each line of output is a JSON object with "answer" or "error", in the same order.
    /// The exit code is 1 when any line failed.
    #[arg(long, value_name = "FILE.jsonl", conflicts_with_all = ["image", "json"])]
    pub batch: Option<PathBuf>,

    /// Where to compute: flex (CPU), cuda, wgpu, vulkan or metal, as far as compiled in.
    #[arg(long, default_value = "flex")]
    pub backend: BackendKind,

    #[command(flatten)]
    pub model: ModelArgs,

    #[command(flatten)]
    pub decoding: DecodingArgs,
}

/// Which model is loaded.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// A model folder (config.json, weights, vocabulary). Default: the small
    /// model of the repository, models/viscpm-chat-emoji.
    #[arg(long, value_name = "DIR", conflicts_with = "checkpoint")]
    pub model: Option<PathBuf>,

    /// An official VisCPM-Chat checkpoint, as torch.save or safetensors wrote it.
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

    /// Refuse unsafe pictures: a safety checker's folder, such as a copy of
    /// CompVis/stable-diffusion-safety-checker. A refused picture is an error; with --json and
    /// --batch the object says what was found under "refused". Default: no check.
    #[arg(long, value_name = "DIR")]
    pub safety_checker: Option<PathBuf>,

    /// The dtype of the weights on the device.
    #[arg(long, value_enum, default_value_t = DtypeArg::Stored)]
    pub dtype: DtypeArg,
}

/// The searches to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StrategyArg {
    /// Keep the best few answers at each step
    Beam,
    /// Take the likeliest token at each step
    Greedy,
    /// Draw each token at random
    Sample,
}

/// How answers are chosen; what is not given is as the model's config.json says.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Decoding")]
pub struct DecodingArgs {
    /// The search. Default: the one whose options are given, else the model's.
    #[arg(long, value_enum)]
    pub strategy: Option<StrategyArg>,

    /// Beam search: answers kept at each step, 1 to 256.
    #[arg(long, value_name = "N")]
    pub beams: Option<usize>,

    /// Beam search: exponent of the length that divides a score; higher favours long answers.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub length_penalty: Option<f64>,

    /// Divides the logits; above 0, below 1 for safer answers.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub temperature: Option<f64>,

    /// Sampling: only the K likeliest tokens.
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,

    /// Sampling: only the likeliest tokens that together reach this probability, above 0 to 1.
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub top_p: Option<f64>,

    /// Sampling: only tokens with at least this fraction of the likeliest one's probability, 0 to 1.
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub min_p: Option<f64>,

    /// Sampling: the seed; the same seed gives the same answer.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Makes tokens of the answer less likely to come again; at least 1 (no penalty).
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub repetition_penalty: Option<f64>,

    /// How many of the answer's last tokens count for the repetition penalty. Default: all.
    #[arg(long, value_name = "N")]
    pub repetition_window: Option<usize>,

    /// The most tokens an answer may have, 1 to 65536.
    #[arg(long, value_name = "N")]
    pub max_new_tokens: Option<usize>,

    /// End the answer before this text; may be given several times.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub stop: Vec<String>,
}

impl DecodingArgs {
    /// The model's own parameters with those that were given in their place.
    ///
    /// # Errors
    /// Says which option is out of its range, or belongs to another search.
    pub fn params(&self, defaults: &DecodingParams) -> Result<DecodingParams, String> {
        let params = DecodingParams {
            strategy: self.strategy(&defaults.strategy)?,
            temperature: self.temperature.unwrap_or(defaults.temperature),
            repetition_penalty: self
                .repetition_penalty
                .unwrap_or(defaults.repetition_penalty),
            repetition_window: self.repetition_window.or(defaults.repetition_window),
            max_new_tokens: self.max_new_tokens.unwrap_or(defaults.max_new_tokens),
            stop: if self.stop.is_empty() {
                defaults.stop.clone()
            } else {
                self.stop.clone()
            },
        };
        params.validate().map_err(|error| error.to_string())?;
        Ok(params)
    }

    /// The search, with its parameters. An option that only one search has
    /// chooses it; a seed does no harm to the others.
    fn strategy(&self, default: &Strategy) -> Result<Strategy, String> {
        let beam = given([
            ("--beams", self.beams.is_some()),
            ("--length-penalty", self.length_penalty.is_some()),
        ]);
        let sampling = given([
            ("--top-k", self.top_k.is_some()),
            ("--top-p", self.top_p.is_some()),
            ("--min-p", self.min_p.is_some()),
        ]);
        let chosen = match (self.strategy, default) {
            (Some(strategy), _) => strategy,
            _ if sampling.is_some() => StrategyArg::Sample,
            _ if beam.is_some() => StrategyArg::Beam,
            _ if self.seed.is_some() => StrategyArg::Sample,
            (None, Strategy::Beam { .. }) => StrategyArg::Beam,
            (None, Strategy::Greedy) => StrategyArg::Greedy,
            (None, Strategy::Sample(_)) => StrategyArg::Sample,
        };
        let (foreign, name) = match chosen {
            StrategyArg::Beam => (sampling, "beam search"),
            StrategyArg::Greedy => (beam.or(sampling), "greedy decoding"),
            StrategyArg::Sample => (beam, "sampling"),
        };
        if let Some(option) = foreign {
            return Err(format!(
                "{name} has no {option}; leave it out, or change --strategy"
            ));
        }
        Ok(match chosen {
            StrategyArg::Greedy => Strategy::Greedy,
            StrategyArg::Beam => self.beam(default),
            StrategyArg::Sample => Strategy::Sample(self.sampling(default)),
        })
    }

    fn beam(&self, default: &Strategy) -> Strategy {
        let (beams, length_penalty) = match default {
            Strategy::Beam {
                beams,
                length_penalty,
            } => (*beams, *length_penalty),
            _ => (3, 1.0),
        };
        Strategy::Beam {
            beams: self.beams.unwrap_or(beams),
            length_penalty: self.length_penalty.unwrap_or(length_penalty),
        }
    }

    fn sampling(&self, default: &Strategy) -> Sampling {
        let defaults = match default {
            Strategy::Sample(sampling) => sampling.clone(),
            _ => Sampling::default(),
        };
        Sampling {
            top_k: self.top_k.or(defaults.top_k),
            top_p: self.top_p.unwrap_or(defaults.top_p),
            min_p: self.min_p.unwrap_or(defaults.min_p),
            seed: self.seed.unwrap_or(defaults.seed),
        }
    }
}

/// The first of the options that was given.
fn given<const N: usize>(options: [(&'static str, bool); N]) -> Option<&'static str> {
    options
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
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
    fn an_option_chooses_its_search() {
        let strategy = |line: &str| {
            let args = Args::try_parse_from(line.split(' ')).expect("valid");
            let params = args.decoding.params(&DecodingParams::default());
            params.expect("valid").strategy
        };
        assert!(matches!(strategy("chat"), Strategy::Beam { beams: 3, .. }));
        assert!(matches!(strategy("chat --top-k 5"), Strategy::Sample(_)));
        assert!(matches!(
            strategy("chat --strategy greedy"),
            Strategy::Greedy
        ));
        assert!(matches!(strategy("chat --seed 5"), Strategy::Sample(_)));
        assert!(matches!(
            strategy("chat --beams 2 --seed 5"),
            Strategy::Beam { beams: 2, .. }
        ));
        assert!(matches!(
            strategy("chat --beams 5"),
            Strategy::Beam { beams: 5, .. }
        ));
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        for line in [
            "chat --beams 0",
            "chat --temperature NaN",
            "chat --strategy sample --temperature 0",
            "chat --repetition-penalty 0.5",
            "chat --top-p 0",
            "chat --temperature -1",
            "chat --beams 3 --top-k 5",
            "chat --strategy greedy --beams 3",
            "chat --strategy beam --min-p 0.5",
        ] {
            let args = Args::try_parse_from(line.split(' ')).expect("parses");
            assert!(
                args.decoding.params(&DecodingParams::default()).is_err(),
                "{line}"
            );
        }
    }
}
