//! Conversations about a picture, as all language models take them.
//!
//! A [`Dialogue`] is plain text. Each family of models writes it in its own way:
//! [`CpmBeeDialogue`](crate::cpm_bee::CpmBeeDialogue) as a map of texts,
//! [`LlamaDialogue`](crate::llama::LlamaDialogue) by the model's chat template.

mod answer;
mod batch;

pub use answer::ChatAnswer;
pub use batch::DialogueBatch;

/// A question with its answer, after earlier turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialogue {
    /// What stands where the model sees a picture.
    pub picture: PicturePlace,
    /// The turns before, the oldest first.
    pub turns: Vec<DialogueTurn>,
    /// What is asked.
    pub question: String,
    /// What is answered: what a model learns.
    pub answer: String,
}

/// A question and its answer, both plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialogueTurn {
    /// What was asked.
    pub question: String,
    /// What was answered.
    pub answer: String,
}

/// What stands where a model sees a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PicturePlace {
    /// Nothing: the dialogue is about no picture.
    #[default]
    Empty,
    /// As many features.
    Slots(usize),
    /// Words, such as a description.
    Text(String),
}

impl PicturePlace {
    /// Slots, if there are any.
    pub fn slots(slots: usize) -> Self {
        match slots {
            0 => Self::Empty,
            slots => Self::Slots(slots),
        }
    }
}
