//! Chat templates: a conversation as the text that a model was trained on, `apply_chat_template`
//! of `transformers`.

use std::{collections::BTreeMap, time::SystemTime};

use minijinja::{
    Environment, Error, ErrorKind, Value,
    syntax::SyntaxConfig,
    value::{Kwargs, Serde},
};
use mpm_core::pretrained::{PretrainedError, PretrainedFolder};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::{date::strftime, python_json};
use crate::{LlmError, special_token::SpecialToken};

const TEMPLATE_FILE: &str = "chat_template.jinja";
const SETTINGS_FILE: &str = "tokenizer_config.json";

/// Steps that a template may take: hundreds of times what a long conversation needs, and over in a
/// few seconds.
const FUEL: u64 = 5_000_000;
/// How deep macros may call each other.
const DEPTH: usize = 100;
/// The name under which messages of the engine show the template.
const NAME: &str = "chat template";

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who says it: `system`, `user` or `assistant` for most models.
    pub role: String,
    /// What is said. The names of special tokens in it count as these tokens.
    pub content: String,
}

impl ChatMessage {
    /// A message of `role`.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
        }
    }
}

/// What a template is told beside the messages.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatOptions {
    /// Whether the text ends where the model's answer begins.
    pub add_generation_prompt: bool,
    /// What `strftime_now` says, in UTC; `None`: asking for the date is an error.
    pub now: Option<SystemTime>,
    /// Variables that this model's template knows, such as `enable_thinking` of Qwen3.
    pub variables: Map<String, serde_json::Value>,
}

impl Default for ChatOptions {
    /// A text for the model to answer, without a date.
    fn default() -> Self {
        Self {
            add_generation_prompt: true,
            now: None,
            variables: Map::new(),
        }
    }
}

/// A template in Jinja, as model folders have it.
///
/// Python's methods of strings, lists and maps work, and so do `raise_exception`, `strftime_now`,
/// `break`, `continue` and `tojson` as `transformers` has them. The tag `generation`, which marks
/// what is to be trained, does not.
///
/// # Examples
/// ```
/// use mpm_llm::llama::{ChatMessage, ChatOptions, ChatTemplate};
///
/// let source = "{% for m in messages %}[{{ m.role.upper() }}] {{ m.content.strip() }}\n{% endfor %}\
///     {% if add_generation_prompt %}[ASSISTANT]{% endif %}";
/// let template = ChatTemplate::new(source, Default::default())?;
/// let text = template.render(&[ChatMessage::new("user", " Hi! ")], &ChatOptions::default())?;
/// assert_eq!(text, "[USER] Hi!\n[ASSISTANT]");
/// # Ok::<(), mpm_llm::LlmError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    special_tokens: BTreeMap<String, String>,
}

/// What `tokenizer_config.json` says.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    chat_template: Option<Templates>,
    bos_token: Option<SpecialToken>,
    eos_token: Option<SpecialToken>,
    unk_token: Option<SpecialToken>,
    pad_token: Option<SpecialToken>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Several(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

impl Templates {
    /// The one that is used when no other is asked for.
    fn into_default(self) -> Option<String> {
        match self {
            Self::One(template) => Some(template),
            Self::Several(templates) => {
                let mut templates = templates.into_iter();
                let default = templates.find(|template| template.name == "default");
                default.map(|template| template.template)
            }
        }
    }
}

impl ChatTemplate {
    /// Reads the template of a model folder, `chat_template.jinja` or `chat_template` of
    /// `tokenizer_config.json`; `None` for a model without one, which was not trained to chat.
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is wrong.
    pub fn open(folder: &PretrainedFolder) -> Result<Option<Self>, PretrainedError> {
        let settings: Settings = folder.json(SETTINGS_FILE)?.unwrap_or_default();
        let named = [
            ("bos_token", settings.bos_token),
            ("eos_token", settings.eos_token),
            ("unk_token", settings.unk_token),
            ("pad_token", settings.pad_token),
        ];
        let special_tokens = named
            .into_iter()
            .filter_map(|(key, token)| Some((key.to_owned(), token?.into_name())))
            .collect();
        let (file, source) = match folder.bytes(TEMPLATE_FILE)? {
            Some(bytes) => {
                let text = String::from_utf8(bytes);
                let text = text.map_err(|error| folder.unusable(TEMPLATE_FILE, error))?;
                (TEMPLATE_FILE, Some(text))
            }
            None => {
                let templates = settings.chat_template;
                (SETTINGS_FILE, templates.and_then(Templates::into_default))
            }
        };
        source
            .map(|source| Self::new(source, special_tokens))
            .transpose()
            .map_err(|error| folder.unusable(file, error))
    }

    /// A template and the special tokens that it may name: `bos_token` and so on.
    ///
    /// # Errors
    /// [`LlmError::ChatTemplate`] when `source` is no Jinja.
    pub fn new(
        source: impl Into<String>,
        special_tokens: BTreeMap<String, String>,
    ) -> Result<Self, LlmError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(failed)?);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEPTH);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", tojson);
        environment.add_function("raise_exception", raise_exception);
        environment
            .add_template_owned(NAME, source.into())
            .map_err(failed)?;
        Ok(Self {
            environment,
            special_tokens,
        })
    }

    /// The template and its special tokens as `tokenizer_config.json`.
    pub(super) fn settings(&self) -> serde_json::Value {
        let mut settings = serde_json::json!(self.special_tokens);
        if let Ok(template) = self.environment.get_template(NAME) {
            settings["chat_template"] = template.source().into();
        }
        settings
    }

    /// The text of a conversation, with its special tokens.
    ///
    /// # Errors
    /// [`LlmError::ChatTemplateEndless`] for a template that comes to no end,
    /// [`LlmError::ChatTemplate`] for one that fails, or refuses the messages.
    pub fn render(
        &self,
        messages: &[ChatMessage],
        options: &ChatOptions,
    ) -> Result<String, LlmError> {
        let now = options.now;
        let strftime_now = move |format: String| {
            let now = now.ok_or_else(|| refusal("it asks for the date, and none was given"))?;
            strftime(now, &format)
                .map_err(|letter| refusal(format!("`%{letter}` of dates is not supported")))
        };
        let mut variables: BTreeMap<String, Value> = BTreeMap::from([
            ("messages".to_owned(), Serde(messages).into()),
            (
                "add_generation_prompt".to_owned(),
                options.add_generation_prompt.into(),
            ),
            ("tools".to_owned(), Value::from(())),
            ("documents".to_owned(), Value::from(())),
            (
                "strftime_now".to_owned(),
                Value::from_function(strftime_now),
            ),
        ]);
        let special = self.special_tokens.iter();
        variables.extend(special.map(|(key, token)| (key.clone(), token.clone().into())));
        let given = options.variables.iter();
        variables.extend(given.map(|(key, value)| (key.clone(), Serde(value).into())));
        let template = self.environment.get_template(NAME).map_err(failed)?;
        template
            .render(Value::from_object(variables))
            .map_err(failed)
    }
}

fn failed(source: Error) -> LlmError {
    match source.kind() {
        ErrorKind::OutOfFuel => LlmError::ChatTemplateEndless { steps: FUEL },
        _ => LlmError::ChatTemplate { source },
    }
}

fn refusal(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}

fn raise_exception(reason: String) -> Result<String, Error> {
    Err(refusal(reason))
}

/// A value as JSON, without the escapes for web pages that Jinja's own filter adds.
fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let separators = options.get::<Option<Vec<String>>>("separators")?;
    let separators = separators.map(<[String; 2]>::try_from).transpose();
    let is_set = |name| {
        options
            .get::<Option<bool>>(name)
            .map(Option::unwrap_or_default)
    };
    let layout = python_json::Options {
        indent: options.get("indent")?,
        separators: separators.map_err(|_| refusal("`separators` of tojson has two texts"))?,
        sort_keys: is_set("sort_keys")?,
        ensure_ascii: is_set("ensure_ascii")?,
    };
    options.assert_all_used()?;
    python_json::write(value, &layout).map_err(|error| refusal(error.to_string()))
}
