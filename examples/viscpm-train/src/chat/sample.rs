//! From an example of a data set to what the chat model reads.

use mpm_data::{
    dataset::{CaptionCleaning, CaptionPrompts, Example, ExampleText},
    picture::{Picture, PicturePreprocessor, PixelValues, augment::TrainAugmentation},
};
use mpm_llm::{
    any::{AnyDialogue, AnyTokenizer},
    dialogue::{Dialogue, DialogueTurn, PicturePlace},
};
use mpm_train::BoxError;
use rand::{Rng, RngExt};

/// An example, ready for a batch.
#[derive(Clone, Debug)]
pub struct ChatSample {
    /// The prompt with its answer.
    pub dialogue: AnyDialogue,
    /// The picture, if it has one.
    pub picture: Option<PixelValues>,
    /// The prompt in words, to show.
    pub text: ChatText,
}

/// A prompt in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatText {
    /// Earlier turns.
    pub turns: Vec<DialogueTurn>,
    /// The question.
    pub question: String,
    /// The answer: what is learnt.
    pub answer: String,
}

/// Makes samples of examples.
#[derive(Clone, Debug)]
pub struct ChatPreparer {
    /// From text to ids.
    pub tokenizer: AnyTokenizer,
    /// Brings pictures to the model's size.
    pub preprocessor: PicturePreprocessor,
    /// Changes pictures in training; `None` leaves them as they are.
    pub augmentation: Option<TrainAugmentation>,
    /// How many features stand for a picture.
    pub picture_slots: usize,
    /// How captions are cleaned; `None` leaves them as they are.
    pub cleaning: Option<CaptionCleaning>,
    /// What asks for captions.
    pub prompts: CaptionPrompts,
    /// Samples of more tokens cannot be used.
    pub max_tokens: usize,
}

impl ChatPreparer {
    /// Makes a sample of an example and its decoded pictures. Of several captions one is taken,
    /// of a conversation one response, with the turns before it as its context.
    ///
    /// # Errors
    /// The reason why the example cannot be used.
    pub fn prepare(
        &self,
        example: &Example,
        pictures: &[Picture],
        rng: &mut impl Rng,
    ) -> Result<ChatSample, BoxError> {
        let picture = match pictures {
            [] if matches!(example.text, ExampleText::Captions(_)) => {
                return Err("it has a caption, but no picture".into());
            }
            [] => None,
            [picture] => Some(picture),
            several => {
                return Err(
                    format!("it has {} pictures, the model reads one", several.len()).into(),
                );
            }
        };
        let text = self.text(example, rng)?;
        let slots = picture.map_or(0, |_| self.picture_slots);
        let dialogue = Dialogue {
            picture: PicturePlace::slots(slots),
            turns: text.turns.clone(),
            question: text.question.clone(),
            answer: text.answer.clone(),
        };
        let dialogue = AnyDialogue::new(&self.tokenizer, &dialogue)?;
        let (tokens, limit) = (dialogue.len(), self.max_tokens);
        if tokens > limit {
            return Err(format!("it has {tokens} tokens, more than {limit}").into());
        }
        let picture = picture.map(|picture| match &self.augmentation {
            Some(augmentation) => augmentation.apply(picture, rng),
            None => self.preprocessor.apply(picture),
        });
        Ok(ChatSample {
            dialogue,
            picture,
            text,
        })
    }

    /// The words: a caption with a question that asks for it, or a turn of a conversation.
    fn text(&self, example: &Example, rng: &mut impl Rng) -> Result<ChatText, BoxError> {
        let mut cleaned;
        let mut example = example;
        if let Some(cleaning) = &self.cleaning {
            cleaned = example.clone();
            cleaning.apply(&mut cleaned, rng)?;
            example = &cleaned;
        }
        let dialogue = self.prompts.dialogue(&example.text, rng);
        let turns = dialogue.ok_or("there is no prompt for its caption")?.turns;
        let learnt = rng.random_range(0..turns.len());
        let earlier = turns[..learnt].iter().map(|turn| DialogueTurn {
            question: turn.question.clone(),
            answer: turn.answer.clone(),
        });
        Ok(ChatText {
            turns: earlier.collect(),
            question: turns[learnt].question.clone(),
            answer: turns[learnt].answer.clone(),
        })
    }
}
