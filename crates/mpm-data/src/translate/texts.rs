//! The texts of an example, and the example in other words.

use crate::dataset::{Caption, Dialogue, DialogueTurn, Example, ExampleText};

/// The texts of one language, none of them empty. There are none in an example of another
/// language; texts whose language is not said count as theirs.
pub(super) fn texts<'a>(example: &'a Example, language: &str) -> Vec<&'a str> {
    let ours = |said: &Option<String>| said.as_deref().is_none_or(|said| said == language);
    match &example.text {
        ExampleText::Captions(captions) => {
            let captions = captions.iter().filter(|caption| ours(&caption.language));
            captions.map(|caption| caption.text.as_str()).collect()
        }
        ExampleText::Dialogue(dialogue) if ours(&dialogue.language) => {
            let turns = dialogue.turns.iter();
            let texts = turns.flat_map(|turn| [turn.question.as_str(), turn.answer.as_str()]);
            // A question may be nothing but a picture.
            texts.filter(|text| !text.is_empty()).collect()
        }
        ExampleText::Dialogue(_) => Vec::new(),
    }
}

/// The example's text with each of [`texts`] replaced; `None` if one has no translation.
pub(super) fn translated<'a>(
    example: &Example,
    languages: [&str; 2],
    translation: impl Fn(&str) -> Option<&'a str>,
) -> Option<ExampleText> {
    let [source, target] = languages;
    let language = Some(target.to_owned());
    Some(match &example.text {
        ExampleText::Captions(_) => {
            let texts = texts(example, source).into_iter();
            let captions = texts.map(|text| {
                Some(Caption {
                    language: language.clone(),
                    text: translation(text)?.to_owned(),
                })
            });
            ExampleText::Captions(captions.collect::<Option<_>>()?)
        }
        ExampleText::Dialogue(dialogue) => {
            let say = |text: &str| match text {
                "" => Some(String::new()),
                text => translation(text).map(str::to_owned),
            };
            let turns = dialogue.turns.iter().map(|turn| {
                Some(DialogueTurn {
                    question: say(&turn.question)?,
                    answer: say(&turn.answer)?,
                })
            });
            ExampleText::Dialogue(Dialogue {
                language,
                turns: turns.collect::<Option<_>>()?,
            })
        }
    })
}
