//! From parallel sentences to the report.

use std::collections::BTreeMap;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::{Alignment, AlignmentReport, LanguagePair, LayerAlignment};
use crate::{BoxError, TrainError};

/// A sentence in several languages: from a language's code to the text.
pub type ParallelRow = BTreeMap<String, String>;

/// The states of sentences in one layer.
#[derive(Debug, Clone)]
pub struct LayerStates<B: Backend> {
    /// What the layer is called in reports, such as `block 3`.
    pub layer: String,
    /// `[sentences, d_model]`
    pub states: Tensor<B, 2>,
}

/// A model that gives a vector for each sentence and layer.
pub trait SentenceStates<B: Backend> {
    /// The states of sentences, a layer at a time from the embeddings on; the layers are the same
    /// for all sentences.
    ///
    /// # Errors
    /// Any error ends the measurement.
    fn states(&self, sentences: &[&str]) -> Result<Vec<LayerStates<B>>, BoxError>;
}

/// Measures how close the states of parallel sentences are, for each pair of the languages.
///
/// A pair is measured on the rows that have both of its languages. The states of all sentences,
/// languages and layers are held at the same time.
///
/// # Errors
/// [`TrainError::FewSentences`] when two languages share fewer than two rows, before the model is
/// asked; [`TrainError::States`] when the model fails.
pub fn measure_alignment<B: Backend>(
    model: &impl SentenceStates<B>,
    rows: &[ParallelRow],
    languages: &[&str],
) -> Result<AlignmentReport, TrainError> {
    let mut shared = Vec::new();
    for (index, &first) in languages.iter().enumerate() {
        for &second in &languages[index + 1..] {
            let has_both = |row: &ParallelRow| row.contains_key(first) && row.contains_key(second);
            let rows: Vec<_> = (0..rows.len()).filter(|&i| has_both(&rows[i])).collect();
            if rows.len() < 2 {
                return Err(TrainError::FewSentences {
                    first: first.to_owned(),
                    second: second.to_owned(),
                    found: rows.len(),
                });
            }
            shared.push((first, second, rows));
        }
    }
    let mut states = BTreeMap::new();
    for &language in languages {
        states.insert(language, LanguageStates::of(model, rows, language)?);
    }
    let pairs = shared.into_iter().map(|(first, second, rows)| {
        let layers = states[first].rows(&rows).zip(states[second].rows(&rows));
        let layers = layers.map(|((layer, one), (_, other))| {
            Ok(LayerAlignment {
                layer: layer.to_owned(),
                raw: Alignment::of(one.clone(), other.clone())?,
                centred: Alignment::of_centred(one, other)?,
            })
        });
        Ok(LanguagePair {
            first: first.to_owned(),
            second: second.to_owned(),
            sentences: rows.len(),
            layers: layers.collect::<Result<_, TrainError>>()?,
        })
    });
    Ok(AlignmentReport {
        pairs: pairs.collect::<Result<_, TrainError>>()?,
    })
}

/// The states of the rows that have a language.
struct LanguageStates<B: Backend> {
    /// From the row to its place among them.
    places: BTreeMap<usize, usize>,
    layers: Vec<LayerStates<B>>,
}

impl<B: Backend> LanguageStates<B> {
    fn of(
        model: &impl SentenceStates<B>,
        rows: &[ParallelRow],
        language: &str,
    ) -> Result<Self, TrainError> {
        let (mut places, mut sentences) = (BTreeMap::new(), Vec::new());
        for (index, row) in rows.iter().enumerate() {
            if let Some(sentence) = row.get(language) {
                places.insert(index, sentences.len());
                sentences.push(sentence.as_str());
            }
        }
        let layers = model.states(&sentences).map_err(TrainError::States)?;
        Ok(Self { places, layers })
    }

    /// The layers' names and states of some rows.
    fn rows(&self, rows: &[usize]) -> impl Iterator<Item = (&str, Tensor<B, 2>)> {
        let places: Vec<_> = rows.iter().map(|row| self.places[row] as i64).collect();
        self.layers.iter().map(move |layer| {
            let device = layer.states.device();
            let places = Tensor::<B, 1, Int>::from_ints(places.as_slice(), &device);
            (layer.layer.as_str(), layer.states.clone().select(0, places))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use burn::backend::Flex;
    use burn::tensor::TensorData;

    use super::*;

    /// Knows the meaning of a sentence from its number, in the second layer only.
    struct Numbers;

    impl SentenceStates<Flex> for Numbers {
        fn states(&self, sentences: &[&str]) -> Result<Vec<LayerStates<Flex>>, BoxError> {
            let mut values = Vec::new();
            for sentence in sentences {
                let number: f32 = sentence.split(' ').next_back().unwrap_or("").parse()?;
                values.extend([number.cos(), number.sin()]);
            }
            let shape = [sentences.len(), 2];
            let states = Tensor::from_data(TensorData::new(values, shape), &Default::default());
            let layer = |name: &str, states| LayerStates {
                layer: name.to_owned(),
                states,
            };
            let blind = Tensor::ones(shape, &Default::default());
            Ok(vec![layer("embeddings", blind), layer("block 1", states)])
        }
    }

    fn row(texts: &[(&str, &str)]) -> ParallelRow {
        let owned = |&(language, text): &(&str, &str)| (language.to_owned(), text.to_owned());
        texts.iter().map(owned).collect()
    }

    #[test]
    fn each_pair_is_measured_on_the_rows_that_it_shares() {
        let rows = [
            row(&[("en", "one 1"), ("zh", "一 1"), ("de", "eins 1")]),
            row(&[("en", "two 2"), ("de", "zwei 2")]),
            row(&[("zh", "三 3"), ("de", "drei 3")]),
            row(&[("en", "four 4"), ("zh", "四 4"), ("de", "vier 4")]),
        ];
        let report = measure_alignment(&Numbers, &rows, &["en", "zh", "de"]).unwrap();
        let sizes: Vec<_> = report
            .pairs
            .iter()
            .map(|pair| (pair.first.as_str(), pair.second.as_str(), pair.sentences))
            .collect();
        assert_eq!(sizes, [("en", "zh", 2), ("en", "de", 3), ("zh", "de", 3)]);
        for pair in &report.pairs {
            assert_eq!(pair.layers[0].layer, "embeddings");
            let chance = 1.0 / pair.sentences as f64;
            assert!((pair.layers[0].raw.accuracy() - chance).abs() < 1e-6);
            assert_eq!(pair.layers[1].raw.accuracy(), 1.0);
            assert_eq!(pair.best().unwrap().layer, "block 1");
        }
    }

    #[test]
    fn languages_without_shared_rows_and_failing_models_are_errors() {
        let rows = [row(&[("en", "a"), ("zh", "b")]), row(&[("en", "c")])];
        let error = measure_alignment(&Numbers, &rows, &["en", "zh"]).unwrap_err();
        assert!(error.to_string().contains("share 1"), "{error}");
        let rows = [rows[0].clone(), rows[0].clone()];
        let error = measure_alignment(&Numbers, &rows, &["en", "zh"]).unwrap_err();
        assert!(matches!(error, TrainError::States(_)), "{error}");
    }
}
