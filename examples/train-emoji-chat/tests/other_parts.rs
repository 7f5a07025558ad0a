//! What the shipped model of other parts knows.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod common;

use common::{Questions, root};
use emoji_training::full_precision;
use train_emoji_chat::Recipe;

/// Every n-th training picture is asked about, in all languages.
const EVERY: usize = 20;

#[test]
fn it_names_most_of_its_pictures_in_all_languages() {
    let recipe = root("examples/train-emoji-chat/recipes/llama-siglip.json");
    let questions = Questions::new(&Recipe::read(Some(&recipe)).unwrap(), EVERY);
    let right = questions.right("models/llama-siglip-emoji", &full_precision());
    let all = questions.asked.len();
    // docs/other-parts.md: 89 % of all of them.
    assert!(right * 100 > all * 80, "{right} of {all}");
}
