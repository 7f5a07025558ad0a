//! Samples for the language model alone: no pictures.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::super::templates::{Templates, fill, templates};
use super::contents::Contents;
use super::{Sample, TaskKind, TaskOptions, Tasks, name_of, phrase, pick};
use crate::emoji::{Colour, Concept, Language, NameClass};

/// How often each kind is drawn.
const KINDS: [(TaskKind, u32); 12] = [
    (TaskKind::Naming, 26),
    (TaskKind::YesNo, 18),
    (TaskKind::Caption, 12),
    (TaskKind::Category, 12),
    (TaskKind::Translation, 10),
    (TaskKind::Choice, 6),
    (TaskKind::Keywords, 4),
    (TaskKind::SceneCaption, 4),
    (TaskKind::Side, 3),
    (TaskKind::Colour, 2),
    (TaskKind::Count, 2),
    (TaskKind::Ground, 1),
];

/// How often each kind is drawn with these options.
pub(super) fn kinds(options: &TaskOptions) -> Vec<(TaskKind, u32)> {
    let mut kinds = KINDS.to_vec();
    kinds.retain(|(kind, _)| languages_meet(options) || *kind != TaskKind::Translation);
    kinds
}

/// How often a question is answered in another language with these options.
pub(super) fn code_switching(options: &TaskOptions) -> f64 {
    match languages_meet(options) {
        true => options.code_switching.clamp(0.0, 1.0),
        false => 0.0,
    }
}

/// Nothing is translated where languages stay apart, or where there is only one.
fn languages_meet(options: &TaskOptions) -> bool {
    let languages = &options.question_languages;
    options.cross_lingual && languages.iter().any(|of| *of != languages[0])
}

/// How many keywords a description or an answer has at most.
const MAX_KEYWORDS: usize = 5;

/// How often a description is a phrase rather than a list of words.
const PHRASE_SHARE: f64 = 0.3;

/// How often a list of words contains the category.
const CATEGORY_SHARE: f64 = 0.25;

impl<'a> Tasks<'a> {
    /// Sample `index` of the text-only stream `seed`.
    ///
    /// The description is in one of
    /// [`TaskOptions::description_languages`], the question in one of
    /// [`TaskOptions::question_languages`], or both in the same where
    /// [`TaskOptions::cross_lingual`] is false. Concepts without training pictures
    /// take part: their words may be learnt.
    #[must_use]
    pub fn text(&self, seed: u64, index: u64) -> Sample {
        let mut rng = Self::rng(seed, index);
        let language = *pick(&self.question_languages, &mut rng);
        let class = *pick(&self.classes, &mut rng);
        let language = self.spoken(class, language);
        let kind = draw_kind(&self.text_kinds, &mut rng);
        match kind {
            TaskKind::Translation => {
                if let Some(sample) = self.translation(class, language, &mut rng) {
                    return sample;
                }
            }
            TaskKind::SceneCaption | TaskKind::Side | TaskKind::Count | TaskKind::Ground => {
                return self.scene_text(kind, class, language, &mut rng);
            }
            _ => {}
        }
        let concept = &self.set.concepts()[*pick(class.concepts(), &mut rng)];
        let mut answer_rng = rng.clone();
        let (drawn, question, mut answer) = self.ask(kind, class, concept, language, &mut rng);
        let wanted = self.description_language(language, &mut rng);
        let description = self.describe(class, concept, wanted, &mut rng);
        if rng.random_bool(self.code_switching)
            && let Some(other) = self.other_language(class, language, &mut rng)
        {
            (_, _, answer) = self.ask(kind, class, concept, other, &mut answer_rng);
        }
        Sample {
            picture: None,
            description: Some(description),
            question,
            answer,
            language,
            kind: drawn,
            class: Some(self.place(class)),
        }
    }

    /// Description `index` of the stream `seed` of a thing: its name in a phrase, or among
    /// keywords, in one of [`TaskOptions::description_languages`].
    ///
    /// # Panics
    /// When `class` is not a place in [`classes`](Tasks::classes).
    #[must_use]
    pub fn description(&self, class: usize, seed: u64, index: u64) -> String {
        let mut rng = Self::rng(seed, index);
        let class = self.classes[class];
        let concept = &self.set.concepts()[*pick(class.concepts(), &mut rng)];
        let wanted = pick_or_english(&self.description_languages, &mut rng);
        self.describe(class, concept, wanted, &mut rng)
    }

    /// Question and answer about one thing. A kind that the thing has no answer
    /// to becomes a naming question.
    pub(super) fn ask(
        &self,
        kind: TaskKind,
        class: &NameClass,
        concept: &Concept,
        language: Language,
        rng: &mut ChaCha8Rng,
    ) -> (TaskKind, String, String) {
        let words = phrases(language);
        let name = name_of(class, language);
        let ask = |phrasings, rng: &mut ChaCha8Rng| phrase(phrasings, rng).to_owned();
        match kind {
            TaskKind::Category => (
                kind,
                ask(words.category, rng),
                (words.category_word)(concept.category()).to_owned(),
            ),
            TaskKind::YesNo => {
                let truth = rng.random_bool(0.5);
                let other = self.other_class(class, language, rng);
                let asked = if truth {
                    name
                } else {
                    name_of(other, language)
                };
                let question = fill(
                    phrase(words.yes_no, rng),
                    &[("{a_name}", &(words.with_article)(asked))],
                );
                let answer = if truth { words.yes } else { words.no };
                (kind, question, answer.to_owned())
            }
            TaskKind::Choice => {
                let other = name_of(self.other_class(class, language, rng), language);
                let (first, second) = if rng.random_bool(0.5) {
                    (name, other)
                } else {
                    (other, name)
                };
                let question = fill(
                    phrase(words.choice, rng),
                    &[
                        ("{a_first}", &(words.with_article)(first)),
                        ("{a_second}", &(words.with_article)(second)),
                    ],
                );
                (kind, question, name.to_owned())
            }
            TaskKind::Keywords => {
                let mut keywords = vec![name];
                keywords.extend(self.keywords(concept, language, name));
                keywords.truncate(MAX_KEYWORDS);
                (
                    kind,
                    ask(words.keywords, rng),
                    keywords.join(words.list_separator),
                )
            }
            TaskKind::Caption => (
                kind,
                ask(words.describe, rng),
                fill(
                    phrase(words.caption, rng),
                    &[("{name}", name), ("{a_name}", &(words.with_article)(name))],
                ),
            ),
            TaskKind::Colour if colour_of(class).is_some() => {
                let colour = colour_of(class).map_or("", words.colour_word);
                (kind, ask(words.colour, rng), colour.to_owned())
            }
            _ => (TaskKind::Naming, ask(words.naming, rng), name.to_owned()),
        }
    }

    /// A question about several things that are described in words.
    fn scene_text(
        &self,
        kind: TaskKind,
        class: &'a NameClass,
        language: Language,
        rng: &mut ChaCha8Rng,
    ) -> Sample {
        let words = phrases(language);
        let other = self.other_class(class, language, rng);
        let colour = *pick(&Colour::ALL, rng);
        let count = rng.random_range(1..=words.numbers.len() as u32) as usize;
        let in_pairs = match kind {
            TaskKind::Side => true,
            TaskKind::Count => false,
            _ => rng.random_bool(0.5),
        };
        let contents = if in_pairs {
            Contents::Pair(class, other, colour)
        } else {
            Contents::Repeated(class, count, colour)
        };
        let (phrasings, answer) = match kind {
            TaskKind::Count => (words.count, words.numbers[count - 1].to_owned()),
            TaskKind::Ground => (words.ground, (words.colour_word)(colour).to_owned()),
            TaskKind::Side if rng.random_bool(0.5) => {
                (words.left, name_of(class, language).to_owned())
            }
            TaskKind::Side => (words.right, name_of(other, language).to_owned()),
            _ => (words.describe, contents.caption(language, rng)),
        };
        let wanted = self.description_language(language, rng);
        Sample {
            picture: None,
            description: Some(contents.description(wanted, rng)),
            question: phrase(phrasings, rng).to_owned(),
            answer,
            language,
            kind,
            class: None,
        }
    }

    /// The wanted language where it names a thing, else the first of the questions that does.
    fn spoken(&self, class: &NameClass, wanted: Language) -> Language {
        if class.name(wanted).is_some() {
            return wanted;
        }
        let mut languages = self.question_languages.iter();
        let named = languages.find(|&&of| class.name(of).is_some());
        *named.expect("classes without a name in any of them are left out")
    }

    /// Another language of questions that names a thing, if there is one.
    fn other_language(
        &self,
        class: &NameClass,
        language: Language,
        rng: &mut ChaCha8Rng,
    ) -> Option<Language> {
        let mut others = self.question_languages.clone();
        others.retain(|&other| other != language && class.name(other).is_some());
        (!others.is_empty()).then(|| *pick(&others, rng))
    }

    /// The language of the description that a question in `language` is about.
    fn description_language(&self, language: Language, rng: &mut ChaCha8Rng) -> Language {
        if self.cross_lingual {
            pick_or_english(&self.description_languages, rng)
        } else {
            language
        }
    }

    /// Words about a thing that name it, in English where it has no name in the
    /// `wanted` language.
    fn describe(
        &self,
        class: &NameClass,
        concept: &Concept,
        wanted: Language,
        rng: &mut ChaCha8Rng,
    ) -> String {
        let (language, name) = match class.name(wanted) {
            Some(name) => (wanted, name),
            None => (Language::English, name_of(class, Language::English)),
        };
        let as_phrase = rng.random_bool(PHRASE_SHARE);
        if let (true, Some(words)) = (as_phrase, templates(language)) {
            return fill(
                phrase(words.description, rng),
                &[("{name}", name), ("{a_name}", &(words.with_article)(name))],
            );
        }
        let mut keywords: Vec<_> = self.keywords(concept, language, name).collect();
        keywords.shuffle(rng);
        keywords.truncate(rng.random_range(0..=MAX_KEYWORDS as u32) as usize);
        let category = self.set.category_label(concept.category(), language);
        if rng.random_bool(CATEGORY_SHARE) {
            keywords.extend(category.filter(|label| !keywords.contains(label)));
        }
        keywords.push(name);
        keywords.shuffle(rng);
        let separator = match templates(language) {
            Some(words) => words.list_separator,
            None if language.is_unspaced() => "、",
            None => ", ",
        };
        keywords.join(separator)
    }

    /// CLDR's keywords of a concept, without the name that it is given here. Where
    /// languages stay apart, without the few of another alphabet, too.
    fn keywords<'t>(
        &self,
        concept: &'t Concept,
        language: Language,
        name: &'t str,
    ) -> impl Iterator<Item = &'t str> + use<'t> {
        let any_letters = self.cross_lingual || language.is_latin();
        let texts = concept.texts.get(&language).into_iter();
        texts
            .flat_map(|text| text.keywords.iter().map(String::as_str))
            .filter(move |keyword| !keyword.eq_ignore_ascii_case(name))
            .filter(move |keyword| {
                any_letters || !keyword.contains(|c: char| c.is_ascii_alphabetic())
            })
    }

    /// "How do you say {word} in {language}?", where two languages name the thing.
    fn translation(
        &self,
        class: &NameClass,
        language: Language,
        rng: &mut ChaCha8Rng,
    ) -> Option<Sample> {
        let words = phrases(language);
        let from = self.spoken(class, *pick(&self.question_languages, rng));
        let to = self.other_language(class, from, rng)?;
        let question = fill(
            phrase(words.translation, rng),
            &[
                ("{word}", name_of(class, from)),
                ("{language}", (words.language_word)(to)),
            ],
        );
        Some(Sample {
            picture: None,
            description: None,
            question,
            answer: name_of(class, to).to_owned(),
            language,
            kind: TaskKind::Translation,
            class: None,
        })
    }
}

/// A kind, by weight.
pub(super) fn draw_kind(kinds: &[(TaskKind, u32)], rng: &mut ChaCha8Rng) -> TaskKind {
    let total = kinds.iter().map(|(_, weight)| weight).sum();
    let mut draw = rng.random_range(0..total);
    for &(kind, weight) in kinds {
        if draw < weight {
            return kind;
        }
        draw -= weight;
    }
    TaskKind::Naming
}

/// The phrases of a language of [`TASK_LANGUAGES`].
pub(super) fn phrases(language: Language) -> &'static Templates {
    templates(language).expect("questions are only asked in TASK_LANGUAGES")
}

/// The colour that the English name of a class gives.
fn colour_of(class: &NameClass) -> Option<Colour> {
    Colour::of_name(class.name(Language::English)?)
}

/// One language at random.
fn pick_or_english(languages: &[Language], rng: &mut ChaCha8Rng) -> Language {
    if languages.is_empty() {
        return Language::English;
    }
    *pick(languages, rng)
}
