//! Runs of words.

use std::collections::BTreeMap;

/// The longest runs that BLEU-4 and CIDEr count.
pub(super) const MAX_ORDER: usize = 4;

/// How often each run of 1 to 4 words occurs in a text, by the length of the run.
#[derive(Debug, Default)]
pub(super) struct Ngrams<'a> {
    pub counts: [BTreeMap<&'a [String], usize>; MAX_ORDER],
}

impl<'a> Ngrams<'a> {
    pub fn new(words: &'a [String]) -> Self {
        let mut ngrams = Self::default();
        for (order, counts) in (1..).zip(&mut ngrams.counts) {
            for run in words.windows(order) {
                *counts.entry(run).or_default() += 1;
            }
        }
        ngrams
    }

    /// The runs that any of the texts has, each as often as the text that has it most often.
    pub fn most_of(texts: &'a [Vec<String>]) -> Self {
        let mut most = Self::default();
        for text in texts {
            for (most, counts) in most.counts.iter_mut().zip(Self::new(text).counts) {
                for (run, count) in counts {
                    let most = most.entry(run).or_default();
                    *most = count.max(*most);
                }
            }
        }
        most
    }
}
