//! Properties of tokenizing and prompting that hold for any text.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "tests fail by panicking and report their figures"
)]

use std::time::{Duration, Instant};

use mpm_llm::decoding::Token;
use mpm_llm::prompt::{InferenceBatch, PromptEncoder, PromptValue};
use mpm_llm::tokenizer::{
    CpmBeeTokenizer, TokenKind, Vocabulary, VocabularyBuilder, escape, unescape,
};
use proptest::prelude::*;

/// Texts of two scripts, with words, spaces, brackets and characters that stay unknown.
const TEXTS: [&str; 4] = [
    "a cat and a dog sat on the mat, the cat sat on the dog\n",
    "一只猫和一只狗坐在垫子上。那只猫坐在狗上。",
    "if a < b and b > c: a << b <mask>",
    "the mat on the dog, the dog on the mat",
];

fn tokenizer() -> &'static CpmBeeTokenizer {
    static TOKENIZER: std::sync::LazyLock<CpmBeeTokenizer> = std::sync::LazyLock::new(|| {
        let vocabulary = VocabularyBuilder::new(200).build(TEXTS.repeat(2)).unwrap();
        CpmBeeTokenizer::new(vocabulary).unwrap()
    });
    &TOKENIZER
}

/// Texts near what the tokenizer treats specially, and any other.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "(cat|the|一只|猫|<|<<|>|<ans_1>|<mask>|_|</n>| |\n|\u{9f98}|\u{1f600}){0,24}",
        "\\PC{0,40}",
        any::<String>(),
    ]
}

/// Greedy longest match in its plainest form: try all lengths at each position.
fn reference_pieces(vocabulary: &Vocabulary, text: &str) -> Vec<(String, bool)> {
    let chars: Vec<char> = text.chars().collect();
    let mut pieces: Vec<(String, bool)> = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let longest = vocabulary.max_word_len().min(chars.len() - at);
        let word = (1..=longest).rev().find_map(|len| {
            let word: String = chars[at..at + len].iter().collect();
            vocabulary.words().any(|(_, w)| w == word).then_some(word)
        });
        match (word, pieces.last_mut()) {
            (Some(word), _) => {
                at += word.chars().count();
                pieces.push((word, true));
            }
            (None, Some((unknown, false))) => {
                unknown.push(chars[at]);
                at += 1;
            }
            (None, _) => {
                pieces.push((chars[at].into(), false));
                at += 1;
            }
        }
    }
    pieces
}

proptest! {
    #[test]
    fn any_markup_encodes_or_is_an_error(markup in any_text()) {
        let tokenizer = tokenizer();
        let tokens = tokenizer.tokenize(&markup);
        let encoding = tokenizer.encode(&markup);
        prop_assert_eq!(tokens.is_ok(), encoding.is_ok());
        if let (Ok(tokens), Ok(encoding)) = (tokens, encoding) {
            prop_assert_eq!(tokens.len(), encoding.ids.len());
            // Decoding and encoding again changes nothing.
            let decoded = tokenizer.decode(&encoding.ids, &encoding.ext).unwrap();
            prop_assert_eq!(&decoded, &markup);
        }
    }

    #[test]
    fn plain_text_survives(text in any_text()) {
        let tokenizer = tokenizer();
        let markup = escape(&text);
        prop_assert_eq!(unescape(&markup), text.as_str());
        let encoding = tokenizer.encode(&markup).unwrap();
        let decoded = tokenizer.decode(&encoding.ids, &encoding.ext).unwrap();
        prop_assert_eq!(&decoded, &markup);
        // Streaming: the pieces of single ids are the whole.
        let streamed: String = encoding
            .ids
            .iter()
            .map(|&id| tokenizer.decode_id(id, &encoding.ext).unwrap())
            .collect();
        prop_assert_eq!(&streamed, &decoded);
        let plain: String = encoding
            .ids
            .iter()
            .map(|&id| tokenizer.plain_id(id, &encoding.ext).unwrap())
            .collect();
        prop_assert_eq!(plain, text);
    }

    #[test]
    fn words_are_the_longest_that_match(text in any_text()) {
        let tokenizer = tokenizer();
        let tokens = tokenizer.tokenize(&escape(&text)).unwrap();
        let pieces: Vec<_> = tokens
            .into_iter()
            .map(|t| (t.text, matches!(t.kind, TokenKind::Word(_))))
            .collect();
        prop_assert_eq!(pieces, reference_pieces(tokenizer.vocabulary(), &text));
    }

    #[test]
    fn any_bytes_are_a_vocabulary_or_an_error(bytes in any::<Vec<u8>>()) {
        prop_assert!(Vocabulary::parse(&bytes).is_err());
    }

    #[test]
    fn any_prompt_of_plain_texts_can_be_asked(
        texts in prop::collection::vec((any_text(), any_text()), 0..5),
        limit in 0usize..60,
    ) {
        let mut prompt: Vec<(String, String)> = texts
            .iter()
            .map(|(key, text)| (escape(key).into_owned(), escape(text).into_owned()))
            .collect();
        prompt.push(("<ans>".into(), String::new()));
        let prompt: PromptValue = prompt.into_iter().collect();
        let encoder = PromptEncoder::new(tokenizer());
        let whole = InferenceBatch::new(&encoder, [&prompt], None).unwrap();
        prop_assert_eq!(whole.rows[0].predict_segments.len(), 1);
        // The answer slot of two tokens is the last part of the prompt.
        let fits = whole.seq + 2 <= limit;
        let cut = InferenceBatch::new(&encoder, [&prompt], Some(limit));
        prop_assert_eq!(cut.is_ok(), fits);
    }
}

#[test]
fn answers_are_numbered_as_their_tokens_are() {
    let tokenizer = tokenizer();
    let answers = PromptValue::from([("a", ""), ("b", ""), ("c", "")]);
    let entries = [("q", "why".into()), ("<ans>", answers)];
    let prompt = PromptValue::from(entries);
    let batch = InferenceBatch::new(&PromptEncoder::new(tokenizer), [&prompt], None).unwrap();
    let row = &batch.rows[0];
    assert_eq!(row.predict_segments.len(), 3);

    let mut tokens = Vec::new();
    for (answer, text) in ["the cat", "a dog"].into_iter().enumerate() {
        let mut ids = tokenizer.encode(text).unwrap().ids;
        ids.push(tokenizer.eos_id());
        tokens.extend(ids.into_iter().map(|id| Token {
            id,
            answer,
            log_prob: 0.0,
        }));
    }
    let texts = row.answers(tokenizer, &tokens).unwrap();
    let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
    assert_eq!(texts, [Some("the cat"), Some("a dog"), None]);
}

fn seconds(text: &str) -> Duration {
    let start = Instant::now();
    std::hint::black_box(tokenizer().encode(text).unwrap());
    start.elapsed()
}

/// A hundred times the text may take many times the time that a hundred short ones take, but not
/// the hundred times more of a quadratic algorithm.
#[test]
fn time_is_linear_in_the_text() {
    const SLACK: u32 = 10;
    for unit in [TEXTS[0], TEXTS[1], "\u{9f98}", "ca", "<<", "<mask>"] {
        let short = unit.repeat(20_000 / unit.len());
        let long = short.repeat(100);
        let hundred_short = (0..100).map(|_| seconds(&short)).sum::<Duration>();
        let one_long = seconds(&long);
        assert!(
            one_long < hundred_short * SLACK + Duration::from_millis(50),
            "{unit:?}: {one_long:?} for one long text, {hundred_short:?} for its parts"
        );
    }
    let mixed = TEXTS[..2].concat().repeat(20_000);
    let rate = mixed.len() as f64 / 1e6 / seconds(&mixed).as_secs_f64();
    println!("tokenizer: {rate:.0} MB/s on mixed text");
}
