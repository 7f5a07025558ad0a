//! How well, and in which language, a model names pictures.

use burn::tensor::{Tensor, backend::Backend};
use emoji_training::BoxError;
use mpm_core::MpmBackend;
use mpm_data::{
    emoji::{Language, Split, Tasks},
    picture::Picture,
};
use mpm_train::{
    Workers,
    evaluate::{
        Example, Tokenizer, is_exact_match,
        language::{KnownAnswers, LanguageShare, NoDetector},
        rouge::coco_rouge,
    },
};
use train_emoji_chat::Respondent;
use viscpm_chat::ChatModel;

use crate::{
    figures::{Figure, Subject},
    lab::{Lab, Sighted},
};

/// Pictures that the model was trained with.
pub const TRAINING: &str = "training";

/// Pictures of things that it knows, in styles in which it never saw them.
pub const HELD_OUT: &str = "held-out";

/// Names alone, without pictures.
pub const NAMES: &str = "names";

/// The part of the pictures that are named right.
pub const NAMED: &str = "named";

/// The same, if the model is asked without a picture.
pub const NAMED_BLINDLY: &str = "named blindly";

/// The part of the answers that are a name in the language of the question.
pub const IN_THE_LANGUAGE: &str = "in the language";

/// How near descriptions of pictures are to the captions of what they show: ROUGE-L as of COCO.
pub const DESCRIBED: &str = "described";

/// The parts of the set that are asked about.
const SPLITS: [(Split, &str); 2] = [(Split::Train, TRAINING), (Split::HeldOutPair, HELD_OUT)];

/// Asks a model about the pictures of the set, in all languages.
///
/// # Errors
/// Those of the model.
pub fn measure<B: MpmBackend>(
    lab: &Lab,
    model: ChatModel<B>,
    of: Sighted,
    arm: &str,
) -> Result<Vec<Figure>, BoxError> {
    let tasks = Tasks::new(lab.set, &lab.recipe(of).tasks())?;
    let mut interview = Interview::new(lab, &tasks, model)?;
    let mut figures = Vec::new();
    for (split, name) in SPLITS {
        let every = match split {
            Split::Train => lab.settings.every,
            _ => 1,
        };
        let questions = tasks.naming_questions(split, Language::English)?;
        for question in questions.iter().step_by(every) {
            interview.show(question.class, &lab.set.compose(&question.picture)?)?;
        }
        if split == Split::HeldOutPair {
            figures.extend(interview.describe(arm, of.seed, name)?);
        }
        figures.extend(interview.figures(arm, of.seed, name)?);
    }
    Ok(figures)
}

/// "What is this?" about pictures, in all languages, and the same about an empty ground.
pub struct Interview<'a, B: Backend> {
    lab: &'a Lab,
    tasks: &'a Tasks<'static>,
    respondent: Respondent<B>,
    known: KnownAnswers,
    workers: Workers,
    /// What the model sees of each picture, with the class of what it shows.
    seen: Vec<(usize, Tensor<B, 3>)>,
}

impl<'a, B: MpmBackend> Interview<'a, B> {
    /// Before any picture is shown.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn new(
        lab: &'a Lab,
        tasks: &'a Tasks<'static>,
        model: ChatModel<B>,
    ) -> Result<Self, BoxError> {
        Ok(Self {
            lab,
            tasks,
            respondent: Respondent { model },
            known: known_answers(tasks, &lab.settings.languages),
            workers: Workers::for_each_core()?,
            seen: Vec::new(),
        })
    }

    /// Shows a picture of a class, a place in [`Tasks::classes`].
    ///
    /// # Errors
    /// Those of the model.
    pub fn show(&mut self, class: usize, picture: &Picture) -> Result<(), BoxError> {
        let features = self.respondent.encode(picture)?;
        self.seen.push((class, features));
        Ok(())
    }

    /// The answers to a question about each of the pictures that were shown.
    fn ask(&self, question: &str) -> Result<Vec<String>, BoxError> {
        let answers = self.workers.map(&self.seen, |(_, features)| {
            self.respondent.ask(features.clone(), question)
        });
        answers.into_iter().collect()
    }

    /// Asks for descriptions of all pictures that were shown.
    ///
    /// # Errors
    /// Those of the model.
    pub fn describe(&self, arm: &str, seed: u64, split: &str) -> Result<Vec<Figure>, BoxError> {
        let mut figures = Vec::new();
        for &language in &self.lab.settings.languages {
            let question = self.tasks.caption_question(language)?;
            let mut examples = Vec::new();
            for ((class, _), answer) in self.seen.iter().zip(self.ask(question)?) {
                examples.push(Example::new(answer, self.tasks.captions(*class, language)?));
            }
            let tokenizer = Tokenizer::for_captions(language.code());
            let subject = Subject {
                arm: arm.to_owned(),
                seed,
                language,
                split: split.to_owned(),
                quantity: DESCRIBED.to_owned(),
            };
            figures.push(Figure::new(subject, coco_rouge(&examples, tokenizer)?.mean));
        }
        Ok(figures)
    }

    /// Asks about all pictures that were shown, and puts them away.
    ///
    /// # Errors
    /// Those of the model.
    pub fn figures(&mut self, arm: &str, seed: u64, split: &str) -> Result<Vec<Figure>, BoxError> {
        let mut figures = Vec::new();
        for &language in &self.lab.settings.languages {
            let question = self.tasks.naming_question(language)?;
            let blind = self.respondent.ask_blindly(self.lab.set, question)?;
            let (mut right, mut right_blindly) = (0, 0);
            let mut share = LanguageShare::new(language.code());
            for ((class, _), answer) in self.seen.iter().zip(self.ask(question)?) {
                let class = self.tasks.classes()[*class];
                let accepted = || class.accepted(language).iter().map(String::as_str);
                right += usize::from(is_exact_match(&answer, accepted()));
                right_blindly += usize::from(is_exact_match(&blind, accepted()));
                share.add(&answer, &self.known, &NoDetector);
            }
            let part = |count: usize| count as f64 / self.seen.len() as f64;
            let measured = [
                (NAMED, Some(part(right))),
                (NAMED_BLINDLY, Some(part(right_blindly))),
                (IN_THE_LANGUAGE, share.share()),
            ];
            for (quantity, value) in measured {
                let subject = Subject {
                    arm: arm.to_owned(),
                    seed,
                    language,
                    split: split.to_owned(),
                    quantity: quantity.to_owned(),
                };
                figures.extend(value.map(|value| Figure::new(subject, value)));
            }
        }
        self.seen.clear();
        Ok(figures)
    }
}

/// The names of all things, by language.
fn known_answers(tasks: &Tasks<'_>, languages: &[Language]) -> KnownAnswers {
    let mut known = KnownAnswers::default();
    for &language in languages {
        let accepted = tasks
            .classes()
            .iter()
            .flat_map(|class| class.accepted(language));
        known.add(language.code(), accepted.map(String::as_str));
    }
    known
}
