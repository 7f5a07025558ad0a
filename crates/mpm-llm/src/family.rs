//! The kinds of language models.

use std::fmt;

/// A kind of language models, whose texts are written in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// [CPM-Bee](crate::cpm_bee): a prompt is a map of texts.
    CpmBee,
    /// [The LLaMA family](crate::llama): a prompt is one text.
    Llama,
}

/// The name in messages, such as "a model of the LLaMA family".
impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CpmBee => "CPM-Bee",
            Self::Llama => "a model of the LLaMA family",
        })
    }
}
