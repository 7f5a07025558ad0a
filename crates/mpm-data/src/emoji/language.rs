//! The languages of the emoji picture-text set.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A language that every concept of the set is named and described in.
///
/// Serialised as its CLDR code (`"zh-Hant"`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Language {
    /// English
    #[serde(rename = "en")]
    English,
    /// Chinese, simplified characters
    #[serde(rename = "zh")]
    Chinese,
    /// Chinese, traditional characters
    #[serde(rename = "zh-Hant")]
    ChineseTraditional,
    /// German
    #[serde(rename = "de")]
    German,
    /// French
    #[serde(rename = "fr")]
    French,
    /// Spanish
    #[serde(rename = "es")]
    Spanish,
    /// Italian
    #[serde(rename = "it")]
    Italian,
    /// Portuguese
    #[serde(rename = "pt")]
    Portuguese,
    /// Japanese
    #[serde(rename = "ja")]
    Japanese,
    /// Korean
    #[serde(rename = "ko")]
    Korean,
    /// Arabic
    #[serde(rename = "ar")]
    Arabic,
    /// Hindi
    #[serde(rename = "hi")]
    Hindi,
    /// Swahili
    #[serde(rename = "sw")]
    Swahili,
}

impl Language {
    /// Every language, in the order of the enum.
    pub const ALL: [Self; 13] = [
        Self::English,
        Self::Chinese,
        Self::ChineseTraditional,
        Self::German,
        Self::French,
        Self::Spanish,
        Self::Italian,
        Self::Portuguese,
        Self::Japanese,
        Self::Korean,
        Self::Arabic,
        Self::Hindi,
        Self::Swahili,
    ];

    /// The CLDR code: `en`, `zh`, `zh-Hant`, …
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
            Self::ChineseTraditional => "zh-Hant",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Italian => "it",
            Self::Portuguese => "pt",
            Self::Japanese => "ja",
            Self::Korean => "ko",
            Self::Arabic => "ar",
            Self::Hindi => "hi",
            Self::Swahili => "sw",
        }
    }

    /// Whether the language is written in Latin letters.
    #[must_use]
    pub fn is_latin(self) -> bool {
        !matches!(
            self,
            Self::Chinese
                | Self::ChineseTraditional
                | Self::Japanese
                | Self::Korean
                | Self::Arabic
                | Self::Hindi
        )
    }

    /// Whether the language is written without spaces between words.
    #[must_use]
    pub fn is_unspaced(self) -> bool {
        matches!(
            self,
            Self::Chinese | Self::ChineseTraditional | Self::Japanese
        )
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
