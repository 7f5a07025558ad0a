//! What a file of this program says about how it was made.

use std::{collections::BTreeMap, fs, path::Path};

use clap::ValueEnum;
use mpm_core::quantization::QuantizationScheme;
use mpm_data::picture::png_texts;
use mpm_diffusion::schedule::PredictionType;
use serde_json::json;
use viscpm_common::cli::{BoxError, DtypeArg, note};
use viscpm_paint::Recipe;

use super::{args::Settings, task::InitialFiles};

/// The keyword of what the model predicts, as its configuration has it.
const PREDICTION: &str = "prediction_type";

/// The keyword of how weights were quantized.
const QUANTIZATION: &str = "quantization";

/// What stands beside the recipe in a file: it does not decide what is painted, but how exactly
/// it can be painted again.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The name of the model's folder or checkpoint.
    pub model: String,
    /// Where it was computed.
    pub backend: String,
    /// In which dtype.
    pub dtype: DtypeArg,
    /// What the model predicts, which a single file does not tell.
    pub prediction: PredictionType,
    /// How the weights were quantized while they were loaded.
    pub quantization: Option<QuantizationScheme>,
}

impl Circumstances {
    /// As keywords and texts.
    pub fn texts(&self) -> [(String, String); 6] {
        let scheme = self.quantization.map(|scheme| scheme.to_string());
        let prediction = json!(self.prediction);
        [
            (
                "Software",
                concat!("viscpm-paint ", env!("CARGO_PKG_VERSION")),
            ),
            ("model", &self.model),
            ("backend", &self.backend),
            ("dtype", &name(self.dtype)),
            (QUANTIZATION, scheme.as_deref().unwrap_or("none")),
            (PREDICTION, prediction.as_str().unwrap_or_default()),
        ]
        .map(|(keyword, text)| (keyword.to_owned(), text.to_owned()))
    }
}

/// A file's recipe and its circumstances.
pub struct Repeat {
    pub recipe: Recipe,
    texts: BTreeMap<String, String>,
}

impl Repeat {
    pub fn open(file: &Path) -> Result<Self, BoxError> {
        let named = |reason: &dyn std::fmt::Display| format!("{}: {reason}", file.display());
        let bytes = fs::read(file).map_err(|error| named(&error))?;
        let texts = png_texts(&bytes).map_err(|error| named(&error))?;
        Ok(Self {
            recipe: Recipe::from_texts(&texts).map_err(|error| named(&error))?,
            texts,
        })
    }

    /// The dtype of then.
    pub fn dtype(&self) -> Option<DtypeArg> {
        let name = self.texts.get("dtype")?;
        DtypeArg::from_str(name, false).ok()
    }

    /// How the weights were quantized then.
    pub fn quantization(&self) -> Option<QuantizationScheme> {
        self.texts.get(QUANTIZATION)?.parse().ok()
    }

    /// What the model predicted then.
    pub fn prediction(&self) -> Option<PredictionType> {
        let name = self.texts.get(PREDICTION)?;
        serde_json::from_value(json!(name)).ok()
    }

    /// The picture to begin with: where it was then, unless the command line says where it is now.
    pub fn initial_files(&self, settings: &Settings) -> Option<InitialFiles> {
        let initial = self.recipe.initial.as_ref()?;
        let then = |file: &String| file.into();
        Some(InitialFiles {
            picture: settings
                .init_image
                .clone()
                .unwrap_or_else(|| then(&initial.init_image)),
            strength: initial.strength,
            mask: match &initial.mask {
                Some(file) => settings.mask.clone().or_else(|| Some(then(file))),
                None => None,
            },
        })
    }

    /// Says why the pixels may differ.
    pub fn warn(&self, now: &Circumstances) {
        for (keyword, text) in now.texts() {
            match self.texts.get(&keyword) {
                Some(then) if *then != text && keyword != "Software" => note(&format!(
                    "note: the picture was painted with {keyword} {then}, not {text}; the pixels \
                     may differ. 环境不同，结果可能不同。\n"
                )),
                _ => {}
            }
        }
    }
}

fn name(dtype: DtypeArg) -> String {
    let value = dtype.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
