//! Beam search, `VLLMCPMBeeBeamSearch` in `VisCPM/generation/vllm_bee.py`.

use super::{
    generation::Token,
    logits::{Logits, best},
    params::DecodingParams,
    session::DecodingSession,
};
use crate::error::LlmError;

/// One step of a beam: the answer so far and how likely it is.
#[derive(Debug, Clone)]
struct Beam {
    tokens: Vec<Token>,
    /// What the model has read since the prompt.
    history: Vec<i32>,
    /// Sum of the log probabilities.
    score: f32,
}

/// An answer that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// Its tokens, the end included.
    pub tokens: Vec<Token>,
    /// Sum of the log probabilities over `length^length_penalty`.
    pub score: f64,
}

/// A continuation that a step considered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The beam that it continues.
    pub beam: usize,
    /// The token that it continues the beam with.
    pub token: i32,
    /// Log probability of the token.
    pub log_prob: f32,
    /// Sum of the log probabilities of the whole answer.
    pub score: f32,
}

/// Keeps the best answers, live and ended, of one prompt.
///
/// Each step looks at twice as many continuations as there are beams, best
/// first. Those that end go to the ended answers, the others become the next
/// beams. The search is over when no live beam can become better than the worst
/// ended answer, or at the last step, which ends all beams.
#[derive(Debug, Clone)]
pub struct BeamSearch<'a> {
    params: &'a DecodingParams,
    width: usize,
    length_penalty: f64,
    beams: Vec<Beam>,
    ended: Vec<Hypothesis>,
    step: usize,
    candidates: Vec<Candidate>,
}

impl<'a> BeamSearch<'a> {
    /// A search with `width` beams, for the first token of `session`.
    pub fn new<S: DecodingSession>(
        params: &'a DecodingParams,
        width: usize,
        length_penalty: f64,
        session: &S,
    ) -> Self {
        let first = Beam {
            tokens: Vec::new(),
            history: session.start_token().into_iter().collect(),
            score: 0.0,
        };
        Self {
            params,
            width,
            length_penalty,
            beams: vec![first],
            ended: Vec::new(),
            step: 0,
            candidates: Vec::new(),
        }
    }

    /// Chooses the next tokens and reorders the session to the beams they
    /// continue. Returns the tokens that the session shall read, `None` when the
    /// search is over.
    ///
    /// # Errors
    /// [`LlmError::NotANumber`] when the logits hold NaN or infinity.
    pub fn advance<S: DecodingSession>(
        &mut self,
        logits: Logits,
        session: &mut S,
    ) -> Result<Option<Vec<i32>>, LlmError> {
        let last_step = self.step + 1 >= self.params.max_new_tokens || session.room() == 0;
        self.candidates = self.consider(logits)?;
        if self.is_settled() {
            return Ok(None);
        }
        self.step += 1;

        let mut next: Vec<(usize, Beam)> = Vec::with_capacity(self.width);
        for candidate in &self.candidates {
            let beam = &self.beams[candidate.beam];
            let answer = session.answer(candidate.beam);
            let mut tokens = beam.tokens.clone();
            tokens.push(Token {
                id: candidate.token,
                answer,
                log_prob: candidate.log_prob,
            });
            let ends = session.ends_answer(candidate.token) && answer + 1 == session.answers();
            if ends || last_step {
                let length = tokens.len() as f64;
                let score = f64::from(candidate.score) / length.powf(self.length_penalty);
                keep_best(&mut self.ended, Hypothesis { tokens, score }, self.width);
                continue;
            }
            let mut history = beam.history.clone();
            history.push(session.read_as(candidate.token));
            next.push((
                candidate.beam,
                Beam {
                    tokens,
                    history,
                    score: candidate.score,
                },
            ));
            if next.len() == self.width {
                break;
            }
        }
        if next.is_empty() {
            return Ok(None);
        }
        let (rows, beams): (Vec<usize>, Vec<Beam>) = next.into_iter().unzip();
        session.select_rows(&rows);
        self.beams = beams;
        let last = |beam: &Beam| beam.tokens.last().map_or(0, |token| token.id);
        Ok(Some(self.beams.iter().map(last).collect()))
    }

    /// The continuations that the last step looked at, best first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The ended answers, in the order in which they ended.
    pub fn ended(&self) -> &[Hypothesis] {
        &self.ended
    }

    /// How many tokens all answers that can still win have in common.
    pub fn settled(&self) -> usize {
        let mut answers = self
            .beams
            .iter()
            .map(|beam| &beam.tokens)
            .chain(self.ended.iter().map(|ended| &ended.tokens));
        let Some(first) = answers.next() else {
            return 0;
        };
        answers.fold(first.len(), |common, tokens| {
            let pairs = first[..common].iter().zip(tokens);
            pairs
                .take_while(|(left, right)| left.id == right.id)
                .count()
        })
    }

    /// The tokens of one of the live beams, the best one before the last step.
    pub fn best_live(&self) -> &[Token] {
        self.beams.first().map_or(&[], |beam| &beam.tokens)
    }

    /// The ended answer with the highest score, `None` before the first has ended.
    pub fn into_best(self) -> Option<Hypothesis> {
        // The first of equal ones, as in the reference.
        self.ended.into_iter().reduce(|best, other| {
            if other.score > best.score {
                other
            } else {
                best
            }
        })
    }

    fn consider(&self, logits: Logits) -> Result<Vec<Candidate>, LlmError> {
        let history: Vec<Vec<i32>> = self.beams.iter().map(|beam| beam.history.clone()).collect();
        let log_probs =
            logits.into_log_probs(self.params, self.params.temperature, &history, self.step)?;
        let count = 2 * self.width;
        let mut candidates = Vec::with_capacity(count * self.beams.len());
        for (index, (row, beam)) in log_probs.rows().zip(&self.beams).enumerate() {
            candidates.extend(best(row, count).into_iter().map(|scored| Candidate {
                beam: index,
                token: scored.token,
                log_prob: scored.score,
                score: scored.score + beam.score,
            }));
        }
        // Stable: of equal ones the better beam's comes first.
        candidates.sort_by(|left, right| right.score.total_cmp(&left.score));
        candidates.truncate(count);
        Ok(candidates)
    }

    /// Whether even the best live answer, were it to end now, would not displace
    /// an ended one.
    fn is_settled(&self) -> bool {
        if self.ended.len() < self.width {
            return false;
        }
        let worst = self.ended.iter().map(|ended| ended.score);
        let worst = worst.fold(f64::INFINITY, f64::min);
        self.candidates.first().is_none_or(|best| {
            worst >= f64::from(best.score) / (self.step as f64).powf(self.length_penalty)
        })
    }
}

/// Adds an ended answer; when there are `count` already, only in the place of a
/// worse one.
fn keep_best(ended: &mut Vec<Hypothesis>, hypothesis: Hypothesis, count: usize) {
    if ended.len() < count {
        ended.push(hypothesis);
        return;
    }
    let worst = (1..ended.len()).fold(0, |worst, index| {
        if ended[index].score < ended[worst].score {
            index
        } else {
            worst
        }
    });
    if ended[worst].score < hypothesis.score {
        ended.remove(worst);
        ended.push(hypothesis);
    }
}
