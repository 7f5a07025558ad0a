//! The names of special tokens in `tokenizer_config.json`.

use serde::Deserialize;

/// A special token's name, by itself or with properties that our tokenizers have no use for.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum SpecialToken {
    Name(String),
    Properties { content: String },
}

impl SpecialToken {
    pub(crate) fn into_name(self) -> String {
        match self {
            Self::Name(name) | Self::Properties { content: name } => name,
        }
    }
}
