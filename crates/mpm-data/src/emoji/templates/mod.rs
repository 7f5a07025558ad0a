//! The sentences that questions, answers and captions are made of.
//!
//! One [`Templates`] value per language holds all of them as data: a new language
//! is a new file beside `english.rs`, and one line in [`templates`].
//!
//! Places are written `{name}` and so on. `{a_name}` is the name as it stands in a
//! sentence: with an article where the language has one.

mod chinese;
mod english;

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
    /// The word for a language that [`templates`] knows
    pub language_word: fn(Language) -> &'static str,
    /// A name as it stands in a sentence
    pub with_article: fn(&str) -> String,
}

/// How many of the captions of scenes say all: where each thing is, or how many
/// there are, and the colour of the ground.
pub(super) const COMPLETE: usize = 2;

/// The languages that questions can be asked in.
pub const TASK_LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];

/// The phrases of a language of [`TASK_LANGUAGES`].
pub(super) fn templates(language: Language) -> Option<&'static Templates> {
    match language {
        Language::English => Some(&english::TEMPLATES),
        Language::Chinese => Some(&chinese::TEMPLATES),
        _ => None,
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
