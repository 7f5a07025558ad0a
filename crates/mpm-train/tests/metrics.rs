//! Metrics of texts against the usual Python implementations (`metrics/make.py`), and against any
//! text at all.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use mpm_train::evaluate::{
    Example, MetricError, Tokenizer,
    bleu::{Bleu, coco_bleu, corpus_bleu, sentence_bleu},
    cider::cider,
    keywords::{Keyword, KeywordVocabulary},
    rouge::{RougeScore, coco_rouge, rouge},
    vqa::{VqaAccuracy, vqa_accuracy, vqa_normalize},
};
use proptest::prelude::*;
use serde::Deserialize;

/// Both sides compute in f64 with at most some hundred additions and a few logarithms, in another
/// order, of figures up to 100.
const TOLERANCE: f64 = 1e-9;

const TOKENIZERS: [Tokenizer; 6] = [
    Tokenizer::Mteval13a,
    Tokenizer::Chinese,
    Tokenizer::Japanese,
    Tokenizer::Characters,
    Tokenizer::PennTreebank,
    Tokenizer::RougeScore,
];

#[derive(Deserialize)]
struct Oracles {
    tokenizers: BTreeMap<String, Vec<(String, Vec<String>)>>,
    corpora: Vec<Corpus>,
    vqa: Vqa,
}

#[derive(Deserialize)]
struct Corpus {
    name: String,
    examples: Vec<Example>,
    sacrebleu: BTreeMap<String, SacreBleu>,
    coco: BTreeMap<String, Coco>,
    rouge_score: BTreeMap<String, Vec<RougeScore>>,
}

#[derive(Deserialize)]
struct SacreBleu {
    corpus: Bleu,
    examples: Vec<Bleu>,
    sentences: Vec<Bleu>,
}

#[derive(Deserialize)]
struct Coco {
    bleu: CocoBleus,
    rouge: Mean,
    cider: Mean,
}

#[derive(Deserialize)]
struct CocoBleus {
    corpus: [f64; 4],
    examples: Vec<[f64; 4]>,
}

#[derive(Deserialize)]
struct Mean {
    mean: f64,
    examples: Vec<f64>,
}

#[derive(Deserialize)]
struct Vqa {
    normalized: Vec<(String, String)>,
    questions: Vec<VqaQuestion>,
}

#[derive(Deserialize)]
struct VqaQuestion {
    answer: String,
    people: Vec<String>,
    accuracy: f64,
}

fn oracles() -> Oracles {
    serde_json::from_str(include_str!("metrics/oracles.json")).unwrap()
}

fn tokenizer(name: &str) -> Tokenizer {
    serde_json::from_value(name.into()).unwrap()
}

/// Compares figures in turn, all of them at least once.
fn assert_close(what: &str, ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let difference = (ours - theirs).abs();
        assert!(
            difference <= TOLERANCE,
            "{what}, {at}: {ours} is not {theirs}"
        );
    }
}

fn assert_bleu(what: &str, ours: &Bleu, theirs: &Bleu) {
    let figures = |bleu: &Bleu| {
        let [one, two, three, four] = bleu.precisions;
        [bleu.score, bleu.brevity_penalty, one, two, three, four]
    };
    assert_close(what, &figures(ours), &figures(theirs));
    let words = |bleu: &Bleu| (bleu.candidate_words, bleu.reference_words);
    assert_eq!(words(ours), words(theirs), "{what}");
}

#[test]
fn words_are_those_of_the_python_tokenizers() {
    for (name, texts) in oracles().tokenizers {
        for (text, words) in texts {
            assert_eq!(tokenizer(&name).tokenize(&text), words, "{name}: {text:?}");
        }
    }
}

#[test]
fn bleu_is_that_of_sacrebleu() {
    for corpus in oracles().corpora {
        for (name, theirs) in corpus.sacrebleu {
            let what = format!("{} by {name}", corpus.name);
            let tokenizer = tokenizer(&name);
            let ours = corpus_bleu(&corpus.examples, tokenizer).unwrap();
            assert_bleu(&what, &ours, &theirs.corpus);
            for (number, example) in corpus.examples.iter().enumerate() {
                let what = format!("{what}, example {number}");
                let alone = corpus_bleu(std::slice::from_ref(example), tokenizer).unwrap();
                assert_bleu(&what, &alone, &theirs.examples[number]);
                let sentence = sentence_bleu(example, tokenizer).unwrap();
                assert_bleu(&what, &sentence, &theirs.sentences[number]);
            }
        }
    }
}

#[test]
fn figures_of_captions_are_those_of_pycocoevalcap() {
    for corpus in oracles().corpora {
        for (name, theirs) in corpus.coco {
            let what = format!("{} by {name}", corpus.name);
            let (examples, tokenizer) = (&corpus.examples, tokenizer(&name));
            let bleu = coco_bleu(examples, tokenizer).unwrap();
            assert_close(&what, &bleu.corpus, &theirs.bleu.corpus);
            assert_close(
                &what,
                bleu.examples.as_flattened(),
                theirs.bleu.examples.as_flattened(),
            );
            let rouge = coco_rouge(examples, tokenizer).unwrap();
            assert_close(&what, &[rouge.mean], &[theirs.rouge.mean]);
            assert_close(&what, &rouge.examples, &theirs.rouge.examples);
            let cider = cider(examples, tokenizer).unwrap();
            assert_close(&what, &[cider.mean], &[theirs.cider.mean]);
            assert_close(&what, &cider.examples, &theirs.cider.examples);
        }
    }
}

#[test]
fn rouge_l_is_that_of_rouge_score() {
    let figures = |score: &RougeScore| [score.precision, score.recall, score.f1];
    for corpus in oracles().corpora {
        for (name, theirs) in corpus.rouge_score {
            let ours = rouge(&corpus.examples, tokenizer(&name)).unwrap();
            let what = format!("{} by {name}", corpus.name);
            let all = |scores: &[RougeScore]| scores.iter().flat_map(figures).collect::<Vec<_>>();
            assert_close(&what, &all(&ours.examples), &all(&theirs));
            let mean = theirs.iter().map(|score| score.f1).sum::<f64>() / theirs.len() as f64;
            assert_close(&what, &[ours.mean.f1], &[mean]);
        }
    }
}

#[test]
fn answers_are_normalised_and_counted_as_vqa_does_it() {
    let vqa = oracles().vqa;
    for (answer, normalized) in vqa.normalized {
        assert_eq!(vqa_normalize(&answer), normalized, "{answer:?}");
    }
    let mut accuracy = VqaAccuracy::default();
    let mut sum = 0.0;
    for question in &vqa.questions {
        let ours = accuracy.add(&question.answer, &question.people).unwrap();
        let what = format!("{:?} among {:?}", question.answer, question.people);
        assert_close(&what, &[ours], &[question.accuracy]);
        sum += question.accuracy;
    }
    let mean = sum / vqa.questions.len() as f64;
    assert_close("all", &[accuracy.mean().unwrap()], &[mean]);
}

#[test]
fn a_metric_needs_something_to_compare() {
    let nothing = corpus_bleu(&[], Tokenizer::Mteval13a);
    assert_eq!(nothing, Err(MetricError::NoExamples));
    let examples = [Example::new("a", ["a"]), Example::new("a", [""; 0])];
    let missing = || MetricError::NoReference { index: 1 };
    let tokenizer = Tokenizer::PennTreebank;
    assert_eq!(coco_bleu(&examples, tokenizer), Err(missing()));
    assert_eq!(coco_rouge(&examples, tokenizer), Err(missing()));
    assert_eq!(cider(&examples, tokenizer), Err(missing()));
    assert_eq!(rouge(&examples, tokenizer), Err(missing()));
    let nobody: [&str; 0] = [];
    assert_eq!(vqa_accuracy("a", &nobody), Err(MetricError::NoHumanAnswers));
}

#[test]
fn kana_are_words_in_japanese_only() {
    let text = "猫がソファに。A cat";
    let japanese = ["猫", "が", "ソ", "フ", "ァ", "に", "。", "A", "cat"];
    assert_eq!(Tokenizer::Japanese.tokenize(text), japanese);
    let chinese = ["猫", "がソファに", "。", "A", "cat"];
    assert_eq!(Tokenizer::Chinese.tokenize(text), chinese);
    for (language, tokenizer) in [
        ("ja", Tokenizer::Japanese),
        ("zh-CN", Tokenizer::Chinese),
        ("de", Tokenizer::PennTreebank),
    ] {
        assert_eq!(Tokenizer::for_captions(language), tokenizer);
    }
}

#[test]
fn results_are_printed_and_stored() {
    let examples = [Example::new(
        "a cat sat on a mat",
        ["a cat sat on a mat", "a cat"],
    )];
    let bleu = corpus_bleu(&examples, Tokenizer::Mteval13a).unwrap();
    assert!(
        bleu.to_string()
            .starts_with("BLEU 100.00 (precisions 100.0/")
    );
    let stored = serde_json::to_string(&bleu).unwrap();
    assert_eq!(serde_json::from_str::<Bleu>(&stored).unwrap(), bleu);
    let coco = coco_bleu(&examples, Tokenizer::PennTreebank).unwrap();
    assert!(coco.to_string().ends_with(", BLEU-4 1.0000"), "{coco}");
    let rouge_l = rouge(&examples, Tokenizer::RougeScore).unwrap();
    assert_eq!(
        rouge_l.to_string(),
        "ROUGE-L F1 1.0000 (precision 1.0000, recall 1.0000)"
    );
    let coco = coco_rouge(&examples, Tokenizer::PennTreebank).unwrap();
    assert_eq!(coco.to_string(), "ROUGE-L 1.0000");
    let alone = cider(&examples, Tokenizer::PennTreebank).unwrap();
    assert_eq!(alone.to_string(), "CIDEr-D 0.0000");
    let mut accuracy = VqaAccuracy::default();
    assert_eq!(accuracy.to_string(), "VQA accuracy of no answers");
    accuracy.add("yes", &["yes"; 10]).unwrap();
    assert_eq!(accuracy.to_string(), "VQA accuracy 100.00 % of 1 answers");
}

/// Texts of words of all kinds, and of anything else.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-e]{1,3}",
        "[A-Z][a-z]*('(s|t|ll))?",
        "[0-9]{1,3}([.,:/-][0-9]{1,2})?",
        "[一-丅]{1,4}",
        "[あ-おア-オ]{1,3}",
        "[.,!?'\"()<>&@#-]{1,3}",
        "\\PC{1,3}",
    ];
    prop_oneof![
        prop::collection::vec(word, 0..12).prop_map(|words| words.join(" ")),
        "(?s).{0,40}",
    ]
}

/// Some more than the largest score allowed, for sums that are rounded.
fn in_range(score: f64, highest: f64) -> bool {
    (0.0..=highest + TOLERANCE).contains(&score)
}

proptest! {
    #[test]
    fn any_text_has_words(text in text()) {
        for tokenizer in TOKENIZERS {
            let words = tokenizer.tokenize(&text);
            prop_assert!(words.iter().all(|word| !word.is_empty()), "{tokenizer:?}: {words:?}");
            let spaces = |word: &String| word.contains(char::is_whitespace);
            prop_assert!(!words.iter().any(spaces), "{tokenizer:?}: {words:?}");
        }
    }

    #[test]
    fn scores_of_any_texts_are_in_their_ranges(
        texts in prop::collection::vec((text(), prop::collection::vec(text(), 1..3)), 1..4),
    ) {
        let examples: Vec<_> = texts
            .into_iter()
            .map(|(candidate, references)| Example::new(candidate, references))
            .collect();
        for tokenizer in TOKENIZERS {
            let bleu = corpus_bleu(&examples, tokenizer).unwrap();
            prop_assert!(in_range(bleu.score, 100.0), "{bleu}");
            for example in &examples {
                let bleu = sentence_bleu(example, tokenizer).unwrap();
                prop_assert!(in_range(bleu.score, 100.0), "{bleu}");
            }
            let bleu = coco_bleu(&examples, tokenizer).unwrap();
            prop_assert!(bleu.corpus.iter().all(|score| in_range(*score, 1.0)), "{bleu}");
            let coco = coco_rouge(&examples, tokenizer).unwrap();
            prop_assert!(coco.examples.iter().all(|score| in_range(*score, 1.0)), "{coco}");
            let rouge_l = rouge(&examples, tokenizer).unwrap();
            prop_assert!(in_range(rouge_l.mean.f1, 1.0), "{rouge_l}");
            let cider = cider(&examples, tokenizer).unwrap();
            prop_assert!(cider.examples.iter().all(|score| in_range(*score, 10.0)), "{cider}");
        }
    }

    #[test]
    fn a_perfect_candidate_has_the_best_score(
        text in prop::collection::vec("[a-z]{2,5}", 4..12),
        other in prop::collection::vec("[A-Z]{2,5}", 4..12),
    ) {
        let (text, other) = (text.join(" "), other.join(" ").to_lowercase() + " unlike");
        let examples = [
            Example::new(text.as_str(), [text.as_str(), "x"]),
            Example::new(other.as_str(), [other.as_str()]),
        ];
        let tokenizer = Tokenizer::Mteval13a;
        let best = |score: f64, best: f64| (score - best).abs() < 1e-6;
        prop_assert!(best(corpus_bleu(&examples, tokenizer).unwrap().score, 100.0));
        prop_assert!(best(sentence_bleu(&examples[0], tokenizer).unwrap().score, 100.0));
        prop_assert!(best(coco_bleu(&examples, tokenizer).unwrap().corpus[3], 1.0));
        prop_assert!(best(coco_rouge(&examples, tokenizer).unwrap().mean, 1.0));
        prop_assert!(best(rouge(&examples, tokenizer).unwrap().mean.f1, 1.0));
        if text != other {
            // Its only reference is the text itself, and no run of it is in all examples.
            let score = cider(&examples, tokenizer).unwrap().examples[1];
            prop_assert!(score > 9.0, "{score}");
        }
    }

    #[test]
    fn any_answer_is_compared(answer in text(), people in prop::collection::vec(text(), 1..11)) {
        let accuracy = vqa_accuracy(&answer, &people).unwrap();
        prop_assert!((0.0..=1.0).contains(&accuracy));
        let agreeing = vec![vqa_normalize(&answer); 10];
        let accuracy = vqa_accuracy(&vqa_normalize(&answer), &agreeing).unwrap();
        prop_assert_eq!(accuracy, 1.0);
    }

    #[test]
    fn any_answer_is_searched_for_keywords(answer in text(), name in "[a-z一-丅]{1,4}") {
        let keywords = vec![Keyword::new(name.as_str(), ["x"]), Keyword::new("other", [""; 0])];
        let vocabulary = KeywordVocabulary::new(keywords).unwrap();
        let score = vocabulary.score(&answer, &[&name]).unwrap();
        prop_assert_eq!(score.hits + score.misses, 1);
        let said = format!("{answer} {name}.");
        let score = vocabulary.score(&said, &[&name]).unwrap();
        prop_assert_eq!(score.hits, 1);
    }
}
