//! All that a model of the family needs beside its weights: from conversations to ids and back.

use std::ops::Range;

use mpm_core::pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder};
use serde::Deserialize;
use serde_json::json;

use super::{
    chat_template::{ChatMessage, ChatOptions, ChatTemplate},
    config::LlamaConfig,
    tokenizer::LlamaTokenizer,
};
use crate::{LlmError, check::check_range, special_token::SpecialToken, splice::ExpandedIds};

const TOKENIZER_FILE: &str = "tokenizer.json";
const GENERATION_FILE: &str = "generation_config.json";
const SETTINGS_FILE: &str = "tokenizer_config.json";

/// Stands for the picture in a message until the tokenizer has cut the text around it. It is a
/// character for private use, which is removed from all that people write.
const PICTURE: char = '\u{10FFFD}';

/// The token that the slots of a picture have until its features take their place: any will do.
const SLOT: i32 = 0;

/// The role of a question.
pub(super) const USER: &str = "user";
/// The role of an answer.
pub(super) const ASSISTANT: &str = "assistant";

/// A tokenizer with what conversations need.
#[derive(Clone, Debug)]
pub struct LlamaText {
    /// From texts to ids.
    pub tokenizer: LlamaTokenizer,
    /// How conversations are written; `None` for a model that was not trained to chat.
    pub chat_template: Option<ChatTemplate>,
    /// The tokens of which each ends an answer; none for a model that has no such token.
    pub ends: Vec<i32>,
}

/// What `generation_config.json` and `config.json` say about ends.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Ends {
    eos_token_id: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(i32),
    Many(Vec<i32>),
}

/// What `tokenizer_config.json` says about ends.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    eos_token: Option<SpecialToken>,
}

impl LlamaText {
    /// Reads the files of a model folder: `tokenizer.json` and, where they are there,
    /// `tokenizer_config.json`, `chat_template.jinja` and `generation_config.json`.
    ///
    /// Answers end at the tokens of `generation_config.json`, otherwise at those of `config.json`,
    /// otherwise at the tokenizer's.
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is missing or wrong.
    pub fn open(folder: &PretrainedFolder, config: &LlamaConfig) -> Result<Self, PretrainedError> {
        let tokenizer = LlamaTokenizer::open(folder, config)?;
        let chat_template = ChatTemplate::open(folder)?;
        let ends = ends(folder, config, &tokenizer)?;
        Ok(Self {
            tokenizer,
            chat_template,
            ends,
        })
    }

    /// The names of the files that [`open`](Self::open) reads with their contents, for a new
    /// folder.
    ///
    /// # Errors
    /// [`LlmError::Tokenization`] when the `tokenizers` crate cannot write the tokenizer.
    pub fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, LlmError> {
        let mut files = vec![
            (TOKENIZER_FILE, self.tokenizer.to_json()?.into_bytes()),
            (
                GENERATION_FILE,
                json!({ "eos_token_id": self.ends }).to_string().into(),
            ),
        ];
        if let Some(template) = &self.chat_template {
            files.push((SETTINGS_FILE, template.settings().to_string().into()));
        }
        Ok(files)
    }

    /// The ids of a conversation, of whose picture there are `slots` features; it stands in the
    /// first message of the user, before the words.
    ///
    /// # Errors
    /// [`LlmError::NoChatTemplate`], [`LlmError::PictureLost`] when the template leaves the picture
    /// out, and those of [`ChatTemplate::render`].
    pub fn encode_chat(
        &self,
        messages: &[ChatMessage],
        slots: usize,
        options: &ChatOptions,
    ) -> Result<ExpandedIds, LlmError> {
        let text = self.write(messages, slots > 0, options)?;
        self.cut(&text, slots)
    }

    /// The text of a conversation, with a mark where the picture is.
    pub(super) fn write(
        &self,
        messages: &[ChatMessage],
        has_picture: bool,
        options: &ChatOptions,
    ) -> Result<String, LlmError> {
        let template = self.chat_template.as_ref();
        let template = template.ok_or(LlmError::NoChatTemplate)?;
        let mut messages = messages.to_vec();
        for message in &mut messages {
            message.content = without_mark(&message.content);
        }
        if has_picture {
            let first = messages.iter_mut().find(|message| message.role == USER);
            let first = first.ok_or(LlmError::PictureLost)?;
            first.content = format!("{PICTURE}\n{}", first.content);
        }
        let text = template.render(&messages, options)?;
        match text.matches(PICTURE).count() == usize::from(has_picture) {
            true => Ok(text),
            false => Err(LlmError::PictureLost),
        }
    }

    /// Cuts a written conversation into tokens, those before and behind a picture apart.
    pub(super) fn cut(&self, text: &str, slots: usize) -> Result<ExpandedIds, LlmError> {
        let Some((before, behind)) = text.split_once(PICTURE) else {
            return Ok(ExpandedIds {
                ids: self.tokenizer.encode_rendered(text)?,
                pictures: Vec::new(),
            });
        };
        let mut ids = self.tokenizer.encode_rendered(before)?;
        let picture: Range<usize> = ids.len()..ids.len() + slots;
        ids.resize(picture.end, SLOT);
        ids.extend(self.tokenizer.encode_rendered(behind)?);
        Ok(ExpandedIds {
            ids,
            pictures: vec![picture],
        })
    }
}

/// What somebody wrote, without what would be taken for a picture.
pub(super) fn without_mark(text: &str) -> String {
    text.replace(PICTURE, "")
}

/// The tokens that end an answer.
fn ends(
    folder: &PretrainedFolder,
    config: &LlamaConfig,
    tokenizer: &LlamaTokenizer,
) -> Result<Vec<i32>, PretrainedError> {
    for name in [GENERATION_FILE, CONFIG_FILE] {
        let file: Ends = folder.json(name)?.unwrap_or_default();
        let ends = match file.eos_token_id {
            Some(OneOrMany::One(end)) => vec![end],
            Some(OneOrMany::Many(ends)) => ends,
            None => continue,
        };
        return check_range("eos_token_id", &ends, config.vocab_size - 1)
            .map(|()| ends)
            .map_err(|error| folder.unusable(name, error));
    }
    let settings: Settings = folder.json(SETTINGS_FILE)?.unwrap_or_default();
    let end = settings.eos_token.map(SpecialToken::into_name);
    Ok(end.and_then(|end| tokenizer.id(&end)).into_iter().collect())
}
