//! The drawing styles of the emoji picture-text set.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The hand that drew a picture: one emoji font.
///
/// Serialised as the folder name in the packed set (`"fluent-flat"`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Style {
    /// EmojiTwo, CC-BY-4.0
    #[serde(rename = "emojione")]
    EmojiOne,
    /// Microsoft Fluent with gradients, MIT
    Fluent,
    /// Microsoft Fluent, flat, MIT
    FluentFlat,
    /// Mozilla FxEmoji, Apache-2.0
    #[serde(rename = "fxemoji")]
    FxEmoji,
    /// Google Noto, Apache-2.0
    Noto,
    /// Google Noto, first version, Apache-2.0
    NotoV1,
    /// Twitter Twemoji, continued by jdecked, CC-BY-4.0
    Twemoji,
}

/// Styles that share designs, and so are held out together.
///
/// [`Style::Fluent`] is [`Style::FluentFlat`] with gradients: having seen one is
/// having seen the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StyleFamily {
    /// [`Style::EmojiOne`]
    EmojiOne,
    /// [`Style::Fluent`] and [`Style::FluentFlat`]
    Fluent,
    /// [`Style::FxEmoji`]
    FxEmoji,
    /// [`Style::Noto`]
    Noto,
    /// [`Style::NotoV1`]
    NotoV1,
    /// [`Style::Twemoji`]
    Twemoji,
}

impl Style {
    /// Every style, in the order of the enum.
    pub const ALL: [Self; 7] = [
        Self::EmojiOne,
        Self::Fluent,
        Self::FluentFlat,
        Self::FxEmoji,
        Self::Noto,
        Self::NotoV1,
        Self::Twemoji,
    ];

    /// The name of the style, which is its folder in the packed set.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EmojiOne => "emojione",
            Self::Fluent => "fluent",
            Self::FluentFlat => "fluent-flat",
            Self::FxEmoji => "fxemoji",
            Self::Noto => "noto",
            Self::NotoV1 => "noto-v1",
            Self::Twemoji => "twemoji",
        }
    }

    /// The styles that this one shares its designs with, itself included.
    #[must_use]
    pub fn family(self) -> StyleFamily {
        match self {
            Self::EmojiOne => StyleFamily::EmojiOne,
            Self::Fluent | Self::FluentFlat => StyleFamily::Fluent,
            Self::FxEmoji => StyleFamily::FxEmoji,
            Self::Noto => StyleFamily::Noto,
            Self::NotoV1 => StyleFamily::NotoV1,
            Self::Twemoji => StyleFamily::Twemoji,
        }
    }

    /// The npm package that the pictures come from.
    pub(super) fn package(self) -> &'static str {
        match self {
            Self::EmojiOne => "@iconify-json/emojione",
            Self::Fluent => "@iconify-json/fluent-emoji",
            Self::FluentFlat => "@iconify-json/fluent-emoji-flat",
            Self::FxEmoji => "@iconify-json/fxemoji",
            Self::Noto => "@iconify-json/noto",
            Self::NotoV1 => "@iconify-json/noto-v1",
            Self::Twemoji => "@iconify-json/twemoji",
        }
    }
}

impl StyleFamily {
    /// The name that the hash split uses: stable, never change one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EmojiOne => "emojione",
            Self::Fluent => "fluent",
            Self::FxEmoji => "fxemoji",
            Self::Noto => "noto",
            Self::NotoV1 => "noto-v1",
            Self::Twemoji => "twemoji",
        }
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
