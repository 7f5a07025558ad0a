//! Replies at hand.

use std::{collections::HashMap, path::Path};

use mpm_data::translate::{LineFile, LineFileError};
use serde::{Deserialize, Serialize};

/// A reply, as the file has it.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    judge: String,
    prompt: String,
    reply: String,
}

/// Replies with scores, in a file that only grows: a line of JSON each. One file may hold those of
/// many judges and many models under test.
#[derive(Debug)]
pub struct JudgeCache {
    file: LineFile,
    /// By judge and prompt.
    replies: HashMap<(String, String), String>,
}

impl JudgeCache {
    /// Opens a file, or makes it. The half of a line that a killed run left at its end is taken
    /// off; other lines that cannot be read are skipped and counted.
    ///
    /// # Errors
    /// [`LineFileError::InUse`] while another run has it open, [`LineFileError::File`].
    pub fn open(path: &Path) -> Result<Self, LineFileError> {
        let mut replies = HashMap::new();
        let file = LineFile::open(path, |entry: Entry| {
            replies.insert((entry.judge, entry.prompt), entry.reply);
        })?;
        Ok(Self { file, replies })
    }

    /// The reply of a judge to a prompt.
    pub fn get(&self, judge: &str, prompt: &str) -> Option<&str> {
        let key = (judge.to_owned(), prompt.to_owned());
        self.replies.get(&key).map(String::as_str)
    }

    /// Lines that could not be read.
    pub fn damaged(&self) -> u64 {
        self.file.damaged()
    }

    /// Keeps a reply, and waits until it is on the disk.
    ///
    /// # Errors
    /// [`LineFileError::File`].
    pub fn add(&mut self, judge: &str, prompt: &str, reply: &str) -> Result<(), LineFileError> {
        let entry = Entry {
            judge: judge.to_owned(),
            prompt: prompt.to_owned(),
            reply: reply.to_owned(),
        };
        self.file.add(std::slice::from_ref(&entry))?;
        self.replies
            .insert((entry.judge, entry.prompt), entry.reply);
        Ok(())
    }
}
