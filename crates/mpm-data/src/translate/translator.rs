//! Asks a service for what is not at hand.

use std::{
    collections::{BTreeMap, HashSet},
    num::{NonZeroU32, NonZeroUsize},
    ops::ControlFlow,
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Judge, ServiceError, TranslationCache, TranslationError, TranslationFailure, TranslationReport,
    TranslationRequest, TranslationService, Verdict,
};

/// How many replies that belong to no text are listed. All are counted.
const STRAYS_LISTED: usize = 100;
/// How much of such a reply is listed, in characters.
const STRAY_SHOWN: usize = 200;
/// How many lines without an answer an exchange endures. A service may write them without end.
const IDLE_LINES: u32 = 10_000;

/// How a service is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskOptions {
    /// Texts of an exchange.
    pub batch: NonZeroUsize,
    /// How often a text is asked for until it counts as failed.
    pub rounds: NonZeroU32,
    /// Seconds between rounds.
    pub pause_s: f64,
    /// Exchanges in a row without any answer after which the service counts as gone.
    pub give_up: NonZeroU32,
}

impl Default for AskOptions {
    /// 32 texts, 3 rounds with 5 seconds in between, given up after 3 exchanges without an answer.
    fn default() -> Self {
        let three = NonZeroU32::MIN.saturating_add(2);
        Self {
            batch: NonZeroUsize::MIN.saturating_add(31),
            rounds: three,
            pause_s: 5.0,
            give_up: three,
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TranslationProgress {
    /// Counted from 1.
    pub round: u32,
    /// Texts with a translation, those of earlier runs included.
    pub translated: usize,
    /// All texts.
    pub texts: usize,
}

/// Fills the cache with translations of the texts, and tells of each exchange.
///
/// Each text is asked for once in a round. What a service answered before it failed is kept, and
/// each exchange is on the disk before the next one begins.
///
/// # Errors
/// [`TranslationError::Silent`] with the report so far when the service is gone,
/// [`TranslationError::File`] when the cache cannot be written, [`TranslationError::Seconds`].
pub fn translate_texts(
    texts: &[String],
    service: &mut dyn TranslationService,
    cache: &mut TranslationCache,
    options: &AskOptions,
    on_progress: &mut dyn FnMut(TranslationProgress),
) -> Result<TranslationReport, TranslationError> {
    let pause =
        Duration::try_from_secs_f64(options.pause_s).map_err(|_| TranslationError::Seconds {
            field: "pause_s",
            value: options.pause_s,
        })?;
    let mut seen = HashSet::new();
    let texts = texts.iter().map(String::as_str);
    let texts: Vec<_> = texts.filter(|text| seen.insert(*text)).collect();
    let missing = texts.iter().filter(|text| cache.get(text).is_none());
    let mut missing: Vec<_> = missing.copied().collect();
    let mut run = Run {
        report: TranslationReport {
            cached: (texts.len() - missing.len()) as u64,
            ..TranslationReport::default()
        },
        reasons: BTreeMap::new(),
        asked: 0,
        silent: 0,
    };
    for round in 1..=options.rounds.get() {
        if missing.is_empty() {
            break;
        }
        if round > 1 {
            thread::sleep(pause);
        }
        for batch in missing.chunks(options.batch.get()) {
            let last = run.exchange(batch, service, cache)?;
            if run.silent >= options.give_up.get() {
                return Err(TranslationError::Silent {
                    silent: run.silent,
                    last,
                    report: Box::new(run.finish(&texts, cache)),
                });
            }
            on_progress(TranslationProgress {
                round,
                translated: (run.report.cached + run.report.translated) as usize,
                texts: texts.len(),
            });
        }
        missing.retain(|text| cache.get(text).is_none());
    }
    Ok(run.finish(&texts, cache))
}

struct Run {
    report: TranslationReport,
    /// Why a text has no translation yet.
    reasons: BTreeMap<String, String>,
    /// Requests so far. They are the ids, so that a late answer is never taken for another text's.
    asked: u64,
    /// Exchanges without an answer, in a row.
    silent: u32,
}

impl Run {
    /// Asks for a batch. Returns why a request has no answer, if one has none.
    fn exchange(
        &mut self,
        texts: &[&str],
        service: &mut dyn TranslationService,
        cache: &mut TranslationCache,
    ) -> Result<String, TranslationError> {
        let requests: Vec<_> = texts
            .iter()
            .map(|text| {
                self.asked += 1;
                TranslationRequest {
                    id: self.asked.to_string(),
                    text: (*text).to_owned(),
                    source: cache.source().to_owned(),
                    target: cache.target().to_owned(),
                }
            })
            .collect();
        let mut judge = Judge::new(&requests);
        let (mut pairs, mut idle_lines) = (Vec::new(), 0);
        let result = service.exchange(&requests, &mut |line| {
            match judge.line(line) {
                Some(Verdict::Translated {
                    request,
                    translation,
                }) => pairs.push((texts[request].to_owned(), translation)),
                Some(Verdict::Refused { request, fault }) => {
                    self.report.faults.count(&fault);
                    let reason = fault.to_string();
                    self.reasons.insert(texts[request].to_owned(), reason);
                }
                Some(Verdict::Stray { fault }) => {
                    self.report.faults.count(&fault);
                    self.list_stray(line, fault.to_string());
                    idle_lines += 1;
                }
                None => idle_lines += 1,
            }
            match judge.open() == 0 || idle_lines == IDLE_LINES {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        self.report.exchanges += 1;
        self.report.translated += pairs.len() as u64;
        self.silent = match judge.open() < requests.len() {
            true => 0,
            false => self.silent + 1,
        };
        let reason = self.reason(result);
        for request in judge.unanswered() {
            self.reasons
                .insert(texts[request].to_owned(), reason.clone());
        }
        cache.add(pairs)?;
        Ok(reason)
    }

    fn reason(&mut self, result: Result<(), ServiceError>) -> String {
        match result {
            Ok(()) => "the reply has no answer to it".into(),
            Err(error) => {
                self.report.broken += 1;
                tracing::warn!("an exchange with the translation service broke off: {error}");
                error.to_string()
            }
        }
    }

    fn list_stray(&mut self, line: &[u8], reason: String) {
        if self.report.failures.len() < STRAYS_LISTED {
            let line = String::from_utf8_lossy(line);
            self.report.failures.push(TranslationFailure {
                text: None,
                reply: Some(line.trim().chars().take(STRAY_SHOWN).collect()),
                reason,
            });
        }
    }

    /// Lists the texts without a translation.
    fn finish(mut self, texts: &[&str], cache: &TranslationCache) -> TranslationReport {
        for text in texts.iter().filter(|text| cache.get(text).is_none()) {
            let reason = self.reasons.remove(*text);
            self.report.failures.push(TranslationFailure {
                text: Some((*text).to_owned()),
                reply: None,
                reason: reason.unwrap_or_else(|| "it was not asked for".into()),
            });
        }
        self.report
    }
}
