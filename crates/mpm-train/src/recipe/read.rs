//! Reading recipes from files.

use std::path::Path;

use serde::Deserialize;

use super::{RECIPE_VERSION, Recipe};
use crate::TrainError;

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Recipe {
    /// Reads and checks a recipe: JSON in a file of this ending, TOML in any other.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be read, [`TrainError::Recipe`] when it is no
    /// recipe, which names the nearest field in the place of an unknown one, and the errors of
    /// [`validate`](Self::validate).
    pub fn open(file: impl AsRef<Path>) -> Result<Self, TrainError> {
        let file = file.as_ref();
        let text = std::fs::read_to_string(file).map_err(TrainError::io("read", file))?;
        let recipe = match file.extension().is_some_and(|ending| ending == "json") {
            true => Self::from_json(&text),
            false => Self::from_toml(&text),
        };
        recipe.map_err(|error| match error {
            TrainError::Recipe { reason, .. } => TrainError::Recipe {
                file: Some(file.to_owned()),
                reason,
            },
            other => other,
        })
    }

    /// Reads and checks a recipe in TOML.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_toml(text: &str) -> Result<Self, TrainError> {
        let wrong = |error: toml::de::Error| syntax(error.message(), &error.to_string());
        // First of all: another version has other fields.
        let Version { version } = toml::from_str(text).map_err(wrong)?;
        check(version, || toml::from_str(text).map_err(wrong))
    }

    /// Reads and checks a recipe in JSON.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_json(text: &str) -> Result<Self, TrainError> {
        let wrong = |error: serde_json::Error| {
            let text = error.to_string();
            syntax(&text, &text)
        };
        let Version { version } = serde_json::from_str(text).map_err(wrong)?;
        check(version, || serde_json::from_str(text).map_err(wrong))
    }
}

fn check(
    version: u32,
    read: impl FnOnce() -> Result<Recipe, TrainError>,
) -> Result<Recipe, TrainError> {
    if version != RECIPE_VERSION {
        return Err(TrainError::RecipeVersion {
            found: version,
            expected: RECIPE_VERSION,
        });
    }
    let recipe = read()?;
    recipe.validate()?;
    Ok(recipe)
}

/// An error of a parser; `message` is what it says without the place.
fn syntax(message: &str, whole: &str) -> TrainError {
    let mut reason = whole.trim_end().to_owned();
    if let Some(nearest) = nearest(message) {
        reason.push_str(&format!("\ndo you mean `{nearest}`?"));
    }
    TrainError::Recipe { file: None, reason }
}

/// The known name that is nearest to an unknown one. Serde says: unknown field `this`, expected
/// one of `these`, `names`.
fn nearest(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("unknown ")?;
    let mut names = rest.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    let rated = names.map(|name| (strsim::normalized_levenshtein(unknown, name), name));
    let best = rated.max_by(|one, two| one.0.total_cmp(&two.0))?;
    (best.0 > 0.4).then_some(best.1)
}
