//! The loop on a model that recites a text byte by byte, as a causal model with
//! a byte-level tokenizer would.

use std::ops::ControlFlow;

use super::*;
use crate::error::LlmError;

const END: i32 = 256;
const WIDTH: usize = 257;

/// Recites its answers; every other token is equally unlikely.
struct Reciter {
    answers: Vec<Vec<u8>>,
    /// Answer and byte of each sequence.
    cursors: Vec<(usize, usize)>,
    /// Tokens read in one step, for each step.
    reads: Vec<usize>,
    /// A first byte that is nearly as likely as the right one.
    rival: Option<u8>,
}

impl Reciter {
    fn new(answers: &[&str]) -> Self {
        Self {
            answers: answers
                .iter()
                .map(|text| text.as_bytes().to_vec())
                .collect(),
            cursors: vec![(0, 0)],
            reads: Vec::new(),
            rival: None,
        }
    }

    fn logits(&mut self) -> Logits {
        self.reads.push(self.cursors.len());
        let mut values = vec![1.0; WIDTH * self.cursors.len()];
        for (row, &(answer, byte)) in values.chunks_exact_mut(WIDTH).zip(&self.cursors) {
            let next = self.answers[answer]
                .get(byte)
                .map_or(END as usize, |&b| b.into());
            if let (Some(rival), (0, 0)) = (self.rival, (answer, byte)) {
                row[usize::from(rival)] = 12.9;
            }
            row[next] = 13.0;
        }
        Logits {
            values,
            width: WIDTH,
        }
    }
}

impl DecodingSession for Reciter {
    fn start(&mut self) -> Result<Logits, LlmError> {
        Ok(self.logits())
    }

    fn step(&mut self, tokens: &[i32]) -> Result<Logits, LlmError> {
        for (cursor, &token) in self.cursors.iter_mut().zip(tokens) {
            *cursor = if token == END {
                (cursor.0 + 1, 0)
            } else {
                (cursor.0, cursor.1 + 1)
            };
        }
        Ok(self.logits())
    }

    fn select_rows(&mut self, rows: &[usize]) {
        self.cursors = rows.iter().map(|&row| self.cursors[row]).collect();
    }

    fn ends_answer(&self, token: i32) -> bool {
        token == END
    }

    fn answer(&self, row: usize) -> usize {
        self.cursors[row].0
    }

    fn answers(&self) -> usize {
        self.answers.len()
    }
}

fn strategies() -> [Strategy; 3] {
    [
        Strategy::Greedy,
        Strategy::Sample(Sampling {
            top_k: Some(1),
            ..Sampling::default()
        }),
        Strategy::Beam {
            beams: 3,
            length_penalty: 1.0,
        },
    ]
}

fn params(strategy: Strategy) -> DecodingParams {
    DecodingParams {
        strategy,
        temperature: 1.0,
        repetition_penalty: 1.0,
        max_new_tokens: 64,
        ..DecodingParams::default()
    }
}

/// Runs and returns the pieces too, none of them after the first `limit`.
fn run(answers: &[&str], params: &DecodingParams, limit: usize) -> (Generation, Vec<String>) {
    let mut pieces = Vec::new();
    let generation = generate(
        &mut Reciter::new(answers),
        params,
        |token| Ok(vec![token as u8]),
        |piece| {
            pieces.push(piece.text.to_owned());
            if pieces.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        },
    );
    (generation.expect("recites"), pieces)
}

#[test]
fn every_strategy_recites_to_the_end() {
    for strategy in strategies() {
        let (generation, pieces) = run(&["Ein Hund 狗 🐕!"], &params(strategy), usize::MAX);
        assert_eq!(generation.texts, ["Ein Hund 狗 🐕!"]);
        assert_eq!(generation.finish, FinishReason::Eos);
        assert_eq!(pieces.concat(), "Ein Hund 狗 🐕!");
        assert!(pieces.iter().all(|piece| !piece.contains('\u{fffd}')));
        let last = generation.tokens.last().expect("has tokens");
        assert_eq!((last.id, last.answer), (END, 0));
        assert!(last.log_prob < 0.0 && last.log_prob > -0.01);
    }
}

#[test]
fn several_answers_have_a_text_each() {
    for strategy in strategies() {
        let (generation, _) = run(&["one", "two"], &params(strategy), usize::MAX);
        assert_eq!(generation.texts, ["one", "two"]);
        assert_eq!(generation.finish, FinishReason::Eos);
        assert_eq!(generation.tokens.len(), 8);
    }
}

#[test]
fn a_stop_text_ends_the_answer_before_it() {
    for strategy in strategies() {
        let params = DecodingParams {
            stop: vec!["\nUser".to_owned()],
            ..params(strategy)
        };
        let (generation, pieces) = run(&["yes\nUser: and"], &params, usize::MAX);
        assert_eq!(generation.texts, ["yes"]);
        assert_eq!(pieces.concat(), "yes");
        assert_eq!(generation.finish, FinishReason::StopString);
    }
}

#[test]
fn a_stop_text_in_an_earlier_answer_ends_a_beam_search() {
    let params = DecodingParams {
        stop: vec!["s!".to_owned()],
        ..params(Strategy::Beam {
            beams: 2,
            length_penalty: 1.0,
        })
    };
    let mut session = Reciter::new(&["yes! no", "two"]);
    // Two answers stay likely until both have ended: all tokens come at once.
    session.rival = Some(b'Y');
    let mut pieces = String::new();
    let generation = generate(
        &mut session,
        &params,
        |token| Ok(vec![token as u8]),
        |piece| {
            pieces += piece.text;
            ControlFlow::Continue(())
        },
    )
    .expect("recites");
    assert_eq!(generation.finish, FinishReason::StopString);
    assert_eq!(generation.texts, ["ye"]);
    assert_eq!(pieces, "ye");
    assert_eq!(generation.tokens.len(), 4);
}

#[test]
fn no_more_tokens_than_allowed() {
    for strategy in strategies() {
        let params = DecodingParams {
            max_new_tokens: 3,
            ..params(strategy)
        };
        let (generation, pieces) = run(&["abcdef"], &params, usize::MAX);
        assert_eq!(generation.tokens.len(), 3);
        assert_eq!(generation.finish, FinishReason::MaxTokens);
        assert_eq!(pieces.concat(), generation.texts[0]);
        assert!(generation.texts[0].starts_with("ab"));
    }
}

#[test]
fn a_character_that_is_cut_off_is_shown_as_such_at_the_end_only() {
    let params = DecodingParams {
        max_new_tokens: 2,
        ..params(Strategy::Greedy)
    };
    let (generation, pieces) = run(&["狗"], &params, usize::MAX);
    assert_eq!(pieces, ["", "", "\u{fffd}"]);
    assert_eq!(generation.texts, ["\u{fffd}"]);
}

#[test]
fn the_callback_can_cancel_at_any_step() {
    for strategy in strategies() {
        for limit in 1..4 {
            let (generation, pieces) = run(&["abcdef"], &params(strategy.clone()), limit);
            assert_eq!(generation.finish, FinishReason::Cancelled);
            assert_eq!(pieces.len(), limit);
            assert!("abcdef".starts_with(&pieces.concat()));
        }
    }
}

#[test]
fn the_prompt_is_read_once_for_all_beams() {
    let mut session = Reciter::new(&["abc"]);
    let params = params(Strategy::Beam {
        beams: 4,
        length_penalty: 1.0,
    });
    generate(
        &mut session,
        &params,
        |token| Ok(vec![token as u8]),
        |_| ControlFlow::Continue(()),
    )
    .expect("recites");
    assert_eq!(session.reads[..2], [1, 4]);
}

#[test]
fn the_repetition_penalty_keeps_from_repeating() {
    let params = DecodingParams {
        repetition_penalty: 1e6,
        ..params(Strategy::Greedy)
    };
    let (generation, _) = run(&["aab"], &params, usize::MAX);
    assert_eq!(generation.tokens[0].id, i32::from(b'a'));
    assert_ne!(generation.tokens[1].id, i32::from(b'a'));
}

#[test]
fn invalid_parameters_fail_before_the_model_runs() {
    let mut session = Reciter::new(&["abc"]);
    let params = DecodingParams {
        repetition_penalty: 0.5,
        ..DecodingParams::default()
    };
    let result = generate(
        &mut session,
        &params,
        |_| Ok(Vec::new()),
        |_| ControlFlow::Continue(()),
    );
    assert!(matches!(result, Err(LlmError::DecodingParameter { .. })));
    assert!(session.reads.is_empty());
}

/// As the reciter, but with room for some tokens beyond the prompt only.
struct Small(Reciter, usize);

impl DecodingSession for Small {
    fn start(&mut self) -> Result<Logits, LlmError> {
        self.0.start()
    }

    fn step(&mut self, tokens: &[i32]) -> Result<Logits, LlmError> {
        self.1 = self.1.checked_sub(1).expect("room");
        self.0.step(tokens)
    }

    fn room(&self) -> usize {
        self.1
    }

    fn select_rows(&mut self, rows: &[usize]) {
        self.0.select_rows(rows);
    }

    fn ends_answer(&self, token: i32) -> bool {
        self.0.ends_answer(token)
    }

    fn answer(&self, row: usize) -> usize {
        self.0.answer(row)
    }
}

#[test]
fn an_answer_ends_where_there_is_no_room() {
    for strategy in strategies() {
        for (room, text) in [(0, "a"), (2, "abc"), (9, "abcdef")] {
            let mut session = Small(Reciter::new(&["abcdef"]), room);
            let generation = generate(
                &mut session,
                &params(strategy.clone()),
                |token| Ok(vec![token as u8]),
                |_| ControlFlow::Continue(()),
            )
            .expect("ends in time");
            assert_eq!(generation.texts, [text], "{strategy:?}");
            let is_whole = generation.finish == FinishReason::Eos;
            assert_eq!(is_whole, room == 9, "{strategy:?}");
        }
    }
}

#[test]
fn broken_logits_are_an_error() {
    struct Broken(Reciter, f32);
    impl DecodingSession for Broken {
        fn start(&mut self) -> Result<Logits, LlmError> {
            let mut logits = self.0.logits();
            logits.values[5] = self.1;
            Ok(logits)
        }
        fn step(&mut self, tokens: &[i32]) -> Result<Logits, LlmError> {
            self.0.step(tokens)
        }
        fn select_rows(&mut self, rows: &[usize]) {
            self.0.select_rows(rows);
        }
        fn ends_answer(&self, token: i32) -> bool {
            token == END
        }
        fn answer(&self, row: usize) -> usize {
            self.0.answer(row)
        }
    }
    for strategy in strategies() {
        for logit in [f32::NAN, f32::INFINITY] {
            let result = generate(
                &mut Broken(Reciter::new(&["abc"]), logit),
                &params(strategy.clone()),
                |_| Ok(Vec::new()),
                |_| ControlFlow::Continue(()),
            );
            assert!(matches!(result, Err(LlmError::NotANumber { step: 0 })));
        }
    }
}
