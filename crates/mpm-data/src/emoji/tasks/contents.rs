//! What there is in a scene, in words.

use rand_chacha::ChaCha8Rng;

use super::super::templates::{COMPLETE, Templates, fill, templates};
use super::text::phrases;
use super::{name_of, phrase};
use crate::emoji::{Colour, Language, NameClass};

/// Several things on a ground of one colour.
pub(super) enum Contents<'a> {
    /// The thing on the left and the one on the right.
    Pair(&'a NameClass, &'a NameClass, Colour),
    /// The same thing several times.
    Repeated(&'a NameClass, usize, Colour),
}

impl Contents<'_> {
    /// A caption, which may leave something out.
    pub fn caption(&self, language: Language, rng: &mut ChaCha8Rng) -> String {
        let words = phrases(language);
        self.fill(words, language, phrase(self.phrasings(words), rng))
    }

    /// Words that say all there is; in English where `language` has no phrases.
    pub fn description(&self, language: Language, rng: &mut ChaCha8Rng) -> String {
        let language = templates(language).map_or(Language::English, |_| language);
        let words = phrases(language);
        let complete = &self.phrasings(words)[..COMPLETE];
        self.fill(words, language, phrase(complete, rng))
    }

    fn phrasings(&self, words: &Templates) -> &'static [&'static str] {
        match self {
            Self::Pair(..) => words.pair_caption,
            Self::Repeated(..) => words.count_caption,
        }
    }

    fn fill(&self, words: &Templates, language: Language, phrasing: &str) -> String {
        let named = |class| (words.with_article)(name_of(class, language));
        match self {
            Self::Pair(left, right, ground) => fill(
                phrasing,
                &[
                    ("{a_first}", &named(left)),
                    ("{a_second}", &named(right)),
                    ("{ground}", (words.colour_word)(*ground)),
                ],
            ),
            Self::Repeated(class, count, ground) => fill(
                phrasing,
                &[
                    ("{count}", words.numbers[count - 1]),
                    ("{a_name}", &named(class)),
                    ("{ground}", (words.colour_word)(*ground)),
                ],
            ),
        }
    }
}
