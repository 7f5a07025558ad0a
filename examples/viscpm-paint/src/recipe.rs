//! How pictures were painted, as texts that a file can carry.

use std::collections::BTreeMap;

use mpm_data::picture::Picture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    FinishedPicture, InitialPicture, PaintError, PaintJob, PaintRequest, Selection, Verdict,
};

/// The texts that are texts; all others are numbers or lists of numbers.
const TEXTS: [&str; 7] = [
    "prompt",
    "negative_prompt",
    "scheduler",
    "init_image",
    "init_image_sha256",
    "mask",
    "mask_sha256",
];

/// Everything that decides about the pictures of a file, but for the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// What is to be seen.
    pub prompt: String,
    /// What is not to be seen.
    pub negative_prompt: String,
    /// Size, sampler and seed.
    #[serde(flatten)]
    pub request: PaintRequest,
    /// Which of the seed's pictures are in the file, in order.
    pub pictures: Vec<u64>,
    /// How many pictures the seed was used for.
    pub painted: u64,
    /// How many of them were denoised at the same time.
    pub at_once: usize,
    /// Those of `pictures` that are black.
    pub blacked_out: Vec<u64>,
    /// What changed instead of noise.
    #[serde(flatten, skip_deserializing)]
    pub initial: Option<InitialRecipe>,
}

/// A picture that changed instead of noise; it is not in the file itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InitialRecipe {
    /// The name of its file.
    pub init_image: String,
    /// A digest of its pixels.
    pub init_image_sha256: String,
    /// How much changed.
    pub strength: f64,
    /// The name of the mask's file, for inpainting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// A digest of the mask's pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask_sha256: Option<String>,
}

impl Recipe {
    /// The recipe of some pictures of a job, which are in one file.
    pub fn new(
        job: &PaintJob,
        pictures: &[FinishedPicture],
        initial: Option<InitialRecipe>,
    ) -> Self {
        let black = pictures
            .iter()
            .filter(|picture| picture.verdict != Verdict::Shown);
        Self {
            prompt: job.prompt.clone(),
            negative_prompt: job.negative_prompt.clone(),
            request: job.request.clone(),
            pictures: pictures.iter().map(|picture| picture.number).collect(),
            painted: job.selection.painted(),
            at_once: job.at_once,
            blacked_out: black.map(|picture| picture.number).collect(),
            initial,
        }
    }

    /// The job that paints the same pictures again, from the same picture to begin with.
    ///
    /// # Errors
    /// [`PaintError::OtherPicture`] for another picture to begin with or another mask,
    /// [`PaintError::Recipe`] when there is one too many or too few.
    pub fn job(&self, initial: Option<InitialPicture>) -> Result<PaintJob, PaintError> {
        match (&self.initial, &initial) {
            (None, None) => {}
            (Some(recipe), Some(initial)) => recipe.check(initial)?,
            (Some(recipe), None) => {
                return Err(unfit(format!("it begins with {}", recipe.init_image)));
            }
            (None, Some(_)) => return Err(unfit("it begins with no picture")),
        }
        Ok(PaintJob {
            prompt: self.prompt.clone(),
            negative_prompt: self.negative_prompt.clone(),
            request: self.request.clone(),
            initial,
            selection: Selection::Again {
                numbers: self.pictures.clone(),
                painted: self.painted,
                blacked_out: self.blacked_out.clone(),
            },
            at_once: self.at_once,
        })
    }

    /// The recipe as keywords and texts, for [`Picture::encode_png`].
    ///
    /// # Errors
    /// [`PaintError::Recipe`] when a number is none.
    pub fn texts(&self) -> Result<Vec<(String, String)>, PaintError> {
        let value = serde_json::to_value(self).map_err(|error| unfit(error.to_string()))?;
        let Value::Object(map) = value else {
            return Err(unfit("it has no fields"));
        };
        let text = |(keyword, value)| match value {
            Value::String(text) => (keyword, text),
            other => (keyword, other.to_string()),
        };
        Ok(map.into_iter().map(text).collect())
    }

    /// Reads what [`texts`](Self::texts) wrote; other texts are passed over.
    ///
    /// # Errors
    /// [`PaintError::Recipe`] names what is missing or wrong.
    pub fn from_texts(texts: &BTreeMap<String, String>) -> Result<Self, PaintError> {
        let value = |(keyword, text): (&String, &String)| {
            let value = match TEXTS.contains(&&**keyword) {
                true => Value::String(text.clone()),
                false => number(text),
            };
            (keyword.clone(), value)
        };
        let map: Map<String, Value> = texts.iter().map(value).collect();
        let wrong = |error: serde_json::Error| unfit(error.to_string());
        let initial = match map.contains_key("init_image") {
            true => Some(serde_json::from_value(map.clone().into()).map_err(wrong)?),
            false => None,
        };
        let recipe: Self = serde_json::from_value(map.into()).map_err(wrong)?;
        Ok(Self { initial, ..recipe })
    }
}

impl InitialRecipe {
    /// Describes a picture from a file, and a mask from one if there is a mask.
    pub fn new(initial: &InitialPicture, file: String, mask_file: Option<String>) -> Self {
        Self {
            init_image: file,
            init_image_sha256: digest(&initial.picture),
            strength: initial.strength,
            mask: mask_file,
            mask_sha256: initial.mask.as_ref().map(digest),
        }
    }

    fn check(&self, initial: &InitialPicture) -> Result<(), PaintError> {
        let other = |what, file: &str| PaintError::OtherPicture {
            what,
            file: file.to_owned(),
        };
        if digest(&initial.picture) != self.init_image_sha256 {
            return Err(other("the picture to begin with", &self.init_image));
        }
        if initial.mask.as_ref().map(digest) != self.mask_sha256 {
            let file = self.mask.as_deref().unwrap_or("none");
            return Err(other("the mask", file));
        }
        match initial.strength == self.strength {
            true => Ok(()),
            false => Err(unfit(format!("its strength is {}", self.strength))),
        }
    }
}

/// A text that is a number or a list, and otherwise itself.
fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A digest of a picture's size and pixels, whatever file they come from.
fn digest(picture: &Picture) -> String {
    let mut hash = Sha256::new();
    hash.update(picture.width().to_le_bytes());
    hash.update(picture.height().to_le_bytes());
    hash.update(picture.pixels());
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unfit(reason: impl Into<String>) -> PaintError {
    PaintError::Recipe {
        reason: reason.into(),
    }
}
