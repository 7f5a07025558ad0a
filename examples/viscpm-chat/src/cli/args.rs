//! The arguments and what each of them means.

use std::path::PathBuf;

use clap::Parser;
use mpm_core::backend::BackendKind;
use viscpm_chat::options::{DecodingArgs, ModelArgs};

/// Ask about a picture, in any language that the model knows. 用模型懂得的任何语言就一张图片提问。
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

    /// With --batch, say with each answer how long it took: "seconds" from its line on, and
    /// "seconds_to_first_text", which --json always has.
    #[arg(long, requires = "batch")]
    pub timings: bool,

    /// Where to compute: flex (CPU), cuda, wgpu, vulkan or metal, as far as compiled in.
    #[arg(long, default_value = "flex")]
    pub backend: BackendKind,

    #[command(flatten)]
    pub model: ModelArgs,

    /// Refuse unsafe pictures: a safety checker's folder, such as
    /// hf://CompVis/stable-diffusion-safety-checker. A refused picture is an error; with --json and
    /// --batch the object says what was found under "refused". Default: no check.
    #[arg(long, value_name = "DIR", help_heading = "Model")]
    pub safety_checker: Option<PathBuf>,

    #[command(flatten)]
    pub decoding: DecodingArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use mpm_llm::decoding::{DecodingParams, Strategy};

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
