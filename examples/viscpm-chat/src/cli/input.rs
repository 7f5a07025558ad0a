//! The lines that a user types or a program sends.

use std::io::{self, BufRead, IsTerminal};

use rustyline::{DefaultEditor, error::ReadlineError};
use viscpm_common::cli::BoxError;

/// Where the lines of a conversation come from.
pub enum Input {
    /// A terminal, with a prompt, line editing and a history.
    Terminal(Box<DefaultEditor>),
    /// A file or a pipe, without a prompt.
    Stream,
}

impl Input {
    /// Standard input.
    pub fn open() -> Result<Self, BoxError> {
        Ok(match io::stdin().is_terminal() {
            true => Self::Terminal(Box::new(DefaultEditor::new()?)),
            false => Self::Stream,
        })
    }

    /// Whether somebody sits there.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// The next line without its end, or `None` at the end of the input. Bytes
    /// that are no UTF-8 become U+FFFD.
    pub fn line(&mut self) -> Result<Option<String>, BoxError> {
        match self {
            Self::Terminal(editor) => loop {
                match editor.readline("> ") {
                    Ok(line) => {
                        // The history is a convenience; a full one is no reason to stop.
                        let _ = editor.add_history_entry(line.as_str());
                        return Ok(Some(line));
                    }
                    // Ctrl-C drops the line.
                    Err(ReadlineError::Interrupted) => {}
                    Err(ReadlineError::Eof) => return Ok(None),
                    Err(error) => return Err(error.into()),
                }
            },
            Self::Stream => {
                let mut line = Vec::new();
                let length = io::stdin().lock().read_until(b'\n', &mut line)?;
                Ok((length > 0).then(|| String::from_utf8_lossy(&line).into_owned()))
            }
        }
    }
}
