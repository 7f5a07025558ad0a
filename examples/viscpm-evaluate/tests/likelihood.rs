//! The likelihood of a given answer against the decoder's own, token by token.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod common;

use burn::backend::Flex;
use common::of_root;
use mpm_core::weights::LoadOptions;
use mpm_data::picture::Picture;
use mpm_llm::{
    any::{AnyLlm, AnyTokenizer},
    cpm_bee::{AnswerTokens, CpmBeePrompt, CpmBeeSession},
    decoding::DecodingSession,
    prompt::{InferenceBatch, PromptEncoder, PromptValue},
};
use viscpm_chat::ChatModel;
use viscpm_evaluate::chat::reference_loss;

/// In nats. f16 weights, and the decoder forbids a token or two that the loss does not.
const CLOSE: f64 = 1e-2;

#[test]
fn the_loss_is_that_of_the_decoder() {
    let folder = of_root("models/viscpm-chat-emoji");
    let options = LoadOptions::default();
    let model = ChatModel::<Flex>::open(folder, &Default::default(), &options).unwrap();
    let picture = Picture::open(of_root("docs/images/strawberry.png")).unwrap();
    let pixels = model.config.preprocessing.apply(&picture);
    let features = model.model.encode_pictures(&[pixels]).unwrap();
    let (AnyLlm::CpmBee(llm), AnyTokenizer::CpmBee(tokenizer)) =
        (&model.model.llm, &model.tokenizer)
    else {
        panic!("the model is CPM-Bee");
    };
    for (question, answer, seen) in [
        ("What is this?", "strawberry", true),
        ("What is this?", "banana", true),
        ("这是什么？", "草莓", true),
        ("What is this?", "rocket", false),
    ] {
        let features = seen.then(|| features.clone());
        let loss = reference_loss(&model, features.clone(), question, answer).unwrap();

        let slots = features.as_ref().map_or(0, |features| features.dims()[1]);
        let encoder = PromptEncoder::new(tokenizer);
        let prompt = PromptValue::chat(slots, "", question, "");
        let batch = InferenceBatch::new(&encoder, [&prompt], None).unwrap();
        let mut session = CpmBeeSession::new(
            llm,
            CpmBeePrompt::from_batch(&batch).remove(0),
            features,
            AnswerTokens::from(tokenizer),
            64,
        )
        .unwrap();
        let mut tokens = tokenizer.encode(answer).unwrap().ids;
        tokens.push(tokenizer.eos_id());
        let mut expected = 0.0;
        let mut logits = session.start().unwrap();
        for (place, &token) in tokens.iter().enumerate() {
            let value = |logit: &f32| f64::from(*logit);
            let sum: f64 = logits.values.iter().map(|logit| value(logit).exp()).sum();
            expected += sum.ln() - value(&logits.values[token as usize]);
            if place + 1 < tokens.len() {
                logits = session.step(&[token]).unwrap();
            }
        }
        assert_eq!(loss.tokens, tokens.len() as u64, "{answer}");
        let error = (loss.negative_log_likelihood - expected).abs();
        assert!(error < CLOSE, "{answer}: {loss} {expected}");
    }
}
