//! What a file of this program says about how it was made.

use std::{collections::BTreeMap, fs, path::Path};

use clap::ValueEnum;
use mpm_data::picture::png_texts;
use viscpm_common::cli::{BoxError, DtypeArg, note};
use viscpm_paint::Recipe;

use super::{args::Settings, task::InitialFiles};

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
}

impl Circumstances {
    /// As keywords and texts.
    pub fn texts(&self) -> [(String, String); 4] {
        [
            (
                "Software",
                concat!("viscpm-paint ", env!("CARGO_PKG_VERSION")),
            ),
            ("model", &self.model),
            ("backend", &self.backend),
            ("dtype", &name(self.dtype)),
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
