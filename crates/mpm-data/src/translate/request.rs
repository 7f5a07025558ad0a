//! What is asked, and what an answer is worth.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::ReplyFault;

/// What stands in a conversation where a picture belongs.
const MARKER: &str = "<image>";

/// A text to translate, a line of JSON on its way to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranslationRequest {
    /// Names the request in the reply; no other request of a run has it.
    pub id: String,
    /// The text.
    pub text: String,
    /// Its language, ISO 639-1.
    pub source: String,
    /// The language to translate to.
    pub target: String,
}

/// A line of JSON from a service.
#[derive(Deserialize)]
struct Reply {
    id: String,
    translation: Option<String>,
    error: Option<String>,
}

/// What a line of a service says about the requests of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request of a number has a translation.
    Translated {
        /// The number of the request in its batch.
        request: usize,
        /// Never empty.
        translation: String,
    },
    /// The request of a number is answered, but not by a translation.
    Refused {
        /// The number of the request in its batch.
        request: usize,
        /// Why it is none.
        fault: ReplyFault,
    },
    /// The line answers no open request.
    Stray {
        /// What is wrong with the line.
        fault: ReplyFault,
    },
}

/// Judges the replies to a batch of requests.
#[derive(Debug)]
pub struct Judge<'a> {
    requests: &'a [TranslationRequest],
    numbers: HashMap<&'a str, usize>,
    answered: Vec<bool>,
    open: usize,
}

impl<'a> Judge<'a> {
    /// All requests are open.
    pub fn new(requests: &'a [TranslationRequest]) -> Self {
        let numbers = requests.iter().enumerate();
        Self {
            requests,
            numbers: numbers.map(|(n, one)| (one.id.as_str(), n)).collect(),
            answered: vec![false; requests.len()],
            open: requests.len(),
        }
    }

    /// How many requests have no answer yet.
    pub fn open(&self) -> usize {
        self.open
    }

    /// The numbers of the requests that have no answer yet.
    pub fn unanswered(&self) -> impl Iterator<Item = usize> {
        let answered = self.answered.iter().enumerate();
        answered.filter(|(_, answered)| !**answered).map(|(n, _)| n)
    }

    /// Judges a line, without or with its end. `None` for an empty line.
    pub fn line(&mut self, line: &[u8]) -> Option<Verdict> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return None;
        }
        let stray = |fault| Some(Verdict::Stray { fault });
        let malformed = |reason| stray(ReplyFault::Malformed { reason });
        let Reply {
            id,
            translation,
            error,
        } = match serde_json::from_slice(line) {
            Ok(reply) => reply,
            Err(error) => return malformed(error.to_string()),
        };
        let Some(&request) = self.numbers.get(id.as_str()) else {
            return stray(ReplyFault::UnknownId { id });
        };
        let answer = match (translation, error) {
            (Some(translation), None) => Ok(translation),
            (None, Some(error)) => Err(ReplyFault::Reported { error }),
            _ => return malformed("it needs either `translation` or `error`".into()),
        };
        if self.answered[request] {
            return stray(ReplyFault::DuplicateId { id });
        }
        self.answered[request] = true;
        self.open -= 1;
        let answer = answer.and_then(|translation| self.check(request, &translation));
        Some(match answer {
            Ok(translation) => Verdict::Translated {
                request,
                translation,
            },
            Err(fault) => Verdict::Refused { request, fault },
        })
    }

    fn check(&self, request: usize, translation: &str) -> Result<String, ReplyFault> {
        let translation = translation.trim();
        if translation.is_empty() {
            return Err(ReplyFault::Empty);
        }
        // Readers would look for a picture there.
        if translation.contains(MARKER) && !self.requests[request].text.contains(MARKER) {
            return Err(ReplyFault::Marker);
        }
        Ok(translation.to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn requests(count: usize) -> Vec<TranslationRequest> {
        let request = |n: usize| TranslationRequest {
            id: n.to_string(),
            text: format!("text {n}"),
            source: "en".into(),
            target: "de".into(),
        };
        (0..count).map(request).collect()
    }

    fn stray(verdict: Option<Verdict>) -> String {
        match verdict {
            Some(Verdict::Stray { fault }) => fault.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_kind_of_reply_is_told_apart() {
        let requests = requests(4);
        let mut judge = Judge::new(&requests);
        let good = judge.line(b"{\"id\":\"1\",\"translation\":\" ja \"}\n");
        let translation = "ja".to_owned();
        assert_eq!(
            good,
            Some(Verdict::Translated {
                request: 1,
                translation
            })
        );
        let refused = [
            (r#"{"id":"0","error":"too long"}"#, "too long"),
            (r#"{"id":"2","translation":"  "}"#, "empty"),
            (r#"{"id":"3","translation":"<image> da"}"#, "<image>"),
        ];
        for (line, part) in refused {
            match judge.line(line.as_bytes()) {
                Some(Verdict::Refused { fault, .. }) => {
                    assert!(fault.to_string().contains(part), "{fault}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
        assert_eq!(judge.open(), 0);
        let strays = [
            ("nonsense", "malformed"),
            (r#"{"id":1,"translation":"a"}"#, "malformed"),
            (r#"{"id":"1"}"#, "malformed"),
            (r#"{"id":"1","translation":"a","error":"b"}"#, "malformed"),
            (r#"{"id":"9","translation":"a"}"#, "nothing was asked"),
            (r#"{"id":"1","translation":"a"}"#, "before"),
        ];
        for (line, part) in strays {
            let reason = stray(judge.line(line.as_bytes()));
            assert!(reason.contains(part), "{line}: {reason}");
        }
        assert_eq!(judge.line(b" \r\n"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(lines in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "\\{\"id\":\"[0-5]\",\"(translation|error)\":\"[a-z ]{0,4}\"\\}"
                    .prop_map(String::into_bytes),
            ],
            0..20,
        )) {
            let requests = requests(4);
            let mut judge = Judge::new(&requests);
            let mut answers = 0;
            for line in &lines {
                match judge.line(line) {
                    Some(Verdict::Translated { request, translation }) => {
                        prop_assert!(request < 4 && !translation.is_empty());
                        answers += 1;
                    }
                    Some(Verdict::Refused { .. }) => answers += 1,
                    Some(Verdict::Stray { .. }) | None => {}
                }
            }
            prop_assert_eq!(judge.open(), 4 - answers);
            prop_assert_eq!(judge.unanswered().count(), judge.open());
        }
    }
}
