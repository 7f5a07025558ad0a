//! Names in the languages that are not checked by hand: CLDR's, cleaned by rule.
//!
//! CLDR writes every name for the drawing, not for the thing: some languages say
//! "face of a fox", some describe the picture in a sentence, and each translates
//! CLDR's own English name. Where a rule finds that a name is not what one would
//! call the thing, the language has none, and the table [`UNFIT`] holds the few
//! that no rule finds.

use super::{Concept, Language};

/// Names of more words are descriptions, not names.
const MAX_WORDS: usize = 4;

/// Names of more characters, in a language without spaces, are descriptions.
const MAX_UNSPACED_CHARS: usize = 10;

/// The name of a concept that is called `english` in English; `None` where CLDR has
/// no clean one.
///
/// CLDR's names in other languages say what its English name says. When that was
/// replaced by hand ("high voltage" by "lightning"), they name something else.
pub(super) fn cldr_name(concept: &Concept, language: Language, english: &str) -> Option<String> {
    let published = |language| Some(cleaned(&concept.texts.get(&language)?.name));
    if published(Language::English)?.to_lowercase() != english.to_lowercase() {
        return None;
    }
    let is_unfit = |row: &(&str, Language)| row.0 == concept.id && row.1 == language;
    if UNFIT.iter().any(|(_, rows)| rows.iter().any(is_unfit)) {
        return None;
    }
    let name = without_face(&published(language)?, language).to_owned();
    let is_short = if language.is_unspaced() {
        name.chars().count() <= MAX_UNSPACED_CHARS
    } else {
        name.split_whitespace().count() <= MAX_WORDS
    };
    is_short.then_some(name)
}

/// CLDR's name without what is not the thing's name.
///
/// `类别：名称` keeps what follows the colon, and a remark in brackets goes.
pub(super) fn cleaned(name: &str) -> String {
    let name = name.rsplit(['：', ':']).next().unwrap_or(name);
    let name = name.split(['(', '（']).next().unwrap_or(name);
    name.trim().replace('’', "'")
}

/// What two names have in common when they look the same: small letters, without the
/// vowel signs that Arabic leaves out at will.
pub(super) fn folded(name: &str) -> String {
    let is_vowel_sign = |c: &char| ('\u{64b}'..='\u{652}').contains(c);
    let letters = name.chars().filter(|c| !is_vowel_sign(c));
    letters.collect::<String>().to_lowercase()
}

/// The animal that a face belongs to. English names without "face" have one in these
/// languages.
fn without_face(name: &str, language: Language) -> &str {
    let animal = match language {
        Language::French => name.strip_prefix("tête de "),
        Language::Portuguese => name.strip_prefix("rosto de "),
        Language::Japanese => name.strip_suffix("の顔"),
        Language::Arabic => name.strip_prefix("وجه "),
        Language::Swahili => name.strip_prefix("uso wa "),
        _ => None,
    };
    animal.unwrap_or(name)
}

/// Published names, by concept id and language, that are no name of the thing.
const UNFIT: &[(&str, &[(&str, Language)])] = &[
    (
        "A wider word: a kind of fish, meat, a statue.",
        &[
            ("1f421", Language::Swahili),
            ("1f330", Language::Swahili),
            ("1f953", Language::Swahili),
            ("1f457", Language::Swahili),
            ("1f3a9", Language::Swahili),
            ("1f33f", Language::Italian),
            ("1f362", Language::Spanish),
            ("1f362", Language::Arabic),
            ("1f97d", Language::French),
            ("1f97d", Language::Italian),
            ("1f5ff", Language::German),
            ("1f5ff", Language::Arabic),
        ],
    ),
    (
        "Another thing: a beaver for the otter, a life jacket for the safety vest, hooves for paws.",
        &[
            ("1f319", Language::Swahili),
            ("1f9ba", Language::Portuguese),
            ("1f9a6", Language::Arabic),
            ("1f9ab", Language::Arabic),
            ("1f43e", Language::Spanish),
            ("1f43e", Language::Arabic),
            ("1fab2", Language::Swahili),
            ("1f33c", Language::French),
            ("1f33c", Language::Swahili),
            ("1f33f", Language::French),
            ("1f361", Language::French),
            ("1f362", Language::French),
            ("1f6d1", Language::Swahili),
            ("1f38f", Language::Arabic),
            ("1f387", Language::Arabic),
            ("1f38b", Language::Arabic),
            ("1f4ef", Language::Arabic),
            ("1f9eb", Language::Swahili),
            ("2666", Language::Swahili),
            ("2663", Language::Swahili),
            ("26e9", Language::Arabic),
        ],
    ),
    (
        "What is done with it, or where it is found: boxing for the glove, the barber for \
         his pole.",
        &[
            ("1f3bd", Language::Japanese),
            ("1f6f7", Language::Japanese),
            ("1f94a", Language::Japanese),
            ("1f94b", Language::Japanese),
            ("26f8", Language::Japanese),
            ("26f8", Language::Italian),
            ("1f3a3", Language::Japanese),
            ("1f3a3", Language::French),
            ("1f3a3", Language::Portuguese),
            ("1f38b", Language::Japanese),
            ("1f38e", Language::Japanese),
            ("1f383", Language::Arabic),
            ("1f488", Language::Italian),
            ("1f488", Language::Portuguese),
            ("1f488", Language::Japanese),
            ("1f488", Language::Arabic),
            ("1f5dc", Language::Swahili),
            ("1f32b", Language::Arabic),
        ],
    ),
    (
        "The colour and size of another drawing: a white star of medium size.",
        &[
            ("2b50", Language::German),
            ("2b50", Language::Portuguese),
            ("2b50", Language::Arabic),
            ("2b50", Language::Swahili),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_name_goes() {
        assert_eq!(cleaned("人：红色头发"), "红色头发");
        assert_eq!(cleaned("Schwimmer(in)"), "Schwimmer");
        assert_eq!(cleaned("woman’s hat"), "woman's hat");
        assert_eq!(cleaned("dog"), "dog");
        assert_eq!(without_face("rosto de lobo", Language::Portuguese), "lobo");
        assert_eq!(
            without_face("tête de mort", Language::German),
            "tête de mort"
        );
    }

    #[test]
    fn vowel_signs_do_not_tell_names_apart() {
        assert_eq!(folded("إوزّة"), folded("إوزة"));
        assert_eq!(folded("DNA"), folded("dna"));
        assert_ne!(folded("ratón"), folded("raton"));
    }
}
