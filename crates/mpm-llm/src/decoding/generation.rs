//! Answers: the loop from logits to text.

use std::ops::ControlFlow;

use super::{
    beam::BeamSearch,
    params::{DecodingParams, Strategy},
    sampling::Picker,
    session::DecodingSession,
    stream::TextStream,
};
use crate::error::LlmError;

/// One token of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Token {
    /// Its id; from the vocabulary's size on, a row of the ext table.
    pub id: i32,
    /// Which of the prompt's answers it belongs to, from 0.
    pub answer: usize,
    /// Log probability that the model gave it, after repetition penalty and
    /// temperature, before any restriction of sampling.
    pub log_prob: f32,
}

/// Why a generation came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended its last answer.
    Eos,
    /// The answer has as many tokens as were allowed, or as the session has room for.
    MaxTokens,
    /// A stop text came.
    StopString,
    /// The callback cancelled.
    Cancelled,
}

/// A piece of an answer's text as it grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Which of the prompt's answers it belongs to, from 0.
    pub answer: usize,
    /// Whole characters, possibly none.
    pub text: &'a str,
}

/// A complete generation.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// All tokens, each answer's end included; none after the one that completes a
    /// stop text.
    pub tokens: Vec<Token>,
    /// The text of each answer that was begun, cut before a stop text.
    pub texts: Vec<String>,
    /// Why it ended.
    pub finish: FinishReason,
    /// Score of the best answer of a beam search that was not cut short.
    pub score: Option<f64>,
}

/// Generates the answers that a session's prompt asks for.
///
/// `bytes_of` gives the text of a token, of which several may make up one
/// character. `on_piece` gets the text as it grows and is called after every
/// step, with an empty text when there is nothing new, so that it can cancel at
/// any time. The pieces of an answer add up to its text, unless the generation
/// is cancelled. A beam search shows what all answers that can still win have in
/// common.
///
/// # Errors
/// [`LlmError::DecodingParameter`] when `params` are invalid,
/// [`LlmError::NotANumber`] when the logits hold NaN or infinity, and those of
/// `bytes_of` and of the session.
pub fn generate<S: DecodingSession>(
    session: &mut S,
    params: &DecodingParams,
    bytes_of: impl FnMut(i32) -> Result<Vec<u8>, LlmError>,
    on_piece: impl FnMut(Piece<'_>) -> ControlFlow<()>,
) -> Result<Generation, LlmError> {
    params.validate()?;
    let writer = Writer {
        bytes_of,
        on_piece,
        stop: &params.stop,
        streams: Vec::new(),
        written: 0,
    };
    match &params.strategy {
        &Strategy::Beam {
            beams,
            length_penalty,
        } => {
            let search = BeamSearch::new(params, beams, length_penalty, session);
            with_beams(session, search, writer)
        }
        Strategy::Greedy => one_by_one(session, params, Picker::Greedy, writer),
        Strategy::Sample(sampling) => one_by_one(session, params, Picker::sample(sampling), writer),
    }
}

fn one_by_one<S, F, G>(
    session: &mut S,
    params: &DecodingParams,
    mut picker: Picker,
    mut writer: Writer<'_, F, G>,
) -> Result<Generation, LlmError>
where
    S: DecodingSession,
    F: FnMut(i32) -> Result<Vec<u8>, LlmError>,
    G: FnMut(Piece<'_>) -> ControlFlow<()>,
{
    let temperature = match params.strategy {
        Strategy::Greedy => 1.0,
        _ => params.temperature,
    };
    let mut history = [session.start_token().into_iter().collect::<Vec<i32>>()];
    let mut tokens: Vec<Token> = Vec::new();
    let mut logits = session.start()?;
    loop {
        let step = tokens.len();
        let log_probs = logits.into_log_probs(params, temperature, &history, step)?;
        let picked = picker
            .pick(&log_probs.values)
            .ok_or(LlmError::NotANumber { step })?;
        let answer = session.answer(0);
        tokens.push(Token {
            id: picked.token,
            answer,
            log_prob: picked.score,
        });
        let flow = writer.write(&tokens, session)?;
        let ended = session.ends_answer(picked.token) && answer + 1 == session.answers();
        let finish = if flow.is_break() {
            FinishReason::Cancelled
        } else if writer.stopped() {
            FinishReason::StopString
        } else if ended {
            FinishReason::Eos
        } else if tokens.len() >= params.max_new_tokens || session.room() == 0 {
            FinishReason::MaxTokens
        } else {
            history[0].push(session.read_as(picked.token));
            logits = session.step(&[picked.token])?;
            continue;
        };
        return Ok(writer.finish(tokens, finish, None));
    }
}

fn with_beams<S, F, G>(
    session: &mut S,
    mut search: BeamSearch<'_>,
    mut writer: Writer<'_, F, G>,
) -> Result<Generation, LlmError>
where
    S: DecodingSession,
    F: FnMut(i32) -> Result<Vec<u8>, LlmError>,
    G: FnMut(Piece<'_>) -> ControlFlow<()>,
{
    let mut logits = session.start()?;
    while let Some(tokens) = search.advance(logits, session)? {
        let live = search.best_live();
        let flow = writer.write(&live[..search.settled()], session)?;
        if flow.is_break() || writer.stopped() {
            let finish = if flow.is_break() {
                FinishReason::Cancelled
            } else {
                FinishReason::StopString
            };
            let settled = live[..search.settled()].to_vec();
            return Ok(writer.finish(settled, finish, None));
        }
        logits = session.step(&tokens)?;
    }
    let best = search.into_best().ok_or(LlmError::NoAnswer)?;
    let flow = writer.write(&best.tokens, session)?;
    let last = best.tokens.last();
    let finish = if flow.is_break() {
        FinishReason::Cancelled
    } else if writer.stopped() {
        FinishReason::StopString
    } else if last
        .is_some_and(|last| session.ends_answer(last.id) && last.answer + 1 == session.answers())
    {
        FinishReason::Eos
    } else {
        FinishReason::MaxTokens
    };
    Ok(writer.finish(best.tokens, finish, Some(best.score)))
}

/// Turns tokens into text for the callback.
struct Writer<'a, F, G> {
    bytes_of: F,
    on_piece: G,
    stop: &'a [String],
    /// The text of each answer that was begun.
    streams: Vec<TextStream>,
    /// Tokens that were written.
    written: usize,
}

impl<F, G> Writer<'_, F, G>
where
    F: FnMut(i32) -> Result<Vec<u8>, LlmError>,
    G: FnMut(Piece<'_>) -> ControlFlow<()>,
{
    /// Writes what is new in `tokens`, which begin with those written before, up to
    /// the first stop text.
    fn write<S: DecodingSession>(
        &mut self,
        tokens: &[Token],
        session: &S,
    ) -> Result<ControlFlow<()>, LlmError> {
        let mut text = String::new();
        for token in &tokens[self.written.min(tokens.len())..] {
            self.written += 1;
            while self.streams.len() <= token.answer {
                let stream = TextStream::new(self.stop);
                self.streams.push(stream);
            }
            let stream = &mut self.streams[token.answer];
            if session.ends_answer(token.id) {
                text += &stream.finish();
                let answer = token.answer;
                let piece = Piece {
                    answer,
                    text: &std::mem::take(&mut text),
                };
                if (self.on_piece)(piece).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            } else {
                text += &stream.push(&(self.bytes_of)(token.id)?);
                if stream.stopped() {
                    break;
                }
            }
        }
        let answer = self.streams.len().saturating_sub(1);
        Ok((self.on_piece)(Piece {
            answer,
            text: &text,
        }))
    }

    /// Whether a stop text came.
    fn stopped(&self) -> bool {
        self.streams.iter().any(TextStream::stopped)
    }

    fn finish(
        mut self,
        mut tokens: Vec<Token>,
        finish: FinishReason,
        score: Option<f64>,
    ) -> Generation {
        // A beam search may give tokens after a stop text, which are in no answer's text.
        tokens.truncate(self.written);
        if let Some(stream) = self.streams.last_mut() {
            let rest = stream.finish();
            if finish != FinishReason::Cancelled && !rest.is_empty() {
                let answer = self.streams.len() - 1;
                // Nothing is left to cancel.
                let _ = (self.on_piece)(Piece {
                    answer,
                    text: &rest,
                });
            }
        }
        Generation {
            tokens,
            texts: self.streams.iter().map(TextStream::text).collect(),
            finish,
            score,
        }
    }
}
