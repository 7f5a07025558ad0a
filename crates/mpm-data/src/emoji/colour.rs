//! Colours that have a name.

use super::{Language, templates::templates};

/// A colour that grounds have and concepts are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Colour {
    /// Red
    Red,
    /// Orange
    Orange,
    /// Yellow
    Yellow,
    /// Green
    Green,
    /// Blue
    Blue,
    /// Purple
    Purple,
    /// Pink
    Pink,
    /// Brown
    Brown,
    /// Grey
    Grey,
    /// Black
    Black,
    /// White
    White,
}

impl Colour {
    /// Every colour, in the order of the enum.
    pub const ALL: [Self; 11] = [
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Blue,
        Self::Purple,
        Self::Pink,
        Self::Brown,
        Self::Grey,
        Self::Black,
        Self::White,
    ];

    /// A typical shade, RGB. Shades within 20 levels of it in each channel keep
    /// the name.
    #[must_use]
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Self::Red => [214, 40, 40],
            Self::Orange => [244, 140, 30],
            Self::Yellow => [248, 216, 50],
            Self::Green => [60, 160, 70],
            Self::Blue => [45, 100, 215],
            Self::Purple => [130, 60, 175],
            Self::Pink => [246, 150, 190],
            Self::Brown => [125, 80, 45],
            Self::Grey => [140, 140, 140],
            Self::Black => [22, 22, 22],
            Self::White => [235, 235, 235],
        }
    }

    /// The word for the colour; `None` where `language` is not of
    /// [`TASK_LANGUAGES`](super::TASK_LANGUAGES).
    #[must_use]
    pub fn word(self, language: Language) -> Option<&'static str> {
        Some((templates(language)?.colour_word)(self))
    }

    /// The colour that an English name begins with: `green apple`.
    #[must_use]
    pub fn of_name(english: &str) -> Option<Self> {
        let (first, _) = english.split_once(' ')?;
        Some(match first {
            "red" => Self::Red,
            "orange" => Self::Orange,
            "yellow" => Self::Yellow,
            "green" => Self::Green,
            "blue" => Self::Blue,
            "purple" => Self::Purple,
            "pink" => Self::Pink,
            "brown" => Self::Brown,
            "grey" => Self::Grey,
            "black" => Self::Black,
            "white" => Self::White,
            _ => return None,
        })
    }
}
