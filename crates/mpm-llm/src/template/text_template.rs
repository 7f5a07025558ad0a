//! What stands around a text.

use serde::{Deserialize, Serialize};

use crate::{Family, LlmError};

/// Where the text comes in a template.
pub const TEXT: &str = "{text}";

/// What stands around a text, for the models of one [`Family`].
///
/// States depend on it: read a text as the model was trained to read, and measure with the template
/// that will be used.
///
/// As JSON or TOML, those for CPM-Bee are a list, `[["caption", "{text}"], ["objects", ""]]`, and
/// those for the LLaMA family a text, `"A picture of {text}:"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a template: keys and texts such as [[\"caption\", \"{text}\"], \
                 [\"objects\", \"\"]] for CPM-Bee, or a text such as \"A picture of {text}:\" for a \
                 model of the LLaMA family"
)]
pub enum TextTemplate {
    /// For CPM-Bee: keys and texts in the order of the model's input. One text is [`TEXT`]; the
    /// others are markup.
    Parts(Vec<(String, String)>),
    /// For the LLaMA family: a text with [`TEXT`] in it. The names of special tokens, such as those
    /// of a chat template, stand for these; what the tokenizer puts around every text is added.
    Line(String),
}

impl TextTemplate {
    /// One of keys and texts, for CPM-Bee.
    pub fn parts(parts: &[(&str, &str)]) -> Self {
        let owned = |&(key, text): &(&str, &str)| (key.to_owned(), text.to_owned());
        Self::Parts(parts.iter().map(owned).collect())
    }

    /// What is taken where none is named.
    ///
    /// For CPM-Bee it is that of VisCPM-Paint (`build_input` in `viscpm_paint.py`). For the LLaMA
    /// family it is the text with a line break behind it: a token sees only those before it, so
    /// what the model makes of a whole text is found behind it; and a line break ends a text in any
    /// language.
    pub fn default_of(family: Family) -> Self {
        match family {
            Family::CpmBee => Self::parts(&[("caption", TEXT), ("objects", "")]),
            Family::Llama => Self::Line(format!("{TEXT}\n")),
        }
    }

    /// Whose models read it.
    pub fn family(&self) -> Family {
        match self {
            Self::Parts(_) => Family::CpmBee,
            Self::Line(_) => Family::Llama,
        }
    }

    /// Checks that the text has one place.
    ///
    /// # Errors
    /// [`LlmError::TemplatePlaces`].
    pub fn validate(&self) -> Result<(), LlmError> {
        let places = match self {
            Self::Parts(parts) => parts.iter().filter(|(_, text)| text == TEXT).count(),
            Self::Line(line) => line.matches(TEXT).count(),
        };
        match places {
            1 => Ok(()),
            places => Err(LlmError::TemplatePlaces {
                family: self.family(),
                places,
            }),
        }
    }

    /// Checks that something stands behind the text, for those who read it.
    ///
    /// # Errors
    /// [`LlmError::TemplateEnd`].
    pub fn require_behind(&self) -> Result<(), LlmError> {
        let ends_with_text = match self {
            Self::Parts(parts) => parts.last().is_some_and(|(_, text)| text == TEXT),
            Self::Line(line) => line.ends_with(TEXT),
        };
        match ends_with_text {
            true => Err(LlmError::TemplateEnd {
                example: Self::default_of(self.family()),
            }),
            false => Ok(()),
        }
    }

    /// Checks that models of a family read it.
    ///
    /// # Errors
    /// [`LlmError::OtherTemplate`].
    pub fn require_family(&self, family: Family) -> Result<(), LlmError> {
        match self.family() == family {
            true => Ok(()),
            false => Err(self.of_other_family(family)),
        }
    }

    /// The keys and texts of a sound one for CPM-Bee.
    pub(crate) fn as_parts(&self) -> Result<&[(String, String)], LlmError> {
        match self {
            Self::Parts(parts) => self.validate().map(|()| parts.as_slice()),
            Self::Line(_) => Err(self.of_other_family(Family::CpmBee)),
        }
    }

    /// What stands before and behind the text in a sound one for the LLaMA family.
    pub(crate) fn as_line(&self) -> Result<(&str, &str), LlmError> {
        match self {
            Self::Line(line) => {
                self.validate()?;
                Ok(line.split_once(TEXT).unwrap_or((line, "")))
            }
            Self::Parts(_) => Err(self.of_other_family(Family::Llama)),
        }
    }

    fn of_other_family(&self, family: Family) -> LlmError {
        LlmError::OtherTemplate {
            family,
            found: self.family(),
            example: Self::default_of(family),
        }
    }
}

/// As it is written in JSON.
impl std::fmt::Display for TextTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let json = serde_json::to_string(self).map_err(|_| std::fmt::Error)?;
        f.write_str(&json)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn line(text: &str) -> TextTemplate {
        TextTemplate::Line(text.to_owned())
    }

    #[test]
    fn templates_survive_json() {
        for (json, template) in [
            (
                r#"[["caption","{text}"],["objects",""]]"#,
                TextTemplate::default_of(Family::CpmBee),
            ),
            (r#""{text}\n""#, TextTemplate::default_of(Family::Llama)),
        ] {
            assert_eq!(template.to_string(), json);
            let again: TextTemplate = serde_json::from_str(json).unwrap();
            assert_eq!(again, template);
            again.validate().unwrap();
            again.require_behind().unwrap();
        }
        let error = serde_json::from_str::<TextTemplate>("7").unwrap_err();
        assert!(error.to_string().contains("for CPM-Bee, or"), "{error}");
    }

    #[test]
    fn a_text_has_one_place() {
        for (template, places) in [
            (TextTemplate::parts(&[("q", "why {text}")]), "0 places"),
            (TextTemplate::parts(&[("q", TEXT), ("a", TEXT)]), "2 places"),
            (line("why"), "0 places"),
            (line("{text} or {text}?"), "2 places"),
        ] {
            let error = template.validate().unwrap_err().to_string();
            assert!(error.contains(places), "{error}");
        }
    }

    #[test]
    fn what_ends_with_the_text_has_nothing_behind_it() {
        for (template, example) in [
            (TextTemplate::parts(&[("q", TEXT)]), r#"["objects",""]"#),
            (line("Of {text}"), r#""{text}\n""#),
        ] {
            let error = template.require_behind().unwrap_err().to_string();
            assert!(error.contains(example), "{error}");
        }
    }

    #[test]
    fn a_template_is_for_one_family() {
        let template = line("{text}:");
        template.require_family(Family::Llama).unwrap();
        let error = template.require_family(Family::CpmBee).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(r#"[["caption","{text}"]"#), "{error}");
        let template = TextTemplate::parts(&[("q", TEXT)]);
        let error = template.require_family(Family::Llama).unwrap_err();
        assert!(error.to_string().contains(r#""{text}\n""#), "{error}");
    }
}
