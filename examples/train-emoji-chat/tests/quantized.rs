//! What the shipped chat model loses when its weights are quantized.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod common;

use common::Questions;
use emoji_training::full_precision;
use mpm_core::{quantization::QuantizationScheme, weights::LoadOptions};
use train_emoji_chat::Recipe;

/// Every n-th training picture is asked about, in all languages.
const EVERY: usize = 60;

#[test]
fn few_answers_become_wrong() {
    let questions = Questions::new(&Recipe::read(None).unwrap(), EVERY);
    let all = questions.asked.len();
    let right = |quantization| {
        let options = LoadOptions {
            quantization,
            ..full_precision()
        };
        questions.right("models/viscpm-chat-emoji", &options)
    };
    let full = right(None);
    assert!(full * 10 > all * 9, "{full} of {all}");
    // one percent of all answers, and three
    for (scheme, percent) in [(QuantizationScheme::INT8, 1), (QuantizationScheme::INT4, 3)] {
        let quantized = right(Some(scheme));
        assert!(
            quantized + all * percent / 100 >= full,
            "{scheme}: {quantized} of {all}, and {full} in full"
        );
    }
}
