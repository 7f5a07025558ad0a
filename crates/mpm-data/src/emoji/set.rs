//! Reads the packed set.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use image::{ImageFormat, RgbaImage};

use super::build::{CONCEPTS_MEMBER, SIZE, member_name};
use super::concept::{ConceptFile, FORMAT};
use super::scene::{Placed, Scene};
use super::split::{Split, Splits};
use super::{Category, Concept, EmojiError, Language, Naming, Style};
use crate::DataError;
use crate::picture::Picture;

/// The largest packed set that is read, unpacked: ten times the published one.
///
/// A larger file is not this set, and must not fill the memory.
pub const MAX_UNPACKED_BYTES: u64 = 100 << 20;

/// The emoji picture-text set.
///
/// The compressed pictures are held in memory (about 6 MB) and decoded when
/// asked for, which takes some 20 µs each. Concepts are numbered from 0 in
/// emojibase's order.
#[derive(Clone, Debug)]
pub struct EmojiSet {
    path: PathBuf,
    concepts: Vec<Concept>,
    labels: HashMap<(Language, String), String>,
    pictures: HashMap<(usize, Style), Vec<u8>>,
    naming: Naming,
    splits: Splits,
}

impl EmojiSet {
    /// Reads the packed set `emoji.tar.zst`.
    ///
    /// # Errors
    /// [`DataError::Emoji`] where the file cannot be read, is damaged, or has
    /// another format.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        read(path).map_err(|source| DataError::Emoji {
            path: path.to_owned(),
            source,
        })
    }

    /// The concepts; their place in this slice is the number that names them
    /// in every other method.
    #[must_use]
    pub fn concepts(&self) -> &[Concept] {
        &self.concepts
    }

    /// The number of the concept with this id (`"1f436"`).
    #[must_use]
    pub fn find(&self, id: &str) -> Option<usize> {
        self.concepts.iter().position(|concept| concept.id == id)
    }

    /// The (concept, style) pairs that there is a picture of, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, Style)> {
        self.concepts
            .iter()
            .enumerate()
            .flat_map(|(index, concept)| concept.styles.iter().map(move |&style| (index, style)))
    }

    /// CLDR's word for a category, where CLDR has one.
    #[must_use]
    pub fn category_label(&self, category: Category, language: Language) -> Option<&str> {
        let key = (language, category.cldr_label()?.to_owned());
        self.labels.get(&key).map(String::as_str)
    }

    /// The cleaned names.
    #[must_use]
    pub fn naming(&self) -> &Naming {
        &self.naming
    }

    /// Gives things other names in a language, by their English ones, as a machine
    /// translation would: [`Tasks`](super::Tasks) then asks and answers with them. CLDR's
    /// keywords in that language go, for the same translation would have to give them.
    /// Things that are not mentioned keep their names.
    pub fn rename(&mut self, language: Language, names: &HashMap<String, String>) {
        self.naming.rename(language, names);
        for concept in &mut self.concepts {
            if let Some(texts) = concept.texts.get_mut(&language) {
                texts.keywords.clear();
            }
        }
    }

    /// Which part of the set a (concept, style) pair belongs to.
    ///
    /// The answer is about the drawing, also for pairs that have no picture.
    ///
    /// # Errors
    /// [`EmojiError::NoSuchConcept`].
    pub fn split(&self, concept: usize, style: Style) -> Result<Split, DataError> {
        self.concept(concept).map_err(|e| self.error(e))?;
        Ok(self.splits.of(concept, style))
    }

    /// The picture of a concept, 64 pixels wide and high, on a plain ground.
    ///
    /// # Errors
    /// [`EmojiError::NoSuchConcept`], [`EmojiError::NoSuchPicture`], or
    /// [`EmojiError::BrokenPicture`] where the packed set is damaged.
    pub fn picture(
        &self,
        concept: usize,
        style: Style,
        ground: [u8; 3],
    ) -> Result<Picture, DataError> {
        let whole = Placed {
            concept,
            style,
            x: 0,
            y: 0,
            size: SIZE,
        };
        self.compose(&Scene {
            ground,
            emoji: vec![whole],
        })
    }

    /// Draws a scene: 64 x 64 pixels, RGB.
    ///
    /// # Errors
    /// As [`picture`](Self::picture), and [`EmojiError::OffTheGround`].
    pub fn compose(&self, scene: &Scene) -> Result<Picture, DataError> {
        scene
            .draw(|placed| self.drawing(placed.concept, placed.style))
            .map_err(|e| self.error(e))
    }

    /// Decodes one drawing, with its transparent ground.
    fn drawing(&self, concept: usize, style: Style) -> Result<RgbaImage, EmojiError> {
        let id = &self.concept(concept)?.id;
        let Some(png) = self.pictures.get(&(concept, style)) else {
            let concept = id.clone();
            return Err(EmojiError::NoSuchPicture { concept, style });
        };
        let decoded = image::load_from_memory_with_format(png, ImageFormat::Png)
            .map_err(|source| EmojiError::BrokenPicture {
                member: member_name(style, id),
                source,
            })?
            .into_rgba8();
        if decoded.dimensions() != (SIZE, SIZE) {
            let (width, height) = decoded.dimensions();
            return Err(EmojiError::Damaged(format!(
                "{} has {width} x {height} pixels",
                member_name(style, id)
            )));
        }
        Ok(decoded)
    }

    fn concept(&self, index: usize) -> Result<&Concept, EmojiError> {
        let count = self.concepts.len();
        self.concepts
            .get(index)
            .ok_or(EmojiError::NoSuchConcept { index, count })
    }

    /// An error about this set.
    pub(super) fn error(&self, source: EmojiError) -> DataError {
        DataError::Emoji {
            path: self.path.clone(),
            source,
        }
    }
}

/// Reads all members and checks that words and pictures belong together.
fn read(path: &Path) -> Result<EmojiSet, EmojiError> {
    let file = BufReader::new(File::open(path).map_err(EmojiError::Read)?);
    let decoder = zstd::Decoder::new(file).map_err(EmojiError::Read)?;
    let mut archive = tar::Archive::new(decoder.take(MAX_UNPACKED_BYTES));
    let mut members = HashMap::new();
    for entry in archive.entries().map_err(EmojiError::Read)? {
        let mut entry = entry.map_err(EmojiError::Read)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut data = Vec::new();
        entry.read_to_end(&mut data).map_err(EmojiError::Read)?;
        members.insert(name, data);
    }
    let json = members
        .remove(CONCEPTS_MEMBER)
        .ok_or_else(|| EmojiError::Damaged(format!("no {CONCEPTS_MEMBER}")))?;
    let file: ConceptFile = serde_json::from_slice(&json).map_err(EmojiError::Json)?;
    if file.format != FORMAT {
        let (found, known) = (file.format, FORMAT);
        return Err(EmojiError::Format { found, known });
    }
    let mut pictures = HashMap::new();
    for (index, concept) in file.concepts.iter().enumerate() {
        if let Some(missing) = Language::ALL
            .iter()
            .find(|language| !concept.texts.contains_key(language))
        {
            let id = &concept.id;
            return Err(EmojiError::Damaged(format!(
                "{id} has no name in {missing}"
            )));
        }
        for &style in &concept.styles {
            let name = member_name(style, &concept.id);
            let png = members
                .remove(&name)
                .ok_or_else(|| EmojiError::Damaged(format!("no {name}")))?;
            pictures.insert((index, style), png);
        }
    }
    if let Some(name) = members.into_keys().next() {
        return Err(EmojiError::Damaged(format!("unknown member {name}")));
    }
    let naming = Naming::new(&file.concepts);
    let splits = Splits::new(&file.concepts, &naming);
    let labels = file
        .labels
        .into_iter()
        .flat_map(|(language, labels)| {
            labels
                .into_iter()
                .map(move |(key, label)| ((language, key), label))
        })
        .collect();
    Ok(EmojiSet {
        path: path.to_owned(),
        concepts: file.concepts,
        labels,
        pictures,
        naming,
        splits,
    })
}
