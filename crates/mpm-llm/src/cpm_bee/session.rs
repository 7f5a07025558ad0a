//! CPM-Bee as a [`DecodingSession`], `VLLMCPMBeeGeneration` in
//! `VisCPM/generation/vllm_bee.py`.

use std::ops::Range;

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;

use super::{inference::InferenceState, input::CpmBeeStep, model::CpmBee};
use crate::{
    check::{check_length, check_range},
    decoding::{DecodingSession, Logits, check_max_new_tokens},
    error::LlmError,
    splice::splice_features,
};

/// Logit of tokens that the prompt does not allow, as in the reference.
const FORBIDDEN: f32 = -1.0e4;

/// Ids of the tokens that structure an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerTokens {
    /// `<s>`, which begins an answer.
    pub bos: i32,
    /// `</s>`, which ends it.
    pub eos: i32,
    /// `<unk>`, which is allowed only where the prompt has an unknown word.
    pub unk: i32,
}

/// A prompt and the answers that it asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct CpmBeePrompt {
    /// Token ids, `[prompt]`.
    pub ids: Vec<i32>,
    /// Which ext token an id stands for, 0 for plain tokens: `[prompt]`.
    pub sub_ids: Vec<i32>,
    /// The structure of the tokens, one row.
    pub tokens: CpmBeeStep,
    /// The slots of each picture.
    pub pictures: Vec<Range<usize>>,
    /// Relations between segments, `[relations]`.
    pub segment_rel: Vec<i32>,
    /// Token ids of the ext table, `[ext]`.
    pub ext_table_ids: Vec<i32>,
    /// Sub ids of the ext table, `[ext]`.
    pub ext_table_sub: Vec<i32>,
    /// Tokens of the ext table, and `<unk>`, that the answer may use: ids from
    /// `vocab_size` on are rows of the ext table.
    pub allowed_ext: Vec<i32>,
    /// Segment of each answer, in their order.
    pub answer_segments: Vec<i32>,
}

/// A prompt in the memory of a [`CpmBee`], and the answers it is continued by.
///
/// Every answer begins with `<s>` at position 0 of its own segment and is part
/// of the context; after `</s>` comes the next answer, if the prompt asks for
/// more than one.
#[derive(Debug)]
pub struct CpmBeeSession<'a, B: Backend> {
    model: &'a CpmBee<B>,
    prompt: CpmBeePrompt,
    special: AnswerTokens,
    ext_table: Option<Tensor<B, 2>>,
    forbidden: Vec<usize>,
    state: InferenceState<B>,
    /// Where each sequence stands.
    cursors: Vec<Cursor>,
}

#[derive(Debug, Clone, Copy)]
struct Cursor {
    answer: usize,
    position: i32,
}

impl<'a, B: MpmBackend> CpmBeeSession<'a, B> {
    /// Reads a prompt and its pictures, with room for an answer of
    /// `max_new_tokens`, 1 to [`MAX_NEW_TOKENS`](crate::decoding::MAX_NEW_TOKENS).
    ///
    /// # Shapes
    /// - features: `[pictures, n, d_model]`, `None` for a prompt without pictures
    ///
    /// # Errors
    /// [`LlmError::NoAnswer`] when the prompt asks for none,
    /// [`LlmError::FeatureCount`] and the other errors of [`splice_features`] when
    /// the features do not fit the slots, [`LlmError::DecodingParameter`] for an
    /// answer of another length, [`LlmError::InputLength`] and
    /// [`LlmError::InputRange`], the latter also for `special` tokens that are not in
    /// the vocabulary.
    pub fn new(
        model: &'a CpmBee<B>,
        prompt: CpmBeePrompt,
        features: Option<Tensor<B, 3>>,
        special: AnswerTokens,
        max_new_tokens: usize,
    ) -> Result<Self, LlmError> {
        if prompt.answer_segments.is_empty() || prompt.tokens.len == 0 {
            return Err(LlmError::NoAnswer);
        }
        check_max_new_tokens(max_new_tokens)?;
        let vocab_size = model.config().vocab_size;
        let AnswerTokens { bos, eos, unk } = special;
        check_range("answer tokens", &[bos, eos, unk], vocab_size - 1)?;
        check_length("prompt (rows)", prompt.tokens.batch, 1)?;
        let embeddings = model.embed(&prompt.ids, &prompt.sub_ids, [1, prompt.tokens.len])?;
        let embeddings = match features {
            Some(features) => {
                splice_features(embeddings, features, std::slice::from_ref(&prompt.pictures))?
            }
            None if prompt.pictures.is_empty() => embeddings,
            None => {
                return Err(LlmError::FeatureCount {
                    slots: prompt.pictures.len(),
                    features: 0,
                });
            }
        };
        let ext_table = model.embed_ext_table(&prompt.ext_table_ids, &prompt.ext_table_sub)?;
        let capacity = prompt.tokens.len + max_new_tokens;
        let mut state = model.inference_state(1, capacity, prompt.segment_rel.clone())?;
        model.infer(embeddings, &prompt.tokens, &mut state)?;

        let forbidden = std::iter::once(unk as usize)
            .chain(vocab_size..vocab_size + prompt.ext_table_ids.len())
            .filter(|&token| !prompt.allowed_ext.contains(&(token as i32)))
            .collect();
        Ok(Self {
            model,
            prompt,
            special,
            ext_table,
            forbidden,
            state,
            cursors: vec![Cursor {
                answer: 0,
                position: 0,
            }],
        })
    }

    /// Reads one token of each sequence, `(id, sub id)`, at the cursors.
    fn read(&mut self, tokens: &[(i32, i32)]) -> Result<Logits, LlmError> {
        let rows = tokens.len();
        let prompt = &self.prompt.tokens;
        let last = prompt.len - 1;
        let step = CpmBeeStep {
            batch: rows,
            len: 1,
            position: self.cursors.iter().map(|cursor| cursor.position).collect(),
            context: vec![true; rows],
            sample_ids: vec![0; rows],
            num_segments: vec![prompt.num_segments[last]; rows],
            segment_ids: self
                .cursors
                .iter()
                .map(|cursor| self.prompt.answer_segments[cursor.answer])
                .collect(),
            segment_rel_offset: vec![prompt.segment_rel_offset[last]; rows],
        };
        let (ids, sub_ids): (Vec<i32>, Vec<i32>) = tokens.iter().copied().unzip();
        let embeddings = self.model.embed(&ids, &sub_ids, [rows, 1])?;
        let hidden = self.model.infer(embeddings, &step, &mut self.state)?;
        let logits = self.model.logits(hidden, self.ext_table.clone());
        let mut logits = Logits::on_host(logits);
        for row in logits.values.chunks_exact_mut(logits.width) {
            for &token in &self.forbidden {
                row[token] = FORBIDDEN;
            }
        }
        Ok(logits)
    }

    /// What an answer token is as an id and a sub id.
    fn id_and_sub(&self, token: i32) -> (i32, i32) {
        let row = token - self.model.config().vocab_size as i32;
        match usize::try_from(row) {
            Ok(row) if row < self.prompt.ext_table_ids.len() => (
                self.prompt.ext_table_ids[row],
                self.prompt.ext_table_sub[row],
            ),
            _ => (token, 0),
        }
    }
}

impl<B: MpmBackend> DecodingSession for CpmBeeSession<'_, B> {
    fn start(&mut self) -> Result<Logits, LlmError> {
        self.read(&[(self.special.bos, 0)])
    }

    fn step(&mut self, tokens: &[i32]) -> Result<Logits, LlmError> {
        check_length("answer tokens", tokens.len(), self.cursors.len())?;
        let mut read = Vec::with_capacity(tokens.len());
        for (row, &token) in tokens.iter().enumerate() {
            if self.ends_answer(token) {
                let answer = self.cursors[row].answer + 1;
                if answer == self.answers() {
                    return Err(LlmError::NoAnswer);
                }
                self.cursors[row] = Cursor {
                    answer,
                    position: 0,
                };
                read.push((self.special.bos, 0));
            } else {
                self.cursors[row].position += 1;
                read.push(self.id_and_sub(token));
            }
        }
        self.read(&read)
    }

    fn room(&self) -> usize {
        self.state.capacity() - self.state.len()
    }

    fn select_rows(&mut self, rows: &[usize]) {
        if rows.len() == self.cursors.len() {
            // All sequences share the prompt.
            self.state.reorder_rows(rows, self.prompt.tokens.len);
        } else {
            self.state.select_rows(rows);
        }
        self.cursors = rows.iter().map(|&row| self.cursors[row]).collect();
    }

    fn read_as(&self, token: i32) -> i32 {
        if self.ends_answer(token) {
            self.special.bos
        } else {
            self.id_and_sub(token).0
        }
    }

    fn start_token(&self) -> Option<i32> {
        Some(self.special.bos)
    }

    fn ends_answer(&self, token: i32) -> bool {
        token == self.special.eos
    }

    fn answer(&self, row: usize) -> usize {
        self.cursors[row].answer
    }

    fn answers(&self) -> usize {
        self.prompt.answer_segments.len()
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use burn::{
        backend::Flex,
        module::{Module, ModuleMapper, Param},
        tensor::DType,
    };

    use super::*;
    use crate::{
        cpm_bee::CpmBeeConfig,
        decoding::{DecodingParams, FinishReason, Strategy, generate},
    };

    const SPECIAL: AnswerTokens = AnswerTokens {
        bos: 6,
        eos: 7,
        unk: 1,
    };

    struct ToHalf;

    impl ModuleMapper<Flex> for ToHalf {
        fn map_float<const D: usize>(
            &mut self,
            param: Param<Tensor<Flex, D>>,
        ) -> Param<Tensor<Flex, D>> {
            param.map(|tensor| tensor.cast(DType::F16))
        }
    }

    fn model() -> CpmBee<Flex> {
        config().init(&Default::default()).expect("valid")
    }

    fn config() -> CpmBeeConfig {
        CpmBeeConfig {
            vocab_size: 40,
            dim_model: 16,
            num_heads: 2,
            dim_head: 8,
            dim_ff: 24,
            num_layers: 2,
            // Logits of some size, so that rounding seldom decides.
            embedding_init_std: 1.0,
            ..CpmBeeConfig::tiny()
        }
    }

    fn prompt() -> CpmBeePrompt {
        let len = 5;
        CpmBeePrompt {
            ids: vec![6, 20, 1, 1, 7],
            sub_ids: vec![0, 0, 0, 1, 0],
            tokens: CpmBeeStep {
                batch: 1,
                len,
                position: (0..len as i32).collect(),
                context: vec![true; len],
                sample_ids: vec![0; len],
                num_segments: vec![2; len],
                segment_ids: vec![0; len],
                segment_rel_offset: vec![0; len],
            },
            pictures: Vec::new(),
            segment_rel: vec![0, 9, 8, 0],
            ext_table_ids: vec![1],
            ext_table_sub: vec![1],
            allowed_ext: Vec::new(),
            answer_segments: vec![1],
        }
    }

    #[test]
    fn what_the_prompt_does_not_allow_never_comes() {
        let model = model();
        let forbidden = [SPECIAL.unk as usize, 40];
        let mut session = CpmBeeSession::new(&model, prompt(), None, SPECIAL, 4).expect("fits");
        let logits = session.start().expect("runs");
        assert_eq!(logits.width, 41);
        assert!(
            forbidden
                .iter()
                .all(|&token| logits.values[token] == FORBIDDEN)
        );

        let allowed = CpmBeePrompt {
            allowed_ext: vec![SPECIAL.unk, 40],
            ..prompt()
        };
        let mut session = CpmBeeSession::new(&model, allowed, None, SPECIAL, 4).expect("fits");
        let logits = session.start().expect("runs");
        assert!(
            forbidden
                .iter()
                .all(|&token| logits.values[token] != FORBIDDEN)
        );
    }

    #[test]
    fn f16_stays_f16_and_gives_the_same_logits_up_to_rounding() {
        let model = model();
        let logits = |model: &CpmBee<Flex>| {
            let mut session = CpmBeeSession::new(model, prompt(), None, SPECIAL, 4).expect("fits");
            let first = session.start().expect("runs");
            session.select_rows(&[0, 0]);
            let second = session.step(&[20, 21]).expect("runs");
            assert_eq!(
                session.state.cache().layers()[0].key().dtype(),
                model.dtype()
            );
            [first.values, second.values].concat()
        };
        // Before the clone, because weights are drawn when they are first used.
        let full = logits(&model);
        let half = model.clone().map(&mut ToHalf);
        assert_eq!(half.dtype(), DType::F16);
        for (half, full) in logits(&half).into_iter().zip(full) {
            // Rounding of 2⁻¹¹ through two layers whose values are of size 1.
            assert!(
                (half - full).abs() <= 0.05 + 0.01 * full.abs(),
                "{half} {full}"
            );
        }
    }

    #[test]
    fn a_generation_fills_the_room_it_asked_for() {
        fills_its_room(&model());
    }

    #[test]
    fn models_without_some_attention_or_feed_forward_generate() {
        let config = CpmBeeConfig {
            num_layers: 3,
            mask_modules: Some(vec![(true, false), (false, true), (false, false)]),
            ..config()
        };
        let model: CpmBee<Flex> = config.init(&Default::default()).expect("valid");
        fills_its_room(&model);

        // Beams that change places go on as if they had been there from the start.
        let logits = |tokens: [i32; 2], places: [usize; 2]| {
            let mut session = CpmBeeSession::new(&model, prompt(), None, SPECIAL, 4).expect("fits");
            session.start().expect("runs");
            session.select_rows(&[0, 0]);
            session.step(&tokens).expect("runs");
            session.select_rows(&places);
            session.step(&[22, 22]).expect("runs").values
        };
        let (swapped, expected) = (logits([20, 21], [1, 0]), logits([21, 20], [0, 1]));
        for (swapped, expected) in swapped.into_iter().zip(expected) {
            // The same sums in another blocking.
            assert!((swapped - expected).abs() < 1e-3, "{swapped} {expected}");
        }
    }

    fn fills_its_room(model: &CpmBee<Flex>) {
        for strategy in [
            Strategy::Greedy,
            Strategy::Beam {
                beams: 3,
                length_penalty: 1.0,
            },
        ] {
            let params = DecodingParams {
                strategy,
                max_new_tokens: 6,
                ..DecodingParams::default()
            };
            let mut session = CpmBeeSession::new(model, prompt(), None, SPECIAL, 6).expect("fits");
            let generation = generate(
                &mut session,
                &params,
                |_| Ok(Vec::new()),
                |_| ControlFlow::Continue(()),
            );
            let generation = generation.expect("has room");
            assert!(generation.tokens.len() <= 6);
            assert_ne!(generation.finish, FinishReason::Cancelled);
        }
    }

    #[test]
    fn pictures_without_features_are_an_error() {
        let with_picture = CpmBeePrompt {
            pictures: vec![1..3, 3..5],
            ..prompt()
        };
        let model = model();
        let error = CpmBeeSession::new(&model, with_picture, None, SPECIAL, 4).err();
        assert!(matches!(
            error,
            Some(LlmError::FeatureCount {
                slots: 2,
                features: 0
            })
        ));
        let without_answer = CpmBeePrompt {
            answer_segments: Vec::new(),
            ..prompt()
        };
        let error = CpmBeeSession::new(&model, without_answer, None, SPECIAL, 4).err();
        assert!(matches!(error, Some(LlmError::NoAnswer)));
    }

    #[test]
    fn tokens_and_lengths_that_no_answer_has_are_errors() {
        let model = model();
        let refused = |special, max_new_tokens| {
            CpmBeeSession::new(&model, prompt(), None, special, max_new_tokens).err()
        };
        let cases = [
            AnswerTokens { bos: 40, ..SPECIAL },
            AnswerTokens { eos: -1, ..SPECIAL },
            AnswerTokens { unk: -1, ..SPECIAL },
        ];
        for (place, special) in cases.into_iter().enumerate() {
            assert!(matches!(
                refused(special, 4),
                Some(LlmError::InputRange { index, max: 39, .. }) if index == place
            ));
        }
        for max_new_tokens in [0, usize::MAX] {
            assert!(matches!(
                refused(SPECIAL, max_new_tokens),
                Some(LlmError::DecodingParameter {
                    name: "max_new_tokens",
                    ..
                })
            ));
        }
    }
}
