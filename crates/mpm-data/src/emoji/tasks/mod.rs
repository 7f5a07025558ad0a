//! Training samples and evaluation items made from the set.
//!
//! Three stages, as in VisCPM: [`Tasks::text`] teaches the language model to
//! answer in the language of the question from a description *in any language*
//! that stands where the picture will be; [`Tasks::caption`] ties pictures to
//! English words; [`Tasks::instruction`] asks about pictures. [`TaskOptions`] says
//! which languages take part in the first, and whether they meet there.
//!
//! Every sample is a function of a seed and an index: streams can be resumed,
//! and read from several threads, in any order.

mod contents;
mod evaluation;
mod picture;
mod text;

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::templates::templates;
use super::{EmojiError, EmojiSet, Language, NameClass, Scene, Split, Style};
use crate::DataError;

pub use evaluation::{EVALUATION_GROUND, NamingQuestion};

/// What a sample asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TaskKind {
    /// The name of the thing
    Naming,
    /// The kind of thing
    Category,
    /// "Is this a cat?"
    YesNo,
    /// "Is this a cat or a dog?"
    Choice,
    /// Keywords
    Keywords,
    /// The colour in the thing's name
    Colour,
    /// A word in another language
    Translation,
    /// A caption of one thing
    Caption,
    /// A caption of several things
    SceneCaption,
    /// How many things there are
    Count,
    /// The colour of the ground
    Ground,
    /// What is on the left or right
    Side,
}

/// One training sample.
///
/// At most one of `picture` and `description` is given; a translation has
/// neither.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sample {
    /// The picture, to be drawn with [`EmojiSet::compose`].
    pub picture: Option<Scene>,
    /// Words that stand where the picture will be.
    pub description: Option<String>,
    /// The question.
    pub question: String,
    /// The answer; never empty.
    pub answer: String,
    /// The language of the question. The answer is in the same language, except
    /// for translations, and where [`TaskOptions::code_switching`] says otherwise.
    pub language: Language,
    /// What is asked for.
    pub kind: TaskKind,
    /// The place in [`Tasks::classes`] of the one thing that is shown or described
    /// alone; `None` for scenes and translations.
    pub class: Option<usize>,
}

/// What [`Tasks`] draws from.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskOptions {
    /// How many names, the ones to learn first at the front, see
    /// [`Naming::classes`](super::Naming::classes).
    pub names: usize,
    /// Only things that have a name in each of these languages are taken. English and
    /// Chinese name all things.
    pub named_in: Vec<Language>,
    /// The languages that [`Tasks::text`] asks questions in, of
    /// [`TASK_LANGUAGES`](super::TASK_LANGUAGES); one or more. A thing is asked about in
    /// those that name it, and left out where none does.
    pub question_languages: Vec<Language>,
    /// The languages that descriptions are written in. A language without a
    /// clean name for a thing falls back to English.
    pub description_languages: Vec<Language>,
    /// Whether languages meet in a sample of [`Tasks::text`]. Without that, the
    /// description is in the language of the question whatever
    /// `description_languages` says, and nothing is translated.
    pub cross_lingual: bool,
    /// The share of questions about one thing in [`Tasks::text`] that are answered in
    /// another of `question_languages`, as happens in texts from the web. `0.0..=1.0`;
    /// values outside are clamped. Without `cross_lingual` there are none.
    pub code_switching: f64,
    /// The share of captions that are about several things, `0.0..=1.0`; values
    /// outside are clamped.
    pub scene_share: f64,
}

impl Default for TaskOptions {
    /// All names, questions and descriptions in English and Chinese in all
    /// combinations, a quarter of the captions about scenes.
    fn default() -> Self {
        Self {
            names: usize::MAX,
            named_in: Vec::new(),
            question_languages: vec![Language::English, Language::Chinese],
            description_languages: vec![Language::English, Language::Chinese],
            cross_lingual: true,
            code_switching: 0.0,
            scene_share: 0.25,
        }
    }
}

/// Makes samples from a set.
#[derive(Debug)]
pub struct Tasks<'a> {
    set: &'a EmojiSet,
    classes: Vec<&'a NameClass>,
    /// The training pairs of each class that has any
    pictured: Vec<(&'a NameClass, Vec<(usize, Style)>)>,
    question_languages: Vec<Language>,
    description_languages: Vec<Language>,
    cross_lingual: bool,
    code_switching: f64,
    /// The kinds of text, each with its weight
    text_kinds: Vec<(TaskKind, u32)>,
    scene_share: f64,
}

impl<'a> Tasks<'a> {
    /// Prepares the lists that samples are drawn from.
    ///
    /// # Errors
    /// [`EmojiError::TooFewNames`] where the options leave fewer than two names
    /// with training pictures: most questions need a second one.
    /// [`EmojiError::NoQuestionLanguage`] where there is none, and
    /// [`EmojiError::NoTemplates`] for one that questions are not asked in.
    pub fn new(set: &'a EmojiSet, options: &TaskOptions) -> Result<Self, DataError> {
        let questions = &options.question_languages;
        if questions.is_empty() {
            return Err(set.error(EmojiError::NoQuestionLanguage));
        }
        if let Some(&language) = questions.iter().find(|&&of| templates(of).is_none()) {
            return Err(set.error(EmojiError::NoTemplates { language }));
        }
        let classes = set.naming().classes().iter();
        let classes: Vec<_> = classes
            .filter(|class| class.is_named_in(&options.named_in))
            .filter(|class| questions.iter().any(|&of| class.name(of).is_some()))
            .take(options.names)
            .collect();
        let pictured: Vec<_> = classes
            .iter()
            .map(|&class| (class, pairs(set, class, Split::Train)))
            .filter(|(_, pairs)| !pairs.is_empty())
            .collect();
        if pictured.len() < 2 {
            let found = pictured.len();
            return Err(set.error(EmojiError::TooFewNames { found }));
        }
        Ok(Self {
            set,
            classes,
            pictured,
            question_languages: questions.clone(),
            description_languages: options.description_languages.clone(),
            cross_lingual: options.cross_lingual,
            code_switching: text::code_switching(options),
            text_kinds: text::kinds(options),
            scene_share: options.scene_share.clamp(0.0, 1.0),
        })
    }

    /// The names that are asked for.
    #[must_use]
    pub fn classes(&self) -> &[&'a NameClass] {
        &self.classes
    }

    /// The languages that [`text`](Self::text) asks questions in.
    #[must_use]
    pub fn question_languages(&self) -> &[Language] {
        &self.question_languages
    }

    /// The name of a class in a language, in English where it has none.
    ///
    /// # Panics
    /// When `class` is not a place in [`classes`](Self::classes).
    #[must_use]
    pub fn name(&self, class: usize, language: Language) -> &'a str {
        name_of(self.classes[class], language)
    }

    /// The place of a class in [`classes`](Self::classes).
    fn place(&self, class: &NameClass) -> usize {
        let place = self.classes.iter().position(|&other| other == class);
        place.expect("all classes are taken from this list")
    }

    /// The generator of sample `index` of the stream `seed`.
    fn rng(seed: u64, index: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        rng
    }

    /// A class other than `class`, with a name in the language if there is any, most often of
    /// the same category.
    fn other_class(
        &self,
        class: &NameClass,
        language: Language,
        rng: &mut ChaCha8Rng,
    ) -> &'a NameClass {
        let category = self.set.concepts()[class.concepts()[0]].category();
        let named = |other: &&&NameClass| other.name(language).is_some();
        let mut candidates: Vec<&NameClass> = self.classes.iter().filter(named).copied().collect();
        if candidates.len() < 2 {
            candidates.clone_from(&self.classes);
        }
        let draw = |rng: &mut ChaCha8Rng| *pick(&candidates, rng);
        // Most pairs of random things are too easy to tell apart. A dozen draws
        // find one of the same kind nearly always.
        let mut other = draw(rng);
        for _ in 0..12 {
            let same = self.set.concepts()[other.concepts()[0]].category() == category;
            if same && other != class {
                break;
            }
            other = draw(rng);
        }
        while other == class && self.classes.len() > 1 {
            other = draw(rng);
        }
        other
    }
}

/// The pictures of a class in one part of the set.
fn pairs(set: &EmojiSet, class: &NameClass, split: Split) -> Vec<(usize, Style)> {
    set.pairs()
        .filter(|&(concept, style)| {
            class.concepts().contains(&concept) && set.split(concept, style).ok() == Some(split)
        })
        .collect()
}

/// One element at random.
fn pick<'t, T>(from: &'t [T], rng: &mut ChaCha8Rng) -> &'t T {
    from.choose(rng)
        .expect("lists of templates and names are not empty")
}

/// One phrasing at random.
fn phrase(phrasings: &[&'static str], rng: &mut ChaCha8Rng) -> &'static str {
    pick::<&'static str>(phrasings, rng)
}

/// The name of a class in a language that questions can be asked in.
fn name_of(class: &NameClass, language: Language) -> &str {
    class
        .name(language)
        .or_else(|| class.name(Language::English))
        .expect("every class has an English name")
}
