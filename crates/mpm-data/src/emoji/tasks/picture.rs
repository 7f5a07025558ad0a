//! Samples with pictures: captions and questions.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::super::templates::TASK_LANGUAGES;
use super::contents::Contents;
use super::text::{draw_kind, phrases};
use super::{Sample, TaskKind, Tasks, name_of, phrase, pick};
use crate::DataError;
use crate::emoji::{Colour, EmojiError, Language, NameClass, Scene, Style};

/// How often each kind of question about a picture is drawn.
const KINDS: [(TaskKind, u32); 7] = [
    (TaskKind::Naming, 50),
    (TaskKind::YesNo, 12),
    (TaskKind::Category, 10),
    (TaskKind::Choice, 6),
    (TaskKind::Count, 8),
    (TaskKind::Ground, 6),
    (TaskKind::Side, 8),
];

/// What may have been asked before.
const EARLIER_KINDS: [TaskKind; 4] = [
    TaskKind::Naming,
    TaskKind::Category,
    TaskKind::YesNo,
    TaskKind::Caption,
];

/// How often the caption of one thing is a list of keywords.
const KEYWORDS_SHARE: f64 = 0.15;

/// The levels of a tint: drawings with dark outlines stay legible, and
/// white ones (many of Twemoji's) do not vanish, for a tint is never pure white.
const TINT: std::ops::Range<u8> = 170..250;

/// How far a named ground may be from the typical shade, in levels.
const SHADE: i16 = 12;

impl Tasks<'_> {
    /// Sample `index` of the caption stream `seed`: English captions of training
    /// pictures.
    #[must_use]
    pub fn caption(&self, seed: u64, index: u64) -> Sample {
        self.draw_caption(seed, index, Language::English)
    }

    /// The same caption in another language: the same seed and index give the same
    /// picture. It is English where the language has no name for what is to be seen.
    ///
    /// # Errors
    /// [`EmojiError::NoTemplates`] for a language that is not in
    /// [`TASK_LANGUAGES`].
    pub fn caption_in(
        &self,
        seed: u64,
        index: u64,
        language: Language,
    ) -> Result<Sample, DataError> {
        if !TASK_LANGUAGES.contains(&language) {
            return Err(self.set.error(EmojiError::NoTemplates { language }));
        }
        Ok(self.draw_caption(seed, index, language))
    }

    fn draw_caption(&self, seed: u64, index: u64, language: Language) -> Sample {
        let mut rng = Self::rng(seed, index);
        if rng.random_bool(self.scene_share) {
            return self.scene_caption(language, &mut rng);
        }
        let (class, pair) = self.draw(&mut rng);
        let language = named_or_english(class, language);
        let concept = &self.set.concepts()[pair.0];
        let kind = if rng.random_bool(KEYWORDS_SHARE) {
            TaskKind::Keywords
        } else {
            TaskKind::Caption
        };
        // The tint comes after the draws of the English words: another language may
        // need more or fewer of them, and shall not move it.
        let mut words_rng = rng.clone();
        self.ask(kind, class, concept, Language::English, &mut rng);
        let picture = Scene::single(pair.0, pair.1, tint(&mut rng));
        let (_, question, answer) = self.ask(kind, class, concept, language, &mut words_rng);
        Sample {
            picture: Some(picture),
            description: None,
            question,
            answer,
            language,
            kind: TaskKind::Caption,
            class: Some(self.place(class)),
        }
    }

    /// Picture `index` of the stream `seed` of training pictures of one thing, with
    /// the place of its class in [`classes`](Tasks::classes).
    #[must_use]
    pub fn named_picture(&self, seed: u64, index: u64) -> (Scene, usize) {
        let mut rng = Self::rng(seed, index);
        let (class, pair) = self.draw(&mut rng);
        let scene = Scene::single(pair.0, pair.1, tint(&mut rng));
        (scene, self.place(class))
    }

    /// Question and answer `index` of the stream `seed` about a thing that is shown or
    /// described alone: what may have been said before another question about it. They are
    /// English where the language has no name for it.
    ///
    /// # Errors
    /// [`EmojiError::NoTemplates`] for a language that is not in
    /// [`TASK_LANGUAGES`].
    ///
    /// # Panics
    /// When `class` is not a place in [`classes`](Tasks::classes).
    pub fn earlier_turn(
        &self,
        seed: u64,
        index: u64,
        class: usize,
        language: Language,
    ) -> Result<(String, String), DataError> {
        if !TASK_LANGUAGES.contains(&language) {
            return Err(self.set.error(EmojiError::NoTemplates { language }));
        }
        let mut rng = Self::rng(seed, index);
        let class = self.classes[class];
        let language = named_or_english(class, language);
        let concept = &self.set.concepts()[class.concepts()[0]];
        let kind = *pick(&EARLIER_KINDS, &mut rng);
        let (_, question, answer) = self.ask(kind, class, concept, language, &mut rng);
        Ok((question, answer))
    }

    /// Sample `index` of the instruction stream `seed`: a question about a
    /// training picture.
    ///
    /// The same seed and index give the same picture and the same question in
    /// another language: the few hundred translated pairs of the method are the
    /// Chinese samples 0 to k. [`TaskOptions::question_languages`](super::TaskOptions)
    /// has no say here; a thing without a name in the language is asked about in
    /// English, which [`TaskOptions::named_in`](super::TaskOptions) prevents.
    ///
    /// # Errors
    /// [`EmojiError::NoTemplates`] for a language that is not in
    /// [`TASK_LANGUAGES`].
    pub fn instruction(
        &self,
        seed: u64,
        index: u64,
        language: Language,
    ) -> Result<Sample, DataError> {
        if !TASK_LANGUAGES.contains(&language) {
            return Err(self.set.error(EmojiError::NoTemplates { language }));
        }
        let mut rng = Self::rng(seed, index);
        let kind = draw_kind(&KINDS, &mut rng);
        let (class, pair) = self.draw(&mut rng);
        let language = named_or_english(class, language);
        let words = phrases(language);
        let (kind, picture, question, answer) = match kind {
            TaskKind::Count => {
                let count = rng.random_range(1..=4u32) as usize;
                let picture = repeated(pair, count, tint(&mut rng), &mut rng);
                let question = phrase(words.count, &mut rng).to_owned();
                (kind, picture, question, words.numbers[count - 1].to_owned())
            }
            TaskKind::Ground => {
                let (colour, ground) = shade(&mut rng);
                let question = phrase(words.ground, &mut rng).to_owned();
                let answer = (words.colour_word)(colour).to_owned();
                (
                    kind,
                    Scene::single(pair.0, pair.1, ground),
                    question,
                    answer,
                )
            }
            TaskKind::Side => {
                let (other, other_pair) = self.draw_other(class, language, &mut rng);
                let left = rng.random_bool(0.5);
                let picture = Scene::pair(pair, other_pair, tint(&mut rng));
                let (asked, questions) = if left {
                    (class, words.left)
                } else {
                    (other, words.right)
                };
                let question = phrase(questions, &mut rng).to_owned();
                (kind, picture, question, name_of(asked, language).to_owned())
            }
            _ => {
                let concept = &self.set.concepts()[pair.0];
                let picture = Scene::single(pair.0, pair.1, tint(&mut rng));
                let (kind, question, answer) = self.ask(kind, class, concept, language, &mut rng);
                (kind, picture, question, answer)
            }
        };
        let alone = picture.emoji.len() == 1;
        Ok(Sample {
            picture: Some(picture),
            description: None,
            question,
            answer,
            language,
            kind,
            class: alone.then(|| self.place(class)),
        })
    }

    /// Two things side by side, or one thing several times.
    fn scene_caption(&self, language: Language, rng: &mut ChaCha8Rng) -> Sample {
        let (class, pair) = self.draw(rng);
        let language = named_or_english(class, language);
        let (colour, ground) = shade(rng);
        let (picture, contents) = if rng.random_bool(0.5) {
            let (other, other_pair) = self.draw_other(class, language, rng);
            let contents = Contents::Pair(class, other, colour);
            (Scene::pair(pair, other_pair, ground), contents)
        } else {
            let count = rng.random_range(2..=4u32) as usize;
            let contents = Contents::Repeated(class, count, colour);
            (repeated(pair, count, ground, rng), contents)
        };
        Sample {
            picture: Some(picture),
            description: None,
            question: phrase(phrases(language).describe, rng).to_owned(),
            answer: contents.caption(language, rng),
            language,
            kind: TaskKind::SceneCaption,
            class: None,
        }
    }

    /// A class and one of its training pictures; every class as often.
    fn draw(&self, rng: &mut ChaCha8Rng) -> (&NameClass, (usize, Style)) {
        let (class, pairs) = pick(&self.pictured, rng);
        (class, *pick(pairs, rng))
    }

    /// The same for a second thing that the language names, if it names any.
    fn draw_other(
        &self,
        class: &NameClass,
        language: Language,
        rng: &mut ChaCha8Rng,
    ) -> (&NameClass, (usize, Style)) {
        let others = |(other, _): &&(&NameClass, _)| *other != class;
        let named = |(other, _): &&(&NameClass, _)| other.name(language).is_some();
        let any_named = self
            .pictured
            .iter()
            .filter(others)
            .any(|other| named(&other));
        loop {
            let (other, pair) = self.draw(rng);
            // There are two classes at least: `Tasks::new` sees to it.
            if other != class && (other.name(language).is_some() || !any_named) {
                return (other, pair);
            }
        }
    }
}

/// The language where it names a thing, else English, which names all.
fn named_or_english(class: &NameClass, language: Language) -> Language {
    match class.name(language) {
        Some(_) => language,
        None => Language::English,
    }
}

/// The same drawing in `count` of the four quarters.
fn repeated(pair: (usize, Style), count: usize, ground: [u8; 3], rng: &mut ChaCha8Rng) -> Scene {
    let mut quarters = [0, 1, 2, 3];
    quarters.shuffle(rng);
    Scene::quarters(&vec![pair; count], &quarters, ground)
}

/// A light ground without a name.
fn tint(rng: &mut ChaCha8Rng) -> [u8; 3] {
    [(); 3].map(|()| rng.random_range(TINT))
}

/// A ground whose colour has a name.
fn shade(rng: &mut ChaCha8Rng) -> (Colour, [u8; 3]) {
    let colour = *pick(&Colour::ALL, rng);
    let rgb = colour.rgb().map(|level| {
        let level = i16::from(level) + rng.random_range(-SHADE..=SHADE);
        level.clamp(0, 255) as u8
    });
    (colour, rgb)
}
