//! How answers are chosen.

use clap::ValueEnum;
use mpm_llm::decoding::{DecodingParams, Sampling, Strategy};

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
