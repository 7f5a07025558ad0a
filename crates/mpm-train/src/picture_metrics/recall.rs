//! How often what is looked for is among the first `k`.

use super::PictureMetricError;

/// Cosines that are nearer than this are equal: the product of the same embeddings in f32 depends on
/// where they stand in a matrix, in its last digits.
const TIE: f32 = 1e-6;

/// Recall at any `k`, from the places at which queries find what they look for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recall {
    places: Vec<Place>,
}

/// Where a query finds the best of what it looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Wrong candidates before it.
    better: usize,
    /// Wrong candidates that are as near.
    wrong: usize,
    /// Right candidates that are as near, itself included.
    right: usize,
}

impl Recall {
    /// The part of the queries that find something right among their `k` nearest candidates,
    /// `0.0..=1.0`. Candidates that are equally near are in random order, so that embeddings that
    /// are all the same are at chance.
    ///
    /// # Errors
    /// [`PictureMetricError::Empty`] before the first query.
    pub fn at(&self, k: usize) -> Result<f64, PictureMetricError> {
        match self.places.len() {
            0 => Err(PictureMetricError::Empty),
            count => Ok(self.hits(k) / count as f64),
        }
    }

    /// How many queries there are.
    pub fn queries(&self) -> usize {
        self.places.len()
    }

    /// How many queries find something right among their `k` nearest candidates, as
    /// [`at`](Self::at) counts them.
    pub(crate) fn hits(&self, k: usize) -> f64 {
        self.places.iter().map(|place| place.hit(k)).sum()
    }

    /// Adds a query by its cosines with all candidates, of which at least one `is_right`.
    pub(crate) fn add(&mut self, cosines: &[f32], is_right: impl Fn(usize) -> bool) {
        let right = |&(candidate, _): &(usize, &f32)| is_right(candidate);
        let rights = cosines.iter().enumerate().filter(right);
        let best = rights.fold(f32::NEG_INFINITY, |best, (_, &cosine)| best.max(cosine));
        let mut place = Place {
            better: 0,
            wrong: 0,
            right: 0,
        };
        for (candidate, cosine) in cosines.iter().enumerate() {
            let tied = (cosine - best).abs() < TIE;
            match (tied, is_right(candidate)) {
                (true, true) => place.right += 1,
                (true, false) => place.wrong += 1,
                (false, _) => place.better += usize::from(*cosine > best),
            }
        }
        self.places.push(place);
    }
}

impl Place {
    /// The chance that one of the right candidates is among the first `k`.
    fn hit(self, k: usize) -> f64 {
        let draws = k.saturating_sub(self.better);
        // That all draws are wrong, without putting back.
        let missed: f64 = (0..draws.min(self.wrong + 1))
            .map(|drawn| {
                let wrong = (self.wrong - drawn) as f64;
                wrong / (wrong + self.right as f64)
            })
            .product();
        1.0 - missed
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn recall(cosines: &[f32], right: &[usize]) -> impl Fn(usize) -> f64 {
        let mut recall = Recall::default();
        recall.add(cosines, |candidate| right.contains(&candidate));
        move |k| recall.at(k).unwrap()
    }

    #[test]
    fn a_right_candidate_counts_from_its_place_on() {
        let second = recall(&[0.5, 0.9, -0.2], &[0]);
        assert_eq!([0, 1, 2, 3, 9].map(second), [0.0, 0.0, 1.0, 1.0, 1.0]);
        // The best of several counts.
        let first = recall(&[0.5, 0.9, -0.2], &[2, 1]);
        assert_eq!([0, 1, 2].map(first), [0.0, 1.0, 1.0]);
    }

    #[test]
    fn equal_candidates_share_the_hit() {
        let quarter = recall(&[0.3; 4], &[2]);
        for k in 0..=4 {
            assert!((quarter(k) - k as f64 / 4.0).abs() < 1e-12);
        }
        // Behind one that is better, two of three equal ones are right: 2/3, then all.
        let behind = recall(&[0.9, 0.3, 0.3, 0.3], &[1, 3]);
        for (k, expected) in [(1, 0.0), (2, 2.0 / 3.0), (3, 1.0), (4, 1.0)] {
            assert!((behind(k) - expected).abs() < 1e-12, "{k}");
        }
    }

    #[test]
    fn there_is_no_recall_of_nothing() {
        assert!(matches!(
            Recall::default().at(1),
            Err(PictureMetricError::Empty)
        ));
    }
}
