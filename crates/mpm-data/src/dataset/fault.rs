//! What is wrong with an example, or with a whole file.

use std::io;

use super::Origin;
use crate::picture::PictureError;

/// An example that cannot be used. Those after it can.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {flaw}")]
pub struct BadExample {
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong with it.
    #[source]
    pub flaw: Flaw,
}

/// What is wrong with an example.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// It is not in the format.
    #[error("not an example of this format: {0}")]
    Json(#[from] serde_json::Error),

    /// A row that does not fit its table, or is no text.
    #[error("not a row of this table: {0}")]
    Csv(#[from] csv::Error),

    /// Bytes that stand as text in Base64.
    #[error("a picture is not valid Base64: {0}")]
    Base64(#[from] base64::DecodeError),

    /// A part that the format needs is not there.
    #[error("it has no {what}")]
    Missing {
        /// The part.
        what: &'static str,
    },

    /// What stands for a picture does not name one.
    #[error("{found} stands where the name of a picture belongs")]
    PictureName {
        /// What it is instead.
        found: &'static str,
    },

    /// It would fill the memory.
    #[error("it has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Bytes of all that belongs to it.
        bytes: u64,
        /// The most that is allowed.
        limit: u64,
    },

    /// A conversation that is not questions and answers in turn.
    #[error("turn {turn} of the conversation is not {expected}'s")]
    OutOfTurn {
        /// Counted from 0.
        turn: usize,
        /// Whose it has to be.
        expected: &'static str,
    },

    /// The text speaks of more or fewer pictures than there are.
    #[error("the text marks {marked} pictures, but there are {pictures}")]
    Markers {
        /// Markers in the text.
        marked: usize,
        /// Pictures of the example.
        pictures: usize,
    },

    /// A picture cannot be decoded.
    #[error("picture {number}: {source}")]
    Picture {
        /// Counted from 0.
        number: usize,
        /// What is wrong with it.
        source: PictureError,
    },

    /// The model cannot read it.
    #[error("{0}")]
    Unfit(Box<dyn std::error::Error + Send + Sync>),
}

/// Why a file of examples cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),

    /// There is no such file or folder.
    #[error("there is no such file or folder; check the path")]
    Missing,

    /// There is nothing to read.
    #[error("the data set names no files")]
    NoFiles,

    /// A pattern of files matches none.
    #[error("no file matches `{pattern}`; check the folder and the names in it")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },

    /// A pattern of files is not written as one.
    #[error("`{pattern}` is no pattern of files: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// All files are empty, or nothing in them can be used.
    #[error("no example of all files can be used; {bad} are unusable")]
    NoExamples {
        /// Unusable ones.
        bad: u64,
    },

    /// The file is damaged, or of another format.
    #[error("damaged, or not in this format, {place}: {reason}")]
    Damaged {
        /// How far it could be read.
        place: String,
        /// What was found there.
        reason: String,
    },

    /// A table lacks a column.
    #[error("there is no column `{wanted}`; there are {found}{}", hint(nearest.as_deref()))]
    Column {
        /// What was looked for.
        wanted: String,
        /// The column whose name is much like it.
        nearest: Option<String>,
        /// All columns.
        found: String,
    },

    /// A column that is needed holds numbers, or something else that is neither picture nor text.
    #[error("the column `{column}` holds neither bytes nor texts")]
    ColumnType {
        /// The column.
        column: String,
    },

    /// More examples than allowed cannot be used.
    #[error("{bad} of {read} examples cannot be used, the last of them {last}")]
    TooManyBad {
        /// Bad ones so far.
        bad: u64,
        /// All so far.
        read: u64,
        /// The report of the last one.
        last: String,
    },
}

/// Why data sets make no mixture.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MixError {
    /// There are none.
    #[error("it has no members; name at least one data set")]
    Empty,

    /// A weight that makes no share.
    #[error("the weight of `{name}` is {weight}; it has to be finite and positive")]
    Weight {
        /// The member.
        name: String,
        /// Its weight.
        weight: f64,
    },

    /// Reports could not tell them apart.
    #[error("two members are called `{name}`; rename one of them")]
    SameName {
        /// The name.
        name: String,
    },

    /// A position of another mixture.
    #[error("the position is one of {found}, but the members are {expected}")]
    Position {
        /// Members of the position.
        found: String,
        /// Members of the mixture.
        expected: String,
    },
}

/// How much names are alike, from 0 to 1, for one to be taken for a slip of the other.
const ALIKE: f64 = 0.5;

impl DatasetError {
    /// [`Column`](Self::Column), with the nearest of the columns that there are.
    pub(super) fn no_column(wanted: &str, found: &[&str]) -> Self {
        let alike = |name: &str| {
            strsim::normalized_levenshtein(&wanted.to_lowercase(), &name.to_lowercase())
        };
        let near = found.iter().filter(|name| alike(name) >= ALIKE);
        let nearest = near.max_by(|a, b| alike(a).total_cmp(&alike(b)));
        Self::Column {
            wanted: wanted.to_owned(),
            nearest: nearest.map(ToString::to_string),
            found: found.join(", "),
        }
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (is it `{name}`?)"))
}

/// What a reader meets in the place of an example.
#[derive(Debug)]
pub enum Fault {
    /// Reading can go on with the next example.
    Skip(BadExample),
    /// Nothing more can be read.
    Stop(DatasetError),
}
