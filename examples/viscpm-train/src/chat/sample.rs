//! From an example of a data set to what the chat model reads.

use mpm_data::{
    dataset::{Example, ExampleText},
    picture::{Picture, PicturePreprocessor, PixelValues, augment::TrainAugmentation},
};
use mpm_llm::{
    prompt::{EncodedPrompt, PromptEncoder, PromptValue, Turn},
    tokenizer::{CpmBeeTokenizer, escape},
};
use mpm_train::BoxError;
use rand::{Rng, RngExt};

/// An example, ready for a batch.
#[derive(Clone, Debug)]
pub struct ChatSample {
    /// The prompt with its answer.
    pub prompt: EncodedPrompt,
    /// The picture, if it has one.
    pub picture: Option<PixelValues>,
    /// The prompt in words, to show.
    pub text: ChatText,
}

/// A prompt in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatText {
    /// Earlier turns.
    pub context: String,
    /// The question.
    pub question: String,
    /// The answer: what is learnt.
    pub answer: String,
}

/// Makes samples of examples.
#[derive(Clone, Debug)]
pub struct ChatPreparer {
    /// From text to ids.
    pub tokenizer: CpmBeeTokenizer,
    /// Brings pictures to the model's size.
    pub preprocessor: PicturePreprocessor,
    /// Changes pictures in training; `None` leaves them as they are.
    pub augmentation: Option<TrainAugmentation>,
    /// How many features stand for a picture.
    pub picture_slots: usize,
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
            [] => None,
            [picture] => Some(picture),
            several => {
                return Err(
                    format!("it has {} pictures, the model reads one", several.len()).into(),
                );
            }
        };
        let text = text(&example.text, rng);
        let slots = picture.map_or(0, |_| self.picture_slots);
        let [question, answer] = [&text.question, &text.answer].map(|text| escape(text));
        let prompt = PromptValue::chat(slots, &text.context, &question, &answer);
        let prompt = PromptEncoder::new(&self.tokenizer).encode(&prompt)?;
        let (tokens, limit) = (prompt.len(), self.max_tokens);
        if tokens > limit {
            return Err(format!("it has {tokens} tokens, more than {limit}").into());
        }
        let picture = picture.map(|picture| match &self.augmentation {
            Some(augmentation) => augmentation.apply(picture, rng),
            None => self.preprocessor.apply(picture),
        });
        Ok(ChatSample {
            prompt,
            picture,
            text,
        })
    }
}

fn text(text: &ExampleText, rng: &mut impl Rng) -> ChatText {
    match text {
        ExampleText::Captions(captions) => {
            let caption = &captions[rng.random_range(0..captions.len())];
            ChatText {
                context: String::new(),
                question: caption_question(caption.language.as_deref()).to_owned(),
                answer: caption.text.clone(),
            }
        }
        ExampleText::Dialogue(dialogue) => {
            let turns = &dialogue.turns;
            let learnt = rng.random_range(0..turns.len());
            let context = turns[..learnt].iter().map(|turn| {
                let turn = Turn {
                    question: turn.question.clone(),
                    answer: escape(&turn.answer).into_owned(),
                };
                turn.to_markup()
            });
            ChatText {
                context: context.collect(),
                question: turns[learnt].question.clone(),
                answer: turns[learnt].answer.clone(),
            }
        }
    }
}

/// What asks for a caption of a language.
fn caption_question(language: Option<&str>) -> &'static str {
    match language {
        Some("zh") => "请描述这张图片。",
        _ => "Describe the picture.",
    }
}
