//! The states of sentences in CPM-Bee.

use std::num::NonZeroUsize;
use std::ops::Range;

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Tensor, TensorData};
use mpm_core::MpmBackend;
use mpm_llm::cpm_bee::{CpmBee, CpmBeeInput};
use mpm_llm::prompt::{Collator, EncodedPrompt};
use mpm_llm::tokenizer::CpmBeeTokenizer;

use super::{
    ContrastiveConfig, LayerStates, Pooling, SentencePrompt, SentenceStates, contrastive_loss,
};
use crate::{BoxError, LossOutput, Objective, TrainError};

/// Reads sentences with CPM-Bee: the layers are `embeddings`, `block 1` and so on, and `norm`
/// behind the last of them.
#[derive(Debug, Clone)]
pub struct CpmBeeSentences<'a, B: Backend> {
    llm: &'a CpmBee<B>,
    reader: Reader<'a>,
    batch: NonZeroUsize,
}

impl<'a, B: Backend> CpmBeeSentences<'a, B> {
    /// Reads `batch` sentences at a time.
    ///
    /// # Errors
    /// [`TrainError::Setting`] for a prompt without a place for the sentence, or with nothing to
    /// read behind it.
    pub fn new(
        llm: &'a CpmBee<B>,
        tokenizer: &'a CpmBeeTokenizer,
        prompt: &'a SentencePrompt,
        pooling: Pooling,
        batch: NonZeroUsize,
    ) -> Result<Self, TrainError> {
        prompt.validate(pooling)?;
        let reader = Reader {
            tokenizer,
            prompt,
            pooling,
        };
        Ok(Self { llm, reader, batch })
    }
}

impl<B: MpmBackend> SentenceStates<B> for CpmBeeSentences<'_, B> {
    fn states(&self, sentences: &[&str]) -> Result<Vec<LayerStates<B>>, BoxError> {
        let mut layers: Vec<Vec<Tensor<B, 2>>> = Vec::new();
        for batch in sentences.chunks(self.batch.get()) {
            let mut pooled = Vec::new();
            self.reader
                .read(self.llm, batch, |states| pooled.push(states))?;
            layers.resize(pooled.len(), Vec::new());
            for (layer, states) in layers.iter_mut().zip(pooled) {
                layer.push(states);
            }
        }
        let last = layers.len().saturating_sub(1);
        let layers = layers.into_iter().enumerate().map(|(index, states)| {
            let layer = match index {
                0 => "embeddings".to_owned(),
                index if index == last => "norm".to_owned(),
                index => format!("block {index}"),
            };
            let states = Tensor::cat(states, 0);
            LayerStates { layer, states }
        });
        Ok(layers.collect())
    }
}

/// Trains CPM-Bee so that translations have states near each other: [`contrastive_loss`] of the
/// states behind the last norm.
///
/// A batch is a list of pairs of sentences, at least two.
#[derive(Debug, Clone)]
pub struct CpmBeeAlignment {
    tokenizer: CpmBeeTokenizer,
    prompt: SentencePrompt,
    pooling: Pooling,
    loss: ContrastiveConfig,
}

impl CpmBeeAlignment {
    /// An objective for sentences in a prompt.
    ///
    /// # Errors
    /// [`TrainError::Setting`] for an unsound prompt or loss.
    pub fn new(
        tokenizer: CpmBeeTokenizer,
        prompt: SentencePrompt,
        pooling: Pooling,
        loss: ContrastiveConfig,
    ) -> Result<Self, TrainError> {
        prompt.validate(pooling)?;
        loss.validate()?;
        Ok(Self {
            tokenizer,
            prompt,
            pooling,
            loss,
        })
    }
}

impl<B: AutodiffBackend + MpmBackend> Objective<B> for CpmBeeAlignment {
    type Model = CpmBee<B>;
    type Batch = Vec<[String; 2]>;

    fn loss(&self, model: &CpmBee<B>, batch: Vec<[String; 2]>) -> Result<LossOutput<B>, BoxError> {
        let reader = Reader {
            tokenizer: &self.tokenizer,
            prompt: &self.prompt,
            pooling: self.pooling,
        };
        let mut tokens = 0;
        let mut states = |language: usize| -> Result<Tensor<B, 2>, BoxError> {
            let sentences = batch.iter().map(|pair| pair[language].as_str());
            let sentences: Vec<_> = sentences.collect();
            let (last, read) = reader.read(model, &sentences, |_| {})?;
            tokens += read;
            Ok(last)
        };
        let output = contrastive_loss(states(0)?, states(1)?, &self.loss)?;
        Ok(LossOutput { tokens, ..output })
    }
}

/// How sentences become vectors.
#[derive(Debug, Clone, Copy)]
struct Reader<'a> {
    tokenizer: &'a CpmBeeTokenizer,
    prompt: &'a SentencePrompt,
    pooling: Pooling,
}

impl Reader<'_> {
    /// The states `[sentences, d_model]` behind the last norm, and the number of tokens read.
    /// `observe` is called with those of each layer, the last one included.
    fn read<B: MpmBackend>(
        &self,
        llm: &CpmBee<B>,
        sentences: &[&str],
        mut observe: impl FnMut(Tensor<B, 2>),
    ) -> Result<(Tensor<B, 2>, usize), BoxError> {
        let (mut prompts, mut read) = (Vec::new(), Vec::new());
        for sentence in sentences {
            let (prompt, tokens) = self.prompt.encode(self.tokenizer, sentence, self.pooling)?;
            if tokens.is_empty() {
                return Err("a sentence is empty".into());
            }
            prompts.push(prompt);
            read.push(tokens);
        }
        let longest = prompts.iter().map(EncodedPrompt::len).max().unwrap_or(0);
        let batch = Collator::new(self.tokenizer, longest).collate(&prompts)?;
        let input = CpmBeeInput::from(batch);
        let shape = [input.batch, input.seq_len];
        let weights = mean_weights(&read, shape, &llm.device());
        let pool = |states: &Tensor<B, 3>| -> Tensor<B, 2> {
            let states = states.clone().cast(DType::F32);
            weights.clone().matmul(states).squeeze_dim(1)
        };
        let embeddings = llm.embed(&input.ids, &input.sub_ids, shape)?;
        observe(pool(&embeddings));
        let last = llm.hidden_states(embeddings, &input, |_, states| observe(pool(states)))?;
        let last = pool(&last);
        observe(last.clone());
        Ok((last, shape[0] * shape[1]))
    }
}

/// The weights `[batch, 1, seq]` that make means of some tokens of each row.
fn mean_weights<B: Backend>(
    read: &[Range<usize>],
    [batch, seq]: [usize; 2],
    device: &B::Device,
) -> Tensor<B, 3> {
    let mut weights = vec![0.0_f32; batch * seq];
    for (row, tokens) in read.iter().enumerate() {
        let of_row = &mut weights[row * seq..(row + 1) * seq];
        of_row[tokens.clone()].fill(1.0 / tokens.len() as f32);
    }
    let weights = TensorData::new(weights, [batch, 1, seq]);
    Tensor::from_data(weights, (device, DType::F32))
}
