//! Builds the set from npm packages.
//!
//! The packages hold the drawings as SVG (Iconify), the groups (emojibase) and
//! the words (Unicode CLDR). [`build`] renders every drawing and writes one
//! `tar.zst`. The same packages give the same bytes: members are sorted, carry no
//! time and no owner, and the quantiser draws no random numbers.

mod packages;
mod png64;
mod render;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::concept::{ConceptFile, FORMAT};
use super::{EmojiError, Style};
use crate::DataError;
use packages::Packages;

/// Width and height of every picture of the set, in pixels.
pub(super) const SIZE: u32 = 64;

/// The name of the text member of the packed set.
pub(super) const CONCEPTS_MEMBER: &str = "concepts.json";

/// zstd's level: slow to write, as fast to read as any other.
const ZSTD_LEVEL: i32 = 19;

/// What [`build`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildReport {
    /// How many concepts the set has.
    pub concepts: usize,
    /// How many pictures there are in each style.
    pub pictures: Vec<(Style, usize)>,
    /// Size of the packed set in bytes.
    pub bytes: u64,
}

/// The name of a picture's member of the packed set: `noto/1f436.png`.
pub(super) fn member_name(style: Style, id: &str) -> String {
    format!("{style}/{id}.png")
}

/// Builds the packed set `output` from the npm packages under
/// `packages/node_modules`.
///
/// `progress` is called after each picture with how many are done and how many
/// there are.
///
/// # Errors
/// [`DataError::Emoji`] where a package is missing or has another form, or the
/// file cannot be written. `output` is then left as it was.
pub fn build(
    packages: &Path,
    output: &Path,
    mut progress: impl FnMut(usize, usize),
) -> Result<BuildReport, DataError> {
    let packages = Packages::open(&packages.join("node_modules"))?;
    let (file, drawings) = packages.concepts()?;
    let json = serde_json::to_vec(&file).map_err(|e| at(output, EmojiError::Json(e)))?;

    let mut members = vec![(CONCEPTS_MEMBER.to_owned(), json)];
    let mut counts: Vec<_> = Style::ALL.iter().map(|&style| (style, 0)).collect();
    for (done, drawing) in drawings.iter().enumerate() {
        let pixels = render::render(&drawing.svg).map_err(|source| {
            let icon = drawing.icon.clone();
            let source = Box::new(source);
            at(output, EmojiError::Svg { icon, source })
        })?;
        let png = png64::encode(&pixels).map_err(|e| at(output, EmojiError::Png(e)))?;
        members.push((member_name(drawing.style, &drawing.concept), png));
        for (style, count) in &mut counts {
            *count += usize::from(*style == drawing.style);
        }
        progress(done + 1, drawings.len());
    }
    members.sort();
    let bytes = pack(&members, output).map_err(|e| at(output, EmojiError::Write(e)))?;
    Ok(BuildReport {
        concepts: file.concepts.len(),
        pictures: counts,
        bytes,
    })
}

/// Writes the members as `tar.zst`, first beside `output`, then in its place.
fn pack(members: &[(String, Vec<u8>)], output: &Path) -> std::io::Result<u64> {
    let partial = output.with_extension("partial");
    let mut encoder = zstd::Encoder::new(BufWriter::new(File::create(&partial)?), ZSTD_LEVEL)?;
    encoder.include_checksum(true)?;
    let mut archive = tar::Builder::new(encoder);
    for (name, data) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        archive.append_data(&mut header, name, data.as_slice())?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.get_ref().sync_all()?;
    std::fs::rename(&partial, output)?;
    Ok(std::fs::metadata(output)?.len())
}

fn at(path: &Path, source: EmojiError) -> DataError {
    DataError::Emoji {
        path: path.to_owned(),
        source,
    }
}
