//! How often a model answers right: naming questions beside the same without a picture,
//! and questions of the other kinds.

use std::{
    fs::{self, File},
    io::{Write, stdout},
    path::{Path, PathBuf},
};

use burn::tensor::backend::Backend;
use emoji_training::{BoxError, full_precision};
use indicatif::{ProgressBar, ProgressStyle};
use mpm_core::{MpmBackend, backend::BackendTask};
use mpm_data::emoji::{EmojiSet, Language, NamingQuestion, Split, TaskKind, Tasks};
use mpm_train::{Workers, evaluate::ExactMatch};
use train_emoji_chat::{NameEmbeddings, Names, Recipe, Respondent};
use viscpm_chat::ChatModel;

/// Questions of the other kinds, in each language.
const OTHER_QUESTIONS: u64 = 2000;

/// What is measured.
#[derive(clap::Args)]
pub struct Evaluate {
    /// The model folder.
    #[arg(long, default_value = "models/viscpm-chat-emoji")]
    model: PathBuf,

    /// Ask about every n-th picture only.
    #[arg(long, default_value = "1")]
    every: std::num::NonZeroUsize,

    /// Write each question with its answer to this file, one JSON object a line.
    #[arg(long)]
    answers: Option<PathBuf>,

    /// Write each picture to this folder, as a PNG that is named after its split and thing.
    #[arg(long)]
    pictures: Option<PathBuf>,
}

impl Evaluate {
    /// The evaluation on the set that the recipe was trained on.
    pub fn task(self, recipe: Recipe, set: &'static EmojiSet) -> EvaluateTask {
        EvaluateTask {
            options: self,
            recipe,
            set,
        }
    }
}

pub struct EvaluateTask {
    options: Evaluate,
    recipe: Recipe,
    set: &'static EmojiSet,
}

impl BackendTask for EvaluateTask {
    type Output = Result<(), BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let Self {
            options,
            recipe,
            set,
        } = self;
        let tasks = Tasks::new(set, &recipe.tasks())?;
        let languages = tasks.question_languages().to_vec();
        let model = ChatModel::<B>::open(&options.model, &device, &full_precision())?;
        let slots = model.model.picture_slots();
        let names = Names::new(&model.tokenizer, &tasks, recipe.languages.pictures, slots)?
            .embed(&model.model.llm)?;
        if let Some(folder) = &options.pictures {
            fs::create_dir_all(folder)?;
        }
        let mut examiner = Examiner {
            set,
            tasks,
            respondent: Respondent { model },
            names,
            answers: options.answers.as_deref().map(create).transpose()?,
            workers: Workers::for_each_core()?,
            options,
            matches: ExactMatch::default(),
            english: ExactMatch::default(),
        };
        for (split, name) in [(Split::Train, "training"), (Split::HeldOutPair, "held-out")] {
            for &language in &languages {
                examiner.show_pictures(split, name, language)?;
            }
        }
        for &language in &languages {
            examiner.show_names(language)?;
            examiner.ask_other_kinds(!recipe.seed, language)?;
        }
        print(&examiner, &languages)
    }
}

/// What a model makes of a picture.
struct Reply {
    /// The class whose English name is nearest to the features.
    nearest: usize,
    answer: String,
}

/// Asks a model, and counts.
struct Examiner<B: Backend> {
    set: &'static EmojiSet,
    tasks: Tasks<'static>,
    respondent: Respondent<B>,
    names: NameEmbeddings<B>,
    answers: Option<File>,
    workers: Workers,
    options: Evaluate,
    matches: ExactMatch,
    /// Answers in English about what another language has a name for, by that language: what its
    /// own answers are compared with.
    english: ExactMatch,
}

impl<B: MpmBackend> Examiner<B> {
    /// Asks about the pictures of one part of the set.
    fn show_pictures(
        &mut self,
        split: Split,
        name: &str,
        language: Language,
    ) -> Result<(), BoxError> {
        let code = language.code();
        let questions = self.tasks.naming_questions(split, language)?;
        let asked: Vec<_> = questions.iter().step_by(self.options.every.get()).collect();
        let Some(first) = asked.first() else {
            return Ok(());
        };
        // The question is the same for all pictures, so one answer stands for all: what
        // the model says without seeing anything.
        let blind = self.respondent.ask_blindly(self.set, &first.question)?;
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta} left")?;
        let bar = ProgressBar::new(asked.len() as u64)
            .with_style(style)
            .with_message(format!("{name} {code}"));
        let replies = self.workers.map(&asked, |question| {
            let reply = self.reply(question);
            bar.inc(1);
            reply
        });
        bar.finish_and_clear();
        for (number, (&question, reply)) in asked.iter().zip(replies).enumerate() {
            let Reply { nearest, answer } = reply?;
            if let Some(folder) = &self.options.pictures {
                let file = format!("{name}-{number:04}-{}.png", question.answer);
                let picture = self.set.compose(&question.picture)?;
                let file = folder.join(file.replace([' ', '/'], "-"));
                fs::write(&file, picture.encode_png(&[])?)
                    .map_err(|error| format!("{}: {error}", file.display()))?;
            }
            let right = self.count(name, language, &answer, question);
            if language == Language::English {
                self.compare(name, &answer, question);
            }
            self.count(&format!("{name}, no picture"), language, &blind, question);
            let nearest = self.tasks.name(nearest, language);
            let row = format!("{name}, nearest name");
            self.count(&row, language, nearest, question);
            if let Some(file) = &mut self.answers {
                let line = serde_json::json!({
                    "split": name,
                    "language": code,
                    "expected": question.answer,
                    "answer": answer,
                    "right": right,
                });
                writeln!(file, "{line}")?;
            }
        }
        Ok(())
    }

    fn reply(&self, question: &NamingQuestion) -> Result<Reply, BoxError> {
        let features = self
            .respondent
            .encode(&self.set.compose(&question.picture)?)?;
        let nearest = self.names.nearest(features.clone());
        Ok(Reply {
            nearest: *nearest.first().ok_or("the model saw no picture")?,
            answer: self.respondent.ask(features, &question.question)?,
        })
    }

    /// Counts an answer in English for each language that has a name for the thing.
    fn compare(&mut self, split: &str, answer: &str, question: &NamingQuestion) {
        let class = self.tasks.classes()[question.class];
        for &language in self.tasks.question_languages() {
            if class.is_named_in(&[language]) {
                let accepted = question.accepted.iter().map(String::as_str);
                self.english.add(split, language.code(), answer, accepted);
            }
        }
    }

    /// Asks about the English name of each class, in embeddings: what the language model
    /// makes of perfect features.
    fn show_names(&mut self, language: Language) -> Result<(), BoxError> {
        let mut questions = self.tasks.naming_questions(Split::Train, language)?;
        questions.dedup_by_key(|question| question.class);
        let answers = self.workers.map(&questions, |question| {
            let features = self.names.features(question.class);
            self.respondent.ask(features, &question.question)
        });
        for (question, answer) in questions.iter().zip(answers) {
            self.count("English names as features", language, &answer?, question);
        }
        Ok(())
    }

    /// Asks about fresh compositions of training pictures what is not their name.
    fn ask_other_kinds(&mut self, seed: u64, language: Language) -> Result<(), BoxError> {
        let indices = (0..OTHER_QUESTIONS).step_by(self.options.every.get());
        let answers = self.workers.map(indices, |index| {
            let sample = self.tasks.instruction(seed, index, language)?;
            let (Some(kind), Some(scene)) = (label(sample.kind), &sample.picture) else {
                return Ok(None);
            };
            let features = self.respondent.encode(&self.set.compose(scene)?)?;
            let answer = self.respondent.ask(features, &sample.question)?;
            Ok::<_, BoxError>(Some((kind, answer, sample.answer)))
        });
        for answer in answers {
            if let Some((kind, answer, expected)) = answer? {
                self.matches
                    .add(kind, language.code(), &answer, [&*expected]);
            }
        }
        Ok(())
    }

    /// The mean number of tokens of a name: the fewer, the less there is to lose.
    fn tokens_of_a_name(&self, language: Language) -> Result<f64, BoxError> {
        let classes = self.tasks.classes().iter();
        let names: Vec<_> = classes.filter_map(|class| class.name(language)).collect();
        let mut tokens = 0;
        for name in &names {
            tokens += self.respondent.model.tokenizer.words(name)?.len();
        }
        Ok(tokens as f64 / names.len() as f64)
    }

    fn count(
        &mut self,
        split: &str,
        language: Language,
        answer: &str,
        question: &NamingQuestion,
    ) -> bool {
        let accepted = question.accepted.iter().map(String::as_str);
        self.matches.add(split, language.code(), answer, accepted)
    }
}

fn print<B: MpmBackend>(examiner: &Examiner<B>, languages: &[Language]) -> Result<(), BoxError> {
    let Examiner {
        matches, english, ..
    } = examiner;
    let mut output = stdout().lock();
    write!(output, "{matches}")?;
    for &language in languages {
        let tokens = examiner.tokens_of_a_name(language)?;
        writeln!(output, "{language}: a name has {tokens:.2} tokens")?;
    }
    for split in ["training", "held-out"] {
        for &language in languages.iter().filter(|&&of| of != Language::English) {
            let accuracy = |matches: &ExactMatch| matches.tally(split, language.code()).accuracy();
            if let (Some(own), Some(english)) = (accuracy(matches), accuracy(english))
                && english > 0.0
            {
                writeln!(
                    output,
                    "{split}: {language} is at {:.1} % of en, which names {:.1} % of the same pictures",
                    100.0 * own / english,
                    100.0 * english
                )?;
            }
        }
    }
    Ok(())
}

/// The row of a kind that has no rows of its own.
fn label(kind: TaskKind) -> Option<&'static str> {
    Some(match kind {
        TaskKind::Category => "other: category",
        TaskKind::YesNo => "other: yes or no",
        TaskKind::Choice => "other: choice",
        TaskKind::Count => "other: how many",
        TaskKind::Ground => "other: ground's colour",
        TaskKind::Side => "other: left or right",
        _ => return None,
    })
}

fn create(file: &Path) -> Result<File, BoxError> {
    Ok(File::create(file).map_err(|error| format!("{}: {error}", file.display()))?)
}
