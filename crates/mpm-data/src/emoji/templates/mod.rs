//! The sentences that questions, answers and captions are made of.
//!
//! One [`Templates`] value per language holds all of them as data: a new language
//! is a new file beside `english.rs`, and one line in [`templates`].
//!
//! Places are written `{name}` and so on. `{a_name}` is the name as it stands in a
//! sentence: with an article where the language has one.

mod arabic;
mod chinese;
mod english;
mod french;
mod german;
mod italian;
mod japanese;
mod portuguese;
mod spanish;
mod swahili;

use super::{Category, Colour, Language};

/// The phrases of one language. Each question has several phrasings.
pub(super) struct Templates {
    /// "What is this?" about one thing
    pub naming: &'static [&'static str],
    /// "What kind of thing is this?"
    pub category: &'static [&'static str],
    /// "Is this {a_name}?"
    pub yes_no: &'static [&'static str],
    /// "Is this {a_first} or {a_second}?"
    pub choice: &'static [&'static str],
    /// "Which keywords fit?"
    pub keywords: &'static [&'static str],
    /// "What colour is it?"
    pub colour: &'static [&'static str],
    /// "How do you say {word} in {language}?"
    pub translation: &'static [&'static str],
    /// "What colour is the ground?"
    pub ground: &'static [&'static str],
    /// "How many things are there?"
    pub count: &'static [&'static str],
    /// "What is on the left?"
    pub left: &'static [&'static str],
    /// "What is on the right?"
    pub right: &'static [&'static str],
    /// "Describe the picture.", answered by a caption
    pub describe: &'static [&'static str],
    /// Captions of one thing: `{name}`, `{a_name}`
    pub caption: &'static [&'static str],
    /// Captions of two things: `{a_first}`, `{a_second}`, `{ground}`; the first
    /// [`COMPLETE`] say all that there is to ask about
    pub pair_caption: &'static [&'static str],
    /// Captions of the same thing several times: `{count}`, `{a_name}`, `{ground}`;
    /// the first [`COMPLETE`] say all that there is to ask about
    pub count_caption: &'static [&'static str],
    /// Phrases that describe one thing in words: `{name}`, `{a_name}`
    pub description: &'static [&'static str],
    /// What stands between the words of a list
    pub list_separator: &'static str,
    /// "yes"
    pub yes: &'static str,
    /// "no"
    pub no: &'static str,
    /// "one" to "four"
    pub numbers: [&'static str; 4],
    /// The word for a category
    pub category_word: fn(Category) -> &'static str,
    /// The word for a colour
    pub colour_word: fn(Colour) -> &'static str,
    /// The word for a language
    pub language_word: fn(Language) -> &'static str,
    /// A name as it stands in a sentence; as it is where the language has no articles,
    /// or where the phrases take a bare name because articles are not known
    pub with_article: fn(&str) -> String,
}

/// How many of the captions of scenes say all: where each thing is, or how many
/// there are, and the colour of the ground.
pub(super) const COMPLETE: usize = 2;

/// The languages that questions can be asked in.
pub const TASK_LANGUAGES: [Language; 10] = [
    Language::English,
    Language::Chinese,
    Language::German,
    Language::French,
    Language::Spanish,
    Language::Italian,
    Language::Portuguese,
    Language::Japanese,
    Language::Arabic,
    Language::Swahili,
];

/// The phrases of a language of [`TASK_LANGUAGES`].
pub(super) fn templates(language: Language) -> Option<&'static Templates> {
    match language {
        Language::English => Some(&english::TEMPLATES),
        Language::Chinese => Some(&chinese::TEMPLATES),
        Language::German => Some(&german::TEMPLATES),
        Language::French => Some(&french::TEMPLATES),
        Language::Spanish => Some(&spanish::TEMPLATES),
        Language::Italian => Some(&italian::TEMPLATES),
        Language::Portuguese => Some(&portuguese::TEMPLATES),
        Language::Japanese => Some(&japanese::TEMPLATES),
        Language::Arabic => Some(&arabic::TEMPLATES),
        Language::Swahili => Some(&swahili::TEMPLATES),
        Language::ChineseTraditional | Language::Korean | Language::Hindi => None,
    }
}

/// Puts words into their places.
pub(super) fn fill(template: &str, places: &[(&str, &str)]) -> String {
    places
        .iter()
        .fold(template.to_owned(), |text, (place, word)| {
            text.replace(place, word)
        })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::TASK_LANGUAGES;
    use super::{COMPLETE, Templates, fill, templates};
    use crate::emoji::{Category, Colour, Language};

    /// The lists of a language, each with the places that its phrasings may have.
    fn lists(words: &Templates) -> [(&[&str], &[&str]); 16] {
        let pair: &[&str] = &["{a_first}", "{a_second}", "{ground}"];
        let count: &[&str] = &["{a_name}", "{count}", "{ground}"];
        let name: &[&str] = &["{name}", "{a_name}"];
        [
            (words.naming, &[]),
            (words.category, &[]),
            (words.yes_no, &["{a_name}"]),
            (words.choice, &["{a_first}", "{a_second}"]),
            (words.keywords, &[]),
            (words.colour, &[]),
            (words.translation, &["{word}", "{language}"]),
            (words.ground, &[]),
            (words.count, &[]),
            (words.left, &[]),
            (words.right, &[]),
            (words.describe, &[]),
            (words.caption, name),
            (words.pair_caption, pair),
            (words.count_caption, count),
            (words.description, name),
        ]
    }

    #[test]
    fn phrasings_are_several_distinct_and_leave_no_place_open() {
        for language in TASK_LANGUAGES {
            let words = templates(language).expect("every task language has phrases");
            for (phrasings, places) in lists(words) {
                assert!(
                    (4..=7).contains(&phrasings.len()),
                    "{language}: {phrasings:?}"
                );
                let distinct: HashSet<_> = phrasings.iter().collect();
                assert_eq!(distinct.len(), phrasings.len(), "{language}: {phrasings:?}");
                let filled: Vec<_> = places.iter().map(|place| (*place, "X")).collect();
                for phrasing in phrasings {
                    let text = fill(phrasing, &filled);
                    assert!(!text.contains(['{', '}']), "{phrasing}");
                    assert_eq!(text.contains('X'), !places.is_empty(), "{phrasing}");
                }
            }
        }
    }

    #[test]
    fn questions_hold_all_that_is_asked_about() {
        for language in TASK_LANGUAGES {
            let words = templates(language).expect("every task language has phrases");
            let all = |phrasings: &[&str], places: &[&str]| {
                for phrasing in phrasings {
                    let complete = places.iter().all(|place| phrasing.contains(place));
                    assert!(complete, "{language}: {phrasing}");
                }
            };
            all(words.choice, &["{a_first}", "{a_second}"]);
            all(words.translation, &["{word}", "{language}"]);
            let pair = ["{a_first}", "{a_second}", "{ground}"];
            all(&words.pair_caption[..COMPLETE], &pair);
            let count = ["{a_name}", "{count}", "{ground}"];
            all(&words.count_caption[..COMPLETE], &count);
        }
    }

    #[test]
    fn answers_tell_apart_what_they_name() {
        fn distinct<const N: usize>(words: [&str; N]) -> bool {
            HashSet::from(words).len() == N
        }
        for language in TASK_LANGUAGES {
            let words = templates(language).expect("every task language has phrases");
            assert!(distinct(words.numbers), "{language}");
            assert!(distinct([words.yes, words.no]), "{language}");
            assert!(
                distinct(Category::ALL.map(words.category_word)),
                "{language}"
            );
            assert!(distinct(Colour::ALL.map(words.colour_word)), "{language}");
            assert!(
                distinct(Language::ALL.map(words.language_word)),
                "{language}"
            );
        }
    }
}
