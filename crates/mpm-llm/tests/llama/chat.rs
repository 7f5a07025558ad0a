//! Conversations: pictures, and what is remembered.

use std::ops::ControlFlow;

use burn::tensor::{Distribution, Tensor};
use mpm_llm::{
    decoding::{DecodingParams, Piece, Strategy},
    dialogue::ChatAnswer,
    llama::{ChatMessage, ChatOptions, Llama, LlamaChat, LlamaConfig, LlamaInput, LlamaText},
    splice::splice_features,
};
use mpm_test_support::TestBackend;

use crate::dialogue::text;

type B = TestBackend;

const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}\
    {{ '<|turn|>' ~ m.role ~ '\n' ~ m.content ~ '<|end|>' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|turn|>assistant\n' }}{% endif %}";

fn llm() -> (Llama<B>, LlamaText) {
    let text = text("letters", TEMPLATE);
    let config = LlamaConfig {
        vocab_size: text.tokenizer.vocab_size(),
        ..LlamaConfig::tiny()
    };
    (config.init(&Default::default()).unwrap(), text)
}

fn params() -> DecodingParams {
    DecodingParams {
        strategy: Strategy::Greedy,
        max_new_tokens: 6,
        repetition_penalty: 1.0,
        ..DecodingParams::default()
    }
}

fn features() -> Tensor<B, 3> {
    Tensor::random([1, 3, 32], Distribution::Default, &Default::default())
}

fn ask(chat: &mut LlamaChat<'_, B>, question: &str) -> ChatAnswer {
    let go_on = |_: Piece<'_>| ControlFlow::Continue(());
    chat.ask(question, &params(), go_on).unwrap()
}

fn ids(answer: &ChatAnswer) -> Vec<i32> {
    answer
        .generation
        .tokens
        .iter()
        .map(|token| token.id)
        .collect()
}

/// The answer by whole passes over embeddings with the picture in its place.
fn by_hand(llm: &(Llama<B>, LlamaText), question: &str, features: &Tensor<B, 3>) -> Vec<i32> {
    let (model, text) = llm;
    let messages = [ChatMessage::new("user", question)];
    let chat = text
        .encode_chat(&messages, 3, &ChatOptions::default())
        .unwrap();
    let (mut ids, prompt) = (chat.ids.clone(), chat.ids.len());
    while ids.len() < prompt + params().max_new_tokens {
        let embeddings = model.embed(&ids, [1, ids.len()]).unwrap();
        let bounds = [chat.pictures.clone()];
        let embeddings = splice_features(embeddings, features.clone(), &bounds).unwrap();
        let input = LlamaInput::unpadded(1, 0..ids.len());
        let logits = model.forward(embeddings, &input).unwrap().logits;
        let last = logits.narrow(1, ids.len() - 1, 1).into_data();
        let last: Vec<f32> = last.iter().collect();
        let best = (0..last.len()).max_by(|&a, &b| last[a].total_cmp(&last[b]));
        ids.push(best.unwrap() as i32);
        if text.ends.contains(&ids[ids.len() - 1]) {
            break;
        }
    }
    ids.split_off(prompt)
}

#[test]
fn the_picture_is_read_once_and_in_its_place() {
    let llm = llm();
    let features = features();
    let mut chat = LlamaChat::new(&llm.0, &llm.1, 512).unwrap();
    chat.show(features.clone());
    let first = ask(&mut chat, "What is it?");
    assert_eq!(first.tokens_read, first.prompt_tokens);
    assert_eq!(ids(&first), by_hand(&llm, "What is it?", &features));

    let second = ask(&mut chat, "And now?");
    // The last token before the answer may be cut otherwise with the answer behind it.
    assert!(second.tokens_read <= second.prompt_tokens - first.prompt_tokens + 1);

    // Another picture is another conversation, although its tokens are the same.
    let other = features.neg();
    chat.show(other.clone());
    assert!(chat.messages().is_empty());
    let again = ask(&mut chat, "What is it?");
    assert_eq!(again.tokens_read, again.prompt_tokens);
    assert_eq!(again.prompt_tokens, first.prompt_tokens);
    assert_eq!(ids(&again), by_hand(&llm, "What is it?", &other));
}

/// The slots have an id, too, which the text may have where the picture was before.
#[test]
fn a_picture_is_not_taken_for_tokens_with_its_id() {
    let llm = llm();
    let before = "<|begin|><|turn|>user\n";
    let known = llm.1.tokenizer.encode_rendered(before).unwrap().len();
    let mut chat = LlamaChat::new(&llm.0, &llm.1, 512).unwrap();
    chat.show(features());
    ask(&mut chat, "What is it?");
    chat.reset();
    chat.add(ChatMessage::new(
        "user\n<|begin|><|begin|><|begin|>",
        "Be brief.",
    ));
    let moved = ask(&mut chat, "What is it?");
    assert_eq!(moved.prompt_tokens - moved.tokens_read, known);
}

#[test]
fn memory_grows_with_the_conversation() {
    let llm = llm();
    // Nearly as many tokens as memory is first made for.
    let line = "Be brief. ";
    let per_line = llm.1.tokenizer.encode_rendered(line).unwrap().len();
    let long = ChatMessage::new("system", line.repeat(960 / per_line));
    // Without a limit.
    let mut chat = LlamaChat::new(&llm.0, &llm.1, usize::MAX).unwrap();
    chat.add(long.clone());
    let first = ask(&mut chat, "What is it?");
    let question = "And now? ".repeat(200 / per_line);
    let second = ask(&mut chat, &question);
    assert!(second.prompt_tokens > 1024);
    assert!(second.tokens_read <= second.prompt_tokens - first.prompt_tokens + 1);

    let mut fresh = LlamaChat::new(&llm.0, &llm.1, usize::MAX).unwrap();
    fresh.add(long);
    fresh.remember("What is it?", first.text());
    let again = ask(&mut fresh, &question);
    assert_eq!(again.tokens_read, again.prompt_tokens);
    assert_eq!(ids(&again), ids(&second));
}

#[test]
fn turns_are_left_out_several_at_once() {
    const LIMIT: usize = 400;
    let llm = llm();
    let mut chat = LlamaChat::new(&llm.0, &llm.1, LIMIT).unwrap();
    let mut before = ask(&mut chat, "What is it?");
    let mut times = 0;
    for _ in 0..40 {
        let answer = ask(&mut chat, "What is it?");
        assert!(answer.prompt_tokens <= LIMIT);
        if answer.dropped_turns == before.dropped_turns {
            let new = answer.prompt_tokens - before.prompt_tokens;
            assert!(answer.tokens_read <= new + 1, "{answer:?}");
        } else {
            times += 1;
            assert!(answer.prompt_tokens <= LIMIT * 3 / 4, "{answer:?}");
        }
        before = answer;
    }
    assert!(times > 0 && before.dropped_turns > times, "{before:?}");
    chat.reset();
    assert_eq!(ask(&mut chat, "What is it?").dropped_turns, 0);
}

/// A long question takes the place of old turns, but the last turn stays as long as it fits.
#[test]
fn the_last_turn_stays_as_long_as_it_fits() {
    let llm = llm();
    let mut chat = LlamaChat::new(&llm.0, &llm.1, 200).unwrap();
    for _ in 0..3 {
        chat.remember("What is it?", "A dog.");
    }
    let words = llm
        .1
        .tokenizer
        .encode_rendered(" What is it?")
        .unwrap()
        .len();
    // More than three quarters.
    let answer = ask(&mut chat, &" What is it?".repeat(155 / words));
    assert_eq!(answer.dropped_turns, 2, "{answer:?}");
    assert!(answer.prompt_tokens > 150);
}
