//! Questions about training pictures, and how many of them a shipped model answers right.

use std::path::{Path, PathBuf};

use burn::backend::Flex;
use mpm_core::weights::LoadOptions;
use mpm_data::emoji::{EmojiSet, NamingQuestion, Split, Tasks};
use mpm_train::Workers;
use train_emoji_chat::{Recipe, Respondent};
use viscpm_chat::ChatModel;

/// Every n-th of a recipe's questions, in all languages, about pictures of a set.
pub struct Questions {
    set: EmojiSet,
    pub asked: Vec<NamingQuestion>,
}

impl Questions {
    pub fn new(recipe: &Recipe, every: usize) -> Self {
        let set = EmojiSet::open(root("examples/build-emoji-set/emoji.tar.zst")).unwrap();
        let tasks = Tasks::new(&set, &recipe.tasks()).unwrap();
        let languages = tasks.question_languages().iter();
        let asked = languages
            .flat_map(|language| tasks.naming_questions(Split::Train, *language).unwrap())
            .step_by(every)
            .collect();
        Self { set, asked }
    }

    /// How many of them a model answers right.
    pub fn right(&self, model: &str, options: &LoadOptions) -> usize {
        let model = ChatModel::<Flex>::open(root(model), &Default::default(), options).unwrap();
        let respondent = Respondent { model };
        let answers = Workers::for_each_core()
            .unwrap()
            .map(&self.asked, |question| {
                let picture = self.set.compose(&question.picture).unwrap();
                let features = respondent.encode(&picture).unwrap();
                let answer = respondent.ask(features, &question.question).unwrap();
                question.accepted.contains(&answer)
            });
        answers.into_iter().filter(|right| *right).count()
    }
}

pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}
