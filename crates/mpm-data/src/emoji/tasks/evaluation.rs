//! Questions to measure a model with.

use super::super::templates::{Templates, fill, templates};
use super::{Tasks, name_of, pairs};
use crate::DataError;
use crate::emoji::{EmojiError, Language, Scene, Split};

/// The ground of evaluation pictures: a light tint that no style draws with.
pub const EVALUATION_GROUND: [u8; 3] = [226, 234, 240];

/// "What is this?" about one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamingQuestion {
    /// The picture, to be drawn with [`EmojiSet::compose`](crate::emoji::EmojiSet::compose).
    pub picture: Scene,
    /// The question, always the first phrasing of its language.
    pub question: String,
    /// The name.
    pub answer: String,
    /// All answers that count as right, the name included.
    pub accepted: Vec<String>,
    /// The place of the class in [`Tasks::classes`].
    pub class: usize,
}

impl Tasks<'_> {
    /// Naming questions about all pictures of one part of the set, in order. Things
    /// without a name in that language are left out.
    ///
    /// Check answers with [`NameClass::accepts`](crate::emoji::NameClass::accepts),
    /// which also forgives articles and the case of letters.
    ///
    /// # Errors
    /// [`EmojiError::NoTemplates`] for a language that questions are not asked in.
    pub fn naming_questions(
        &self,
        split: Split,
        language: Language,
    ) -> Result<Vec<NamingQuestion>, DataError> {
        let question = self.naming_question(language)?;
        let mut questions = Vec::new();
        for (number, &class) in self.classes.iter().enumerate() {
            let Some(name) = class.name(language) else {
                continue;
            };
            for (concept, style) in pairs(self.set, class, split) {
                questions.push(NamingQuestion {
                    picture: Scene::single(concept, style, EVALUATION_GROUND),
                    question: question.to_owned(),
                    answer: name.to_owned(),
                    accepted: class.accepted(language).to_vec(),
                    class: number,
                });
            }
        }
        Ok(questions)
    }

    /// "What is this?", always in the first phrasing.
    ///
    /// # Errors
    /// [`EmojiError::NoTemplates`] for a language that questions are not asked in.
    pub fn naming_question(&self, language: Language) -> Result<&'static str, DataError> {
        Ok(self.words(language)?.naming[0])
    }

    /// "Describe the picture.", always in the first phrasing.
    ///
    /// # Errors
    /// [`EmojiError::NoTemplates`] for a language that questions are not asked in.
    pub fn caption_question(&self, language: Language) -> Result<&'static str, DataError> {
        Ok(self.words(language)?.describe[0])
    }

    /// All captions of a thing that is shown alone: what an answer to
    /// [`caption_question`](Self::caption_question) is compared with.
    ///
    /// # Errors
    /// [`EmojiError::NoTemplates`] for a language that questions are not asked in.
    ///
    /// # Panics
    /// When `class` is not a place in [`classes`](Self::classes).
    pub fn captions(&self, class: usize, language: Language) -> Result<Vec<String>, DataError> {
        let words = self.words(language)?;
        let name = name_of(self.classes[class], language);
        let places = [("{name}", name), ("{a_name}", &(words.with_article)(name))];
        let captions = words.caption.iter();
        Ok(captions.map(|caption| fill(caption, &places)).collect())
    }

    fn words(&self, language: Language) -> Result<&'static Templates, DataError> {
        templates(language).ok_or_else(|| self.set.error(EmojiError::NoTemplates { language }))
    }
}
