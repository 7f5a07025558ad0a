//! The rules by which a safety checker judges similarities; plain numbers, no tensors.

use std::fmt;

use serde::Serialize;

/// Added to every later score once one of the special-care concepts is hit.
const ADJUSTMENT: f64 = 0.01;

/// Scores are rounded to 3 digits before they are compared with 0.
const DIGITS: f64 = 1e3;

/// How alike a picture may be to each of a set of concepts.
///
/// A concept is hit when `similarity − threshold`, rounded to 3 digits, is above 0. Hits of
/// special-care concepts refuse nothing by themselves: from the first one on, 0.01 is added to all
/// scores that follow, those of the remaining special-care concepts included.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ConceptRules {
    /// Largest similarity to each special-care concept (`special_care_embeds_weights`).
    pub special_care_thresholds: Vec<f32>,
    /// Largest similarity to each unwanted concept (`concept_embeds_weights`).
    pub concept_thresholds: Vec<f32>,
}

/// A concept that a picture is too much alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ConceptHit {
    /// Which one, from 0. The published checker does not name its concepts.
    pub index: usize,
    /// How far above the threshold, with the adjustment, rounded to 3 digits.
    pub score: f64,
}

/// What was found in one picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SafetyReport {
    /// The unwanted concepts that were hit: any of them flags the picture.
    pub concepts: Vec<ConceptHit>,
    /// The special-care concepts that were hit: they only make the check stricter.
    pub special_care: Vec<ConceptHit>,
    /// The scores of all unwanted concepts, rounded to 3 digits.
    pub concept_scores: Vec<f64>,
    /// The scores of all special-care concepts, rounded to 3 digits.
    pub special_care_scores: Vec<f64>,
}

impl ConceptRules {
    /// Judges one picture by its similarity to each special-care and each unwanted concept, of
    /// which there are as many as thresholds.
    pub(super) fn judge(&self, special_care: &[f32], concepts: &[f32]) -> SafetyReport {
        let mut adjustment = 0.0;
        let special_care_scores: Vec<f64> = special_care
            .iter()
            .zip(&self.special_care_thresholds)
            .map(|(&similarity, &threshold)| {
                let score = score(similarity, threshold, adjustment);
                if score > 0.0 {
                    adjustment = ADJUSTMENT;
                }
                score
            })
            .collect();
        let concept_scores: Vec<f64> = concepts
            .iter()
            .zip(&self.concept_thresholds)
            .map(|(&similarity, &threshold)| score(similarity, threshold, adjustment))
            .collect();
        SafetyReport {
            concepts: hits(&concept_scores),
            special_care: hits(&special_care_scores),
            concept_scores,
            special_care_scores,
        }
    }
}

impl SafetyReport {
    /// Whether the picture is to be refused.
    pub fn is_flagged(&self) -> bool {
        !self.concepts.is_empty()
    }

    /// Whether all scores are numbers; NaN is above no threshold.
    pub(super) fn is_sound(&self) -> bool {
        let mut scores = self.concept_scores.iter().chain(&self.special_care_scores);
        !scores.any(|score| score.is_nan())
    }
}

/// The reason for people, without the scores of what was not hit.
impl fmt::Display for SafetyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_flagged() {
            return write!(f, "the picture resembles no unwanted concept");
        }
        write!(f, "the picture resembles unwanted concepts: ")?;
        for (place, hit) in self.concepts.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}number {} by {:.3}", hit.index, hit.score)?;
        }
        match self.special_care.len() {
            0 => Ok(()),
            count => write!(
                f,
                " ({count} of the special-care concepts made the check stricter)"
            ),
        }
    }
}

fn score(similarity: f32, threshold: f32, adjustment: f64) -> f64 {
    let score = f64::from(similarity) - f64::from(threshold) + adjustment;
    (score * DIGITS).round_ties_even() / DIGITS
}

fn hits(scores: &[f64]) -> Vec<ConceptHit> {
    let scores = scores.iter().copied().enumerate();
    let hits = scores.filter(|&(_, score)| score > 0.0);
    hits.map(|(index, score)| ConceptHit { index, score })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> ConceptRules {
        ConceptRules {
            special_care_thresholds: vec![0.5, 0.5],
            concept_thresholds: vec![0.25, 0.75],
        }
    }

    #[test]
    fn a_score_counts_when_its_third_digit_does() {
        let flagged = |similarity| rules().judge(&[0.0, 0.0], &[similarity, 0.0]).is_flagged();
        assert!(!flagged(0.25));
        assert!(!flagged(0.250_4));
        assert!(flagged(0.250_6));
        // Half of the last digit rounds to even, which is 0: 2⁻¹¹ is below it, 2⁻¹⁰ above.
        assert!(!flagged(0.25 + 2.0_f32.powi(-11)));
        assert!(flagged(0.25 + 2.0_f32.powi(-10)));
    }

    #[test]
    fn special_care_makes_what_follows_stricter_and_flags_nothing() {
        let report = rules().judge(&[0.0, 0.625], &[0.242, 0.742]);
        assert_eq!(report.special_care_scores, [-0.5, 0.125]);
        let hit = |index, score| ConceptHit { index, score };
        assert_eq!(report.special_care, [hit(1, 0.125)]);
        assert_eq!(report.concepts, [hit(0, 0.002), hit(1, 0.002)]);
        assert!(!rules().judge(&[0.0, 0.0], &[0.242, 0.742]).is_flagged());
        assert!(!rules().judge(&[0.0, 0.625], &[0.2, 0.7]).is_flagged());
        // The first hit counts for the second special-care concept already.
        let report = rules().judge(&[0.625, 0.495], &[0.0, 0.0]);
        assert_eq!(report.special_care, [hit(0, 0.125), hit(1, 0.005)]);
    }

    #[test]
    fn the_reason_names_what_was_hit() {
        let text = rules().judge(&[0.625, 0.0], &[0.5, 0.0]).to_string();
        assert_eq!(
            text,
            "the picture resembles unwanted concepts: number 0 by 0.260 (1 of the special-care \
             concepts made the check stricter)"
        );
        let text = rules().judge(&[0.0, 0.0], &[0.0, 0.0]).to_string();
        assert_eq!(text, "the picture resembles no unwanted concept");
    }
}
