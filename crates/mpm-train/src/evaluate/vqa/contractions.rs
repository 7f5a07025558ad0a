//! English contractions, with their apostrophes.

use std::{collections::HashMap, sync::LazyLock};

/// The contractions that VQA knows. It finds each of them where one apostrophe is missing.
const CONTRACTIONS: &[&str] = &[
    "'ow's'at",
    "'twas",
    "ain't",
    "aren't",
    "can't",
    "could've",
    "couldn't",
    "couldn't've",
    "didn't",
    "doesn't",
    "don't",
    "hadn't",
    "hadn't've",
    "hasn't",
    "haven't",
    "he'd",
    "he'd've",
    "he's",
    "how'd",
    "how'll",
    "how's",
    "isn't",
    "it'd",
    "it'd've",
    "it'll",
    "ma'am",
    "might've",
    "mightn't",
    "mightn't've",
    "must've",
    "mustn't",
    "needn't",
    "not've",
    "o'clock",
    "oughtn't",
    "shan't",
    "she'd've",
    "should've",
    "shouldn't",
    "shouldn't've",
    "somebody'd've",
    "somebody'll",
    "somebody's",
    "someone'd",
    "someone'd've",
    "someone'll",
    "someone's",
    "something'd",
    "something'd've",
    "something'll",
    "that's",
    "there'd",
    "there'd've",
    "there're",
    "there's",
    "they'd",
    "they'd've",
    "they'll",
    "they're",
    "they've",
    "wasn't",
    "we'd've",
    "we've",
    "weren't",
    "what'll",
    "what're",
    "what's",
    "what've",
    "when's",
    "where'd",
    "where's",
    "where've",
    "who'd",
    "who'd've",
    "who'll",
    "who's",
    "who've",
    "why'll",
    "why're",
    "why's",
    "won't",
    "would've",
    "wouldn't",
    "wouldn't've",
    "y'all",
    "y'all'd've",
    "y'all'll",
    "you'd",
    "you'd've",
    "you'll",
    "you're",
    "you've",
];
/// The one word that VQA takes an apostrophe from.
const WITHOUT: (&str, &str) = ("somebody'd", "somebodyd");

static EXPANDED: LazyLock<HashMap<String, &str>> = LazyLock::new(|| {
    let mut expanded = HashMap::from([(WITHOUT.0.to_owned(), WITHOUT.1)]);
    for contraction in CONTRACTIONS {
        for (at, apostrophe) in contraction.match_indices('\'') {
            let (before, after) = (&contraction[..at], &contraction[at + apostrophe.len()..]);
            expanded.insert(format!("{before}{after}"), contraction);
        }
    }
    expanded
});

/// A word in lower case with its apostrophe, or as it is.
pub(super) fn expand(word: &str) -> &str {
    EXPANDED.get(word).copied().unwrap_or(word)
}
