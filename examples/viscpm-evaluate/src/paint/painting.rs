//! Painting what is to be measured.

use std::{collections::HashSet, fs, path::Path};

use mpm_core::{MpmBackend, atomic};
use viscpm_paint::{Outcome, PaintError, PaintJob, PaintSettings, Studio};

use super::{PictureEntry, PictureSet};
use crate::{EvaluateError, LineError, chat::Ended, chat::Watch};

/// A model that paints.
pub struct Painting<B: MpmBackend> {
    /// The model.
    pub studio: Studio<B>,
    /// Its own size, sampler, steps and guidance are used.
    pub settings: PaintSettings,
    /// Decides the noise; each line has a seed of its own, this one plus its number.
    pub seed: u64,
}

/// Paints the pictures that are not there, each by the first line that names it.
///
/// # Errors
/// [`EvaluateError::Line`] for a prompt that cannot be painted and a picture that cannot be written.
pub fn paint_missing<B: MpmBackend>(
    set: &PictureSet,
    painting: &Painting<B>,
    watch: &Watch<'_>,
) -> Result<Ended, EvaluateError> {
    let mut seen = HashSet::new();
    for entry in &set.entries {
        let path = set.path(entry);
        if seen.insert(&entry.image) && !path.exists() {
            let painted = paint(entry, &path, painting, watch);
            if painted.map_err(|source| set.line_error(entry.line, source))? == Ended::BrokenOff {
                return Ok(Ended::BrokenOff);
            }
        }
        (watch.answered)();
    }
    Ok(Ended::Complete)
}

fn paint<B: MpmBackend>(
    entry: &PictureEntry,
    path: &Path,
    painting: &Painting<B>,
    watch: &Watch<'_>,
) -> Result<Ended, LineError> {
    let seed = painting.seed.wrapping_add(entry.line as u64);
    let job = PaintJob::new(&entry.prompt, painting.settings.default_request(seed));
    let pictures = match painting.studio.paint(&job, |_| (watch.flow)())? {
        Outcome::Painted(pictures) => pictures,
        Outcome::Cancelled => return Ok(Ended::BrokenOff),
        // Nothing checks prompts here.
        Outcome::Refused(_) => return Err(PaintError::NoPictures.into()),
    };
    let picture = pictures.first().ok_or(PaintError::NoPictures)?;
    let bytes = picture.picture.encode_png(&[]).map_err(PaintError::from)?;
    let failed = |source| LineError::Write {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    atomic::write_bytes(path, &bytes).map_err(failed)?;
    Ok(Ended::Complete)
}
