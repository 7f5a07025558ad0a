//! What was measured, for people and for files.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Alignment;

/// The alignment of each pair of languages; its [`Display`](fmt::Display) is a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignmentReport {
    /// In the order of the languages.
    pub pairs: Vec<LanguagePair>,
}

/// The alignment of two languages, by layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguagePair {
    /// Code of the first language.
    pub first: String,
    /// Code of the second language.
    pub second: String,
    /// Number of sentences; one over it is the accuracy by chance.
    pub sentences: usize,
    /// From the embeddings on.
    pub layers: Vec<LayerAlignment>,
}

/// The alignment of two languages in one layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerAlignment {
    /// What the layer is called.
    pub layer: String,
    /// Of the states as they are.
    pub raw: Alignment,
    /// Of the states without the mean of their language.
    pub centred: Alignment,
}

impl LanguagePair {
    /// The layer with the highest centred accuracy, the first of equals.
    pub fn best(&self) -> Option<&LayerAlignment> {
        let accuracy = |layer: &LayerAlignment| layer.centred.accuracy();
        self.layers
            .iter()
            .rev()
            .max_by(|one, other| accuracy(one).total_cmp(&accuracy(other)))
    }

    /// The part of the sentences that would be found by chance.
    pub fn chance(&self) -> f64 {
        1.0 / self.sentences.max(1) as f64
    }
}

impl fmt::Display for AlignmentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pair) in self.pairs.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{pair}")?;
        }
        Ok(())
    }
}

impl fmt::Display for LanguagePair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.layers.iter().map(|layer| layer.layer.chars().count());
        let width = names.max().unwrap_or(0).max("layer".len());
        writeln!(
            f,
            "{} and {}, {} sentences, found by chance: {:.1}%",
            self.first,
            self.second,
            self.sentences,
            100.0 * self.chance()
        )?;
        let figures = format!(
            "{:>7} {:>7} {:>7} {:>7} {:>7}",
            "found", "back", "cosine", "others", "margin"
        );
        writeln!(
            f,
            "{:<width$} | {:^39} | {:^39}",
            "", "as they are", "centred"
        )?;
        writeln!(f, "{:<width$} | {figures} | {figures}", "layer")?;
        for layer in &self.layers {
            write!(f, "{:<width$}", layer.layer)?;
            for alignment in [layer.raw, layer.centred] {
                write!(
                    f,
                    " | {:>6.1}% {:>6.1}% {:>7.3} {:>7.3} {:>7.3}",
                    100.0 * alignment.forward_accuracy,
                    100.0 * alignment.backward_accuracy,
                    alignment.cosine,
                    alignment.cosine_of_others,
                    alignment.margin
                )?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn layer(name: &str, accuracy: f64) -> LayerAlignment {
        let alignment = Alignment {
            cosine: 0.75,
            cosine_of_others: 0.5,
            forward_accuracy: accuracy,
            backward_accuracy: accuracy,
            margin: -0.125,
        };
        LayerAlignment {
            layer: name.to_owned(),
            raw: alignment,
            centred: alignment,
        }
    }

    fn report() -> AlignmentReport {
        let layers = [("embeddings", 0.25), ("block 1", 0.5), ("block 2", 0.5)];
        let layers = layers.map(|(name, accuracy)| layer(name, accuracy));
        AlignmentReport {
            pairs: vec![LanguagePair {
                first: "en".to_owned(),
                second: "zh".to_owned(),
                sentences: 40,
                layers: layers.to_vec(),
            }],
        }
    }

    #[test]
    fn the_table_has_a_line_for_each_layer() {
        let table = report().to_string();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "en and zh, 40 sentences, found by chance: 2.5%");
        assert_eq!(lines.len(), 6);
        let figures = "  50.0%   50.0%   0.750   0.500  -0.125";
        assert_eq!(lines[4], format!("block 1    | {figures} | {figures}"));
        assert!(lines[2..].iter().all(|line| line.len() == lines[2].len()));
    }

    #[test]
    fn the_best_layer_is_the_first_of_equals() {
        let report = report();
        assert_eq!(report.pairs[0].best().unwrap().layer, "block 1");
    }

    #[test]
    fn a_report_comes_back_from_json() {
        let text = serde_json::to_string(&report()).unwrap();
        let read: AlignmentReport = serde_json::from_str(&text).unwrap();
        assert_eq!(read, report());
    }
}
