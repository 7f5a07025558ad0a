//! Greedy decoding and sampling of one token.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    logits::{Scored, best, by_score},
    params::Sampling,
};

/// Picks one token from log probabilities.
#[derive(Debug, Clone)]
pub(super) enum Picker {
    /// The likeliest.
    Greedy,
    /// A random one.
    Sample(Sampling, Box<ChaCha8Rng>),
}

impl Picker {
    /// Draws with the random numbers of a seed.
    pub fn sample(sampling: &Sampling) -> Self {
        let random = Box::new(ChaCha8Rng::seed_from_u64(sampling.seed));
        Self::Sample(sampling.clone(), random)
    }

    /// The token and its log probability before any restriction.
    pub fn pick(&mut self, log_probs: &[f32]) -> Option<Scored> {
        match self {
            Self::Greedy => best(log_probs, 1).first().copied(),
            Self::Sample(sampling, random) => {
                // 53 bits: a number in [0, 1).
                let uniform = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
                draw(restrict(log_probs, sampling), uniform)
            }
        }
    }
}

/// The tokens that may be drawn, likeliest first: top-k, then top-p, then min-p.
///
/// Top-p and min-p look at the probabilities among the tokens that top-k leaves.
fn restrict(log_probs: &[f32], sampling: &Sampling) -> Vec<Scored> {
    let mut tokens: Vec<Scored> = log_probs
        .iter()
        .enumerate()
        .map(|(token, &score)| Scored {
            token: token as i32,
            score,
        })
        .collect();
    if let Some(top_k) = sampling.top_k.filter(|&top_k| top_k < tokens.len()) {
        tokens.select_nth_unstable_by(top_k - 1, by_score);
        tokens.truncate(top_k);
    }
    tokens.sort_unstable_by(by_score);

    let total: f64 = tokens.iter().map(probability).sum();
    let mut reached = 0.0;
    let enough = tokens.iter().position(|token| {
        reached += probability(token);
        reached >= sampling.top_p * total
    });
    tokens.truncate(enough.map_or(tokens.len(), |last| last + 1));

    if let Some(likeliest) = tokens.first().map(probability) {
        let threshold = sampling.min_p * likeliest;
        let kept = tokens.partition_point(|token| probability(token) >= threshold);
        tokens.truncate(kept);
    }
    tokens
}

/// The token at which the cumulated probability passes `uniform`.
fn draw(tokens: Vec<Scored>, uniform: f64) -> Option<Scored> {
    let total: f64 = tokens.iter().map(probability).sum();
    let mut left = uniform * total;
    let drawn = tokens.iter().find(|token| {
        left -= probability(token);
        left < 0.0
    });
    // Rounding may leave nothing: then it is the last one.
    drawn.or(tokens.last()).copied()
}

fn probability(token: &Scored) -> f64 {
    f64::from(token.score).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities 0.1, 0.4, 0.3, 0.2.
    fn log_probs() -> Vec<f32> {
        [0.1_f32, 0.4, 0.3, 0.2].iter().map(|p| p.ln()).collect()
    }

    fn allowed(sampling: Sampling) -> Vec<i32> {
        let tokens = restrict(&log_probs(), &sampling);
        tokens.iter().map(|scored| scored.token).collect()
    }

    #[test]
    fn restrictions_keep_the_likeliest() {
        let all = Sampling::default();
        assert_eq!(allowed(all.clone()), [1, 2, 3, 0]);
        assert_eq!(
            allowed(Sampling {
                top_k: Some(2),
                ..all.clone()
            }),
            [1, 2]
        );
        assert_eq!(
            allowed(Sampling {
                top_k: Some(9),
                ..all.clone()
            }),
            [1, 2, 3, 0]
        );
        assert_eq!(
            allowed(Sampling {
                top_p: 0.5,
                ..all.clone()
            }),
            [1, 2]
        );
        assert_eq!(
            allowed(Sampling {
                top_p: 1e-9,
                ..all.clone()
            }),
            [1]
        );
        assert_eq!(
            allowed(Sampling {
                min_p: 0.45,
                ..all.clone()
            }),
            [1, 2, 3]
        );
        assert_eq!(allowed(Sampling { min_p: 1.0, ..all }), [1]);
    }

    #[test]
    fn top_p_counts_among_the_top_k() {
        // Of 0.4 and 0.3, the first has 57 %.
        let sampling = Sampling {
            top_k: Some(2),
            top_p: 0.55,
            ..Sampling::default()
        };
        assert_eq!(allowed(sampling), [1]);
    }

    #[test]
    fn tokens_are_drawn_as_often_as_their_probability_says() {
        let mut picker = Picker::sample(&Sampling::default());
        let mut counts = [0_u32; 4];
        for _ in 0..10_000 {
            let token = picker.pick(&log_probs()).expect("there are tokens").token;
            counts[token as usize] += 1;
        }
        for (count, probability) in counts.into_iter().zip([0.1, 0.4, 0.3, 0.2]) {
            // Five standard deviations of a binomial, at most 50 each.
            assert!(
                (f64::from(count) - 10_000.0 * probability).abs() < 250.0,
                "{counts:?}"
            );
        }
    }

    #[test]
    fn a_seed_repeats_its_tokens() {
        let tokens = |seed| {
            let mut picker = Picker::sample(&Sampling {
                seed,
                ..Sampling::default()
            });
            let pick = |_| picker.pick(&log_probs()).expect("there are tokens").token;
            (0..50).map(pick).collect::<Vec<i32>>()
        };
        assert_eq!(tokens(1), tokens(1));
        assert_ne!(tokens(1), tokens(2));
    }
}
