//! What both trainers ask a language model.

use mpm_data::emoji::Sample;
use mpm_llm::{
    prompt::{ANSWER_KEY, PICTURE_KEY, PromptValue},
    tokenizer::escape,
};

/// The prompt of a sample: the reference's chat format. Without slots for a picture its
/// description, empty where there is none, stands in the picture's place.
pub fn prompt(sample: &Sample, slots: Option<usize>, context: &str) -> PromptValue {
    let question = escape(&sample.question);
    let answer = escape(&sample.answer);
    if let Some(slots) = slots {
        return PromptValue::chat(slots, context, &question, &answer);
    }
    let description = sample.description.as_deref().unwrap_or_default();
    PromptValue::from([
        (PICTURE_KEY, &*escape(description)),
        ("context", context),
        ("question", &*question),
        (ANSWER_KEY, &*answer),
    ])
}
