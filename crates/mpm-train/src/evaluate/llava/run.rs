//! Asks a judge for what is not at hand.

use std::{collections::BTreeMap, num::NonZeroU32, thread, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    AnswerJudge, Case, JudgeCache, JudgeError, JudgeFailure, JudgeLanguage, Judgement, LlavaError,
    LlavaReport, Scores, judge_prompt,
};

/// How a judge is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JudgeOptions {
    /// The language in which it is addressed.
    pub language: JudgeLanguage,
    /// How often a question is put to it until it counts as failed.
    pub rounds: NonZeroU32,
    /// Seconds between rounds, and after a question without a reply.
    pub pause_s: f64,
    /// Questions in a row without any reply after which the judge counts as gone.
    pub give_up: NonZeroU32,
}

impl Default for JudgeOptions {
    /// English, 3 rounds with 5 seconds in between, given up after 3 questions without a reply.
    fn default() -> Self {
        let three = NonZeroU32::MIN.saturating_add(2);
        Self {
            language: JudgeLanguage::English,
            rounds: three,
            pause_s: 5.0,
            give_up: three,
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgeProgress {
    /// Counted from 1.
    pub round: u32,
    /// Questions with scores, those of earlier runs included.
    pub judged: usize,
    /// All questions.
    pub questions: usize,
}

/// Has the answers judged, and tells of each question that was asked.
///
/// A question is asked once in a round. Replies with scores are kept before the next one is asked,
/// so a run that was broken off goes on where it was; replies without are not, and these
/// questions are asked again.
///
/// # Errors
/// [`LlavaError::Silent`] with the report so far when the judge is gone, [`LlavaError::Cache`],
/// [`LlavaError::Pause`].
pub fn judge_cases(
    cases: &[Case],
    judge: &mut dyn AnswerJudge,
    cache: &mut JudgeCache,
    options: &JudgeOptions,
    on_progress: &mut dyn FnMut(JudgeProgress),
) -> Result<LlavaReport, LlavaError> {
    let pause = Duration::try_from_secs_f64(options.pause_s).map_err(|_| LlavaError::Pause {
        value: options.pause_s,
    })?;
    let prompts = cases
        .iter()
        .map(|case| judge_prompt(case, options.language));
    let prompts: Vec<_> = prompts.collect();
    let mut run = Run {
        judge,
        cache,
        results: BTreeMap::new(),
        silent: 0,
    };
    let mut missing: Vec<_> = (0..cases.len()).collect();
    missing.retain(|index| !run.recall(*index, &prompts[*index]));
    for round in 1..=options.rounds.get() {
        if missing.is_empty() {
            break;
        }
        if round > 1 {
            thread::sleep(pause);
        }
        for index in std::mem::take(&mut missing) {
            let failed = run.ask(index, &prompts[index])?;
            if let Some(last) = failed {
                missing.push(index);
                if run.silent >= options.give_up.get() {
                    return Err(LlavaError::Silent {
                        silent: run.silent,
                        last,
                        report: Box::new(run.report(cases)),
                    });
                }
            }
            on_progress(JudgeProgress {
                round,
                judged: run.results.values().filter(|result| result.is_ok()).count(),
                questions: cases.len(),
            });
            if run.silent > 0 {
                // It may be busy.
                thread::sleep(pause);
            }
        }
    }
    Ok(run.report(cases))
}

/// The scores and the reply they come from, or why there are none.
type Judged = Result<(Scores, String), String>;

struct Run<'a> {
    judge: &'a mut dyn AnswerJudge,
    cache: &'a mut JudgeCache,
    /// By the number of the case.
    results: BTreeMap<usize, Judged>,
    /// Questions in a row without a reply.
    silent: u32,
}

impl Run<'_> {
    /// Whether a reply with scores is at hand. One that an earlier version kept may have none now.
    fn recall(&mut self, index: usize, prompt: &str) -> bool {
        let Some(reply) = self.cache.get(self.judge.name(), prompt) else {
            return false;
        };
        let Ok(scores) = Scores::parse(reply) else {
            return false;
        };
        self.results.insert(index, Ok((scores, reply.to_owned())));
        true
    }

    /// Asks about a case. Returns why it has no scores, if it has none.
    fn ask(&mut self, index: usize, prompt: &str) -> Result<Option<String>, LlavaError> {
        let reply = self.judge.reply(prompt);
        self.silent = match reply {
            Err(JudgeError::Service(_)) => self.silent + 1,
            _ => 0,
        };
        let result = match reply {
            Ok(reply) => match Scores::parse(&reply) {
                Ok(scores) => {
                    self.cache.add(self.judge.name(), prompt, &reply)?;
                    Ok((scores, reply))
                }
                Err(error) => Err(error.to_string()),
            },
            Err(error) => {
                tracing::warn!("the judge gave no reply: {error}");
                Err(error.to_string())
            }
        };
        let failed = result.as_ref().err().cloned();
        self.results.insert(index, result);
        Ok(failed)
    }

    fn report(mut self, cases: &[Case]) -> LlavaReport {
        let mut report = LlavaReport {
            judge: self.judge.name().to_owned(),
            ..LlavaReport::default()
        };
        for (index, case) in cases.iter().enumerate() {
            let question_id = case.question.question_id;
            let category = case.question.category.clone();
            let result = self.results.remove(&index);
            match result.unwrap_or_else(|| Err("it was not asked".into())) {
                Ok((scores, reply)) => report.judgements.push(Judgement {
                    question_id,
                    category,
                    scores,
                    reply,
                }),
                Err(reason) => report.failures.push(JudgeFailure {
                    question_id,
                    category,
                    reason,
                }),
            }
        }
        report
    }
}
