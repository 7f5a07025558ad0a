//! How often a model names pictures right, beside the same without a picture.

use std::{
    io::{Write, stdout},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use burn::tensor::Tensor;
use indicatif::{ProgressBar, ProgressStyle};
use mpm_core::{MpmBackend, backend::BackendTask};
use mpm_data::{
    emoji::{
        EVALUATION_GROUND, EmojiSet, Language, NamingQuestion, Scene, Split, TASK_LANGUAGES, Tasks,
    },
    picture::Picture,
};
use mpm_train::evaluate::ExactMatch;
use viscpm_chat::{ChatModel, ChatSession};

use crate::{BoxError, names::Names, recipe::Recipe, stages::full_precision};

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
        let tasks = Tasks::new(self.set, &self.recipe.tasks())?;
        let model = ChatModel::<B>::open(&self.options.model, &device, &full_precision())?;
        let empty = self.set.compose(&Scene {
            ground: EVALUATION_GROUND,
            emoji: Vec::new(),
        })?;
        if let Some(folder) = &self.options.pictures {
            std::fs::create_dir_all(folder)?;
        }
        let mut answers = match &self.options.answers {
            Some(file) => Some(std::fs::File::create(file)?),
            None => None,
        };
        let slots = model.config.model.visual.num_queries;
        let names = Names::new(&model.tokenizer, &tasks, slots)?.embed(&model.model.llm)?;
        let mut matches = ExactMatch::default();
        for (split, name) in [(Split::Train, "training"), (Split::HeldOutPair, "held-out")] {
            for language in TASK_LANGUAGES {
                let questions = tasks.naming_questions(split, language)?;
                let code = language.code();
                let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta} left")?;
                let bar = ProgressBar::new((questions.len() / self.options.every) as u64)
                    .with_style(style)
                    .with_message(format!("{name} {code}"));
                // The question is the same for all pictures, so one answer stands
                // for all: what the model says without seeing anything.
                let Some(first) = questions.first() else {
                    continue;
                };
                let encode = |picture: &Picture| {
                    let pixels = model.config.preprocessing.apply(picture);
                    model.model.encode_pictures(&[pixels])
                };
                let blind = ask(&model, encode(&empty)?, &first.question)?;
                for question in questions.iter().step_by(self.options.every.get()) {
                    let picture = self.set.compose(&question.picture)?;
                    if let Some(folder) = &self.options.pictures {
                        let name = format!("{name}-{:04}-{}.png", bar.position(), question.answer);
                        write_png(&picture, &folder.join(name.replace([' ', '/'], "-")))?;
                    }
                    let features = encode(&picture)?;
                    let nearest = names.nearest(features.clone());
                    let answer = ask(&model, features, &question.question)?;
                    let accepted = || question.accepted.iter().map(String::as_str);
                    let right = matches.add(name, code, &answer, accepted());
                    matches.add(&format!("{name}, no picture"), code, &blind, accepted());
                    for class in nearest {
                        let nearest = tasks.name(class, language);
                        matches.add(&format!("{name}, nearest name"), code, nearest, accepted());
                    }
                    if let Some(file) = &mut answers {
                        let line = serde_json::json!({
                            "split": name,
                            "language": code,
                            "expected": question.answer,
                            "answer": answer,
                            "right": right,
                        });
                        writeln!(file, "{line}")?;
                    }
                    bar.inc(1);
                }
                bar.finish_and_clear();
            }
        }
        for language in TASK_LANGUAGES {
            // One question of each class.
            let questions = tasks.naming_questions(Split::Train, language)?;
            let same_class = |a: &NamingQuestion, b: &NamingQuestion| a.class == b.class;
            for questions in questions.chunk_by(same_class) {
                let question = &questions[0];
                let features = names.features(question.class, slots);
                let answer = ask(&model, features, &question.question)?;
                let accepted = question.accepted.iter().map(String::as_str);
                matches.add(
                    "English names as features",
                    language.code(),
                    &answer,
                    accepted,
                );
            }
        }
        write!(stdout(), "{matches}")?;
        for split in ["training", "held-out"] {
            let accuracy = |language: Language| matches.tally(split, language.code()).accuracy();
            if let (Some(english), Some(chinese)) =
                (accuracy(Language::English), accuracy(Language::Chinese))
                && english > 0.0
            {
                writeln!(
                    stdout(),
                    "{split}: Chinese is at {:.1} % of English",
                    100.0 * chinese / english
                )?;
            }
        }
        Ok(())
    }
}

fn write_png(picture: &Picture, file: &Path) -> Result<(), BoxError> {
    let (width, height) = (picture.width(), picture.height());
    let color = image::ColorType::Rgb8;
    Ok(image::save_buffer(
        file,
        picture.pixels(),
        width,
        height,
        color,
    )?)
}

fn ask<B: MpmBackend>(
    model: &ChatModel<B>,
    features: Tensor<B, 3>,
    question: &str,
) -> Result<String, BoxError> {
    let mut session = ChatSession::new(model);
    session.show_features(features);
    let params = &model.config.decoding;
    Ok(session
        .ask(question, params, |_| ControlFlow::Continue(()))?
        .answer)
}
