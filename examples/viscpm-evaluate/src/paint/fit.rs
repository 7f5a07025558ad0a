//! How well pictures fit their prompts, by language.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    num::NonZeroUsize,
    path::PathBuf,
};

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_train::picture_metrics::{ClipScore, PictureMetricError, Recall, Retrieval};
use serde::Serialize;

use super::{ClipModel, PictureSet};
use crate::{EvaluateError, table::Table};

/// Among how many of the nearest a hit counts.
pub const FIRST: [usize; 3] = [1, 5, 10];

/// The figures of the prompts in one language.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitRow {
    /// Of the prompts, ISO 639-1.
    pub language: String,
    /// Prompts, each with its picture.
    pub prompts: usize,
    /// Different pictures.
    pub pictures: usize,
    /// Mean of `max(100 · cos, 0)`.
    pub clip_score: f64,
    /// How often a prompt finds its picture among the nearest [`FIRST`], `0.0..=1.0`.
    pub text_to_picture: [f64; 3],
    /// How often a picture finds one of its prompts, `0.0..=1.0`.
    pub picture_to_text: [f64; 3],
}

/// The figures by language.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct FitReport {
    /// By language.
    pub rows: Vec<FitRow>,
}

/// Embeds all pictures and prompts, `batch` at a time, and compares those of each language.
///
/// # Errors
/// [`EvaluateError::Line`] for a picture that cannot be read, and those of the model and the metrics.
pub fn measure_fit<B: MpmBackend>(
    set: &PictureSet,
    model: &ClipModel<B>,
    batch: NonZeroUsize,
    device: &B::Device,
) -> Result<FitReport, EvaluateError> {
    let embedded = Embedded::new(set, model, batch, device)?;
    let mut languages: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, entry) in set.entries.iter().enumerate() {
        languages.entry(&entry.language).or_default().push(number);
    }
    let rows = languages
        .into_iter()
        .map(|(language, numbers)| embedded.row(language, &numbers));
    let rows = rows.collect::<Result<_, _>>()?;
    Ok(FitReport { rows })
}

/// All embeddings.
struct Embedded<B: Backend> {
    /// `[pictures, width]`, each picture once.
    pictures: Tensor<B, 2>,
    /// `[prompts, width]`
    texts: Tensor<B, 2>,
    /// The picture of each prompt.
    owners: Vec<usize>,
}

impl<B: MpmBackend> Embedded<B> {
    fn new(
        set: &PictureSet,
        model: &ClipModel<B>,
        batch: NonZeroUsize,
        device: &B::Device,
    ) -> Result<Self, EvaluateError> {
        let mut numbers: HashMap<&PathBuf, usize> = HashMap::new();
        let (mut owners, mut first) = (Vec::new(), Vec::new());
        for entry in &set.entries {
            let next = numbers.len();
            let number = *numbers.entry(&entry.image).or_insert(next);
            if number == next {
                first.push(entry);
            }
            owners.push(number);
        }
        let (mut pictures, mut texts) = (Vec::new(), Vec::new());
        for entries in first.chunks(batch.get()) {
            let decoded = entries.iter().map(|entry| {
                let picture = Picture::open(set.path(entry));
                picture.map_err(|error| set.line_error(entry.line, error.into()))
            });
            let decoded = decoded.collect::<Result<Vec<_>, _>>()?;
            pictures.push(model.embed_pictures(&decoded, device)?);
        }
        for entries in set.entries.chunks(batch.get()) {
            let prompts: Vec<&str> = entries.iter().map(|entry| &*entry.prompt).collect();
            texts.push(model.embed_texts(&prompts)?);
        }
        Ok(Self {
            pictures: Tensor::cat(pictures, 0),
            texts: Tensor::cat(texts, 0),
            owners,
        })
    }

    /// The figures of some of the prompts, by their numbers.
    fn row(&self, language: &str, numbers: &[usize]) -> Result<FitRow, PictureMetricError> {
        let pair_pictures: Vec<usize> = numbers.iter().map(|&number| self.owners[number]).collect();
        // The pictures of these prompts only, numbered anew.
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        for &picture in &pair_pictures {
            let next = places.len();
            places.entry(picture).or_insert(next);
        }
        let mut distinct: Vec<usize> = places.keys().copied().collect();
        distinct.sort_by_key(|picture| places[picture]);
        let owners: Vec<usize> = pair_pictures
            .iter()
            .map(|picture| places[picture])
            .collect();

        let texts = rows(&self.texts, numbers);
        let mut score = ClipScore::new();
        score.add(rows(&self.pictures, &pair_pictures), texts.clone())?;
        let retrieval = Retrieval::of_owned(rows(&self.pictures, &distinct), texts, &owners)?;
        Ok(FitRow {
            language: language.to_owned(),
            prompts: numbers.len(),
            pictures: distinct.len(),
            clip_score: score.mean().ok_or(PictureMetricError::Empty)?,
            text_to_picture: recalls(&retrieval.text_to_picture)?,
            picture_to_text: recalls(&retrieval.picture_to_text)?,
        })
    }
}

/// Some rows of a matrix, in any order.
fn rows<B: Backend>(matrix: &Tensor<B, 2>, numbers: &[usize]) -> Tensor<B, 2> {
    let indices: Vec<i64> = numbers.iter().map(|&number| number as i64).collect();
    let indices = TensorData::new(indices, [numbers.len()]);
    let indices = Tensor::<B, 1, Int>::from_data(indices, &matrix.device());
    matrix.clone().select(0, indices)
}

fn recalls(recall: &Recall) -> Result<[f64; 3], PictureMetricError> {
    let mut parts = [0.0; 3];
    for (part, first) in parts.iter_mut().zip(FIRST) {
        *part = recall.at(first)?;
    }
    Ok(parts)
}

impl fmt::Display for FitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = || self.rows.iter();
        let mut table = Table::default();
        table.names("language", rows().map(|row| row.language.clone()));
        table.numbers("prompts", rows().map(|row| Some(row.prompts.to_string())));
        table.numbers("pictures", rows().map(|row| Some(row.pictures.to_string())));
        let score = |row: &FitRow| Some(format!("{:.2}", row.clip_score));
        table.numbers("CLIP score", rows().map(score));
        let percent = |part: f64| Some(format!("{:.1} %", 100.0 * part));
        let headings = [
            ["text→picture R@1", "R@5", "R@10"],
            ["picture→text R@1", "R@5", "R@10"],
        ];
        for (direction, headings) in headings.into_iter().enumerate() {
            for (place, heading) in headings.into_iter().enumerate() {
                table.numbers(
                    heading,
                    rows().map(|row| {
                        let both = [&row.text_to_picture, &row.picture_to_text];
                        percent(both[direction][place])
                    }),
                );
            }
        }
        write!(f, "{table}")
    }
}
