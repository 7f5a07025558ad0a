//! What can go wrong with the emoji picture-text set.

use std::io;

use super::{Language, Style};

/// Why the emoji set could not be built, read or drawn from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmojiError {
    /// A file could not be read.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),

    /// A file could not be written.
    #[error("cannot be written: {0}")]
    Write(#[source] io::Error),

    /// A package lacks a file that the build needs.
    #[error(
        "not found; install the packages with the command in docs/emoji-set.md and pass that folder"
    )]
    MissingPackage(#[source] io::Error),

    /// A JSON file does not have the form that the build expects.
    #[error("not in the expected form (see docs/emoji-set.md for the package versions): {0}")]
    Json(#[source] serde_json::Error),

    /// A package contains nothing that the set could use.
    #[error("holds no concept that {needed}")]
    NothingFound {
        /// What a concept needs to be taken.
        needed: &'static str,
    },

    /// A drawing could not be parsed.
    #[error("the drawing \"{icon}\" is not valid SVG: {source}")]
    Svg {
        /// The icon's name in its package.
        icon: String,
        /// What the parser says.
        source: Box<resvg::usvg::Error>,
    },

    /// A rendered picture could not be written as PNG.
    #[error("the picture cannot be written as PNG: {0}")]
    Png(#[source] png::EncodingError),

    /// The packed set has a layout that this version does not know.
    #[error("packed set of format {found}, this version reads format {known}; build it again")]
    Format {
        /// The format of the file.
        found: u32,
        /// The format that this version reads.
        known: u32,
    },

    /// The packed set names something that it lacks, or the other way round.
    #[error("damaged packed set: {0}; build or download it again")]
    Damaged(String),

    /// There is no concept of that number.
    #[error("concept {index} asked for, the set has {count}")]
    NoSuchConcept {
        /// The index asked for.
        index: usize,
        /// How many concepts there are.
        count: usize,
    },

    /// The concept has no picture in that style.
    #[error("no picture of {concept} in style {style}")]
    NoSuchPicture {
        /// The concept's id.
        concept: String,
        /// The style asked for.
        style: Style,
    },

    /// A member of the packed set is not a 64-pixel PNG.
    #[error("the picture {member} is broken: {source}")]
    BrokenPicture {
        /// The member's name in the archive.
        member: String,
        /// What the decoder says.
        source: image::ImageError,
    },

    /// Tasks need at least two things to tell apart.
    #[error("tasks need two names with training pictures, the options leave {found}; ask for more")]
    TooFewNames {
        /// How many are left.
        found: usize,
    },

    /// Questions have to be in some language.
    #[error("question_languages is empty; name at least one of TASK_LANGUAGES")]
    NoQuestionLanguage,

    /// Questions cannot be asked in that language yet.
    #[error("there are no questions in the language {language}; choose one of TASK_LANGUAGES")]
    NoTemplates {
        /// The language asked for.
        language: Language,
    },

    /// A scene places an emoji outside of the ground.
    #[error("an emoji of {size} pixels at ({x}, {y}) does not lie on the ground of 64 pixels")]
    OffTheGround {
        /// Left edge in pixels.
        x: u32,
        /// Upper edge in pixels.
        y: u32,
        /// Width and height in pixels.
        size: u32,
    },
}
