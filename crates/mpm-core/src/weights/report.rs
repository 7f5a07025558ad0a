//! What does not match between a file and a model, all at once.

use std::fmt;

use safetensors::Dtype;

use super::ParameterKind;

/// At most so many keys of a kind are printed; the counts are always complete.
const SHOWN: usize = 12;

/// A missing key is explained by an unused one at least this similar, on a
/// scale from 0 to 1.
const SIMILAR: f64 = 0.7;

/// Everything on which a file and a model disagree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyReport {
    /// Names, as the file would have them, that the model needs and the file
    /// lacks.
    pub missing: Vec<String>,
    /// Names in the file that the model has no use for.
    pub unused: Vec<String>,
    /// Names that both have, with the model's shape and the file's.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Names that both have, with the kind of values that the model needs and the file's dtype,
    /// which is of another kind.
    pub mistyped: Vec<(String, ParameterKind, Dtype)>,
    /// Names in the file that fill the same parameter as another, with that other one.
    pub duplicate: Vec<(String, String)>,
    /// How many names match in full.
    pub matching: usize,
}

impl KeyReport {
    /// Whether there is nothing to report.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty()
            && self.unused.is_empty()
            && self.misshapen.is_empty()
            && self.mistyped.is_empty()
            && self.duplicate.is_empty()
    }

    /// The unused key that most resembles a missing one.
    fn nearest(&self, missing: &str) -> Option<&str> {
        self.unused
            .iter()
            .map(|key| (strsim::normalized_levenshtein(missing, key), key))
            .filter(|(similarity, _)| *similarity >= SIMILAR)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, key)| key.as_str())
    }
}

impl fmt::Display for KeyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the file does not belong to this model: {} tensors match, {} are missing, {} are \
             not used, {} have another shape, {} another kind of values, {} come twice",
            self.matching,
            self.missing.len(),
            self.unused.len(),
            self.misshapen.len(),
            self.mistyped.len(),
            self.duplicate.len(),
        )?;
        for key in self.missing.iter().take(SHOWN) {
            write!(f, "\n  missing   {key}")?;
            if let Some(near) = self.nearest(key) {
                write!(f, "  (the file has {near})")?;
            }
        }
        more(f, self.missing.len())?;
        for key in self.unused.iter().take(SHOWN) {
            write!(f, "\n  not used  {key}")?;
        }
        more(f, self.unused.len())?;
        for (key, model, file) in self.misshapen.iter().take(SHOWN) {
            write!(
                f,
                "\n  shape     {key}: the model has {model:?}, the file {file:?}"
            )?;
        }
        more(f, self.misshapen.len())?;
        for (key, model, file) in self.mistyped.iter().take(SHOWN) {
            write!(
                f,
                "\n  type      {key}: the model needs {model}, the file has {file:?}"
            )?;
        }
        more(f, self.mistyped.len())?;
        for (key, first) in self.duplicate.iter().take(SHOWN) {
            write!(f, "\n  twice     {key}: it fills what {first} fills")?;
        }
        more(f, self.duplicate.len())
    }
}

fn more(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    match count.checked_sub(SHOWN) {
        Some(rest @ 1..) => write!(f, "\n  … and {rest} more"),
        _ => Ok(()),
    }
}
