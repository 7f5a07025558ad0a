//! The text side of the set: what `concepts.json` holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Category, Language, Style};

/// The version of the layout of `concepts.json`.
pub(super) const FORMAT: u32 = 1;

/// `concepts.json`: everything that the packed set says in words.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConceptFile {
    /// [`FORMAT`]
    pub format: u32,
    /// CLDR character labels (`animal`, `food_drink`, …) in each language
    pub labels: BTreeMap<Language, BTreeMap<String, String>>,
    /// The concepts, in emojibase's order
    pub concepts: Vec<Concept>,
}

/// One thing that the set has pictures and words for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concept {
    /// Code points in lower-case hexadecimal joined by `-`, without variation
    /// selectors: `1f43b-200d-2744` for the polar bear.
    pub id: String,
    /// The emoji itself.
    pub emoji: String,
    /// The emojibase group, such as `animals-nature`.
    pub group: String,
    /// The emojibase subgroup, such as `animal-mammal`.
    pub subgroup: String,
    /// The styles that there is a picture in, sorted.
    pub styles: Vec<Style>,
    /// CLDR's name and keywords in every language of the set.
    pub texts: BTreeMap<Language, ConceptText>,
}

/// CLDR's annotation of one concept in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConceptText {
    /// The short name (CLDR's `tts`), as published.
    pub name: String,
    /// The keywords, as published, without the name itself.
    pub keywords: Vec<String>,
}

impl Concept {
    /// The kind of thing that this is.
    #[must_use]
    pub fn category(&self) -> Category {
        Category::of(&self.subgroup, &self.id)
    }
}
