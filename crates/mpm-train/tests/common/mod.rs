//! A small transformer, an endless synthetic text and the objective between them.

use std::sync::mpsc::{Receiver, channel};

use burn::backend::{Autodiff, Flex};
use burn::module::Module;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::store::ModuleSnapshot;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use mpm_train::objective::IGNORED_TARGET;
use mpm_train::pattern::parameters;
use mpm_train::{BoxError, Callback, DataSource, LossOutput, Objective, StepReport};
use mpm_train::{Schedule, TrainerConfig, language_model_loss};
use std::ops::ControlFlow;

pub type B = Autodiff<Flex>;

pub const VOCAB: usize = 11;
pub const SEQ: usize = 6;

/// Embedding, two transformer layers, projection onto the vocabulary.
#[derive(Module, Debug)]
pub struct TinyLm<B: Backend> {
    pub embedding: Embedding<B>,
    pub encoder: TransformerEncoder<B>,
    pub head: Linear<B>,
}

impl<B: Backend> TinyLm<B> {
    pub fn new(width: usize, dropout: f64) -> Self {
        let device = Default::default();
        let model = Self {
            embedding: EmbeddingConfig::new(VOCAB, width).init(&device),
            encoder: TransformerEncoderConfig::new(width, 2 * width, 2, 2)
                .with_dropout(dropout)
                .init(&device),
            head: LinearConfig::new(width, VOCAB).init(&device),
        };
        // Burn draws initial values at their first use, so a clone of a model that
        // was never used would draw others.
        let _initialised = parameters::<B, _>(&model);
        model
    }

    pub fn forward(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 3> {
        let embedded = self.embedding.forward(tokens);
        let states = self.encoder.forward(TransformerEncoderInput::new(embedded));
        self.head.forward(states)
    }
}

/// Tokens and targets in row-major order, `SEQ` a row.
#[derive(Debug, Clone, PartialEq)]
pub struct TextBatch {
    pub tokens: Vec<i64>,
    pub targets: Vec<i64>,
}

/// A text in which the target of token `t` is `2 t + 1` modulo the vocabulary;
/// a share of the targets that varies from batch to batch is ignored.
#[derive(Debug, Clone)]
pub struct SyntheticText {
    pub next: u64,
    pub rows: usize,
    pub end: u64,
}

impl SyntheticText {
    pub fn endless(rows: usize) -> Self {
        Self {
            next: 0,
            rows,
            end: u64::MAX,
        }
    }

    pub fn batch(&self, index: u64) -> TextBatch {
        let mut state = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |bound: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            (state >> 33) % bound
        };
        let counted_of_four = 1 + draw(4);
        let mut batch = TextBatch {
            tokens: Vec::new(),
            targets: Vec::new(),
        };
        for position in 0..self.rows * SEQ {
            let token = draw(VOCAB as u64) as i64;
            // The first position always counts, so that no batch is empty.
            let counts = position == 0 || draw(4) < counted_of_four;
            batch.tokens.push(token);
            batch.targets.push(if counts {
                (2 * token + 1) % VOCAB as i64
            } else {
                IGNORED_TARGET
            });
        }
        batch
    }
}

impl DataSource for SyntheticText {
    type Batch = TextBatch;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<TextBatch>, BoxError> {
        if self.next == self.end {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(self.batch(self.next - 1)))
    }

    fn position(&self) -> u64 {
        self.next
    }

    fn seek(&mut self, position: &u64) -> Result<(), BoxError> {
        self.next = *position;
        Ok(())
    }
}

pub struct NextToken;

impl Objective<B> for NextToken {
    type Model = TinyLm<B>;
    type Batch = TextBatch;

    fn loss(&self, model: &TinyLm<B>, batch: TextBatch) -> Result<LossOutput<B>, BoxError> {
        let logits = model.forward(ids(batch.tokens));
        Ok(language_model_loss(logits, ids(batch.targets))?)
    }
}

pub fn ids(values: Vec<i64>) -> Tensor<B, 2, Int> {
    let rows = values.len() / SEQ;
    Tensor::from_data(TensorData::new(values, [rows, SEQ]), &Default::default())
}

pub fn config(steps: usize, learning_rate: f64) -> TrainerConfig {
    TrainerConfig::new(steps, Schedule::constant(learning_rate))
}

/// All parameters by path, as f32.
pub fn weights(model: &TinyLm<B>) -> Vec<(String, Vec<f32>)> {
    model
        .collect(None, None, false)
        .into_iter()
        .map(|parameter| {
            let values = parameter.to_data().unwrap().to_vec().unwrap();
            (parameter.full_path(), values)
        })
        .collect()
}

/// A callback that hands all reports out and breaks off after a step.
pub fn recorder(stop_after: usize) -> (impl Callback<TinyLm<B>>, Receiver<StepReport>) {
    let (sender, reports) = channel();
    let callback = move |report: &StepReport| {
        sender.send(report.clone()).unwrap();
        if report.step == stop_after {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    (callback, reports)
}
