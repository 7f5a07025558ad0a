//! The words of the Python package rouge-score (`rouge_score/tokenize.py`), without a stemmer.

/// Runs of ASCII letters and digits, in lower case.
pub(super) fn tokenize(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let runs = lower.split(|character: char| {
        // Not `is_ascii_alphanumeric` of the text itself: the Kelvin sign becomes a `k`.
        !(character.is_ascii_lowercase() || character.is_ascii_digit())
    });
    let runs = runs.filter(|run| !run.is_empty());
    runs.map(str::to_owned).collect()
}
