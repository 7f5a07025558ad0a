//! The states of sentences in a language model.

use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::Range;

use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Tensor, TensorData};
use mpm_core::MpmBackend;
use mpm_llm::LanguageModel;
use mpm_llm::template::{TemplateTokenizer, TextTemplate};

use super::{ContrastiveConfig, LayerStates, Pooling, SentenceStates, contrastive_loss};
use crate::{BoxError, LossOutput, Objective, TrainError};

/// Reads sentences with a language model `M`: the layers are `embeddings`, `block 1` and so on, and
/// `norm` behind the last of them.
///
/// The template is that of the model's [family](mpm_llm::Family). Measure with the one that the
/// model will be used with: the states of a sentence depend on what stands around it.
#[derive(Debug, Clone)]
pub struct LlmSentences<'a, M, T> {
    llm: &'a M,
    reader: Reader<'a, T>,
    batch: NonZeroUsize,
}

impl<'a, M, T: TemplateTokenizer> LlmSentences<'a, M, T> {
    /// Reads `batch` sentences at a time.
    ///
    /// # Errors
    /// [`TrainError::Template`] for a template of another family, without a place for the sentence,
    /// or with nothing to read behind it.
    pub fn new(
        llm: &'a M,
        tokenizer: &'a T,
        template: &'a TextTemplate,
        pooling: Pooling,
        batch: NonZeroUsize,
    ) -> Result<Self, TrainError> {
        let reader = Reader {
            tokenizer,
            template,
            pooling,
        };
        reader.validate()?;
        Ok(Self { llm, reader, batch })
    }
}

impl<B, M, T> SentenceStates<B> for LlmSentences<'_, M, T>
where
    B: MpmBackend,
    M: LanguageModel<B>,
    T: TemplateTokenizer<Input = M::Input>,
{
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

/// Trains a language model `M` so that translations have states near each other:
/// [`contrastive_loss`] of the states behind the last norm.
///
/// A batch is a list of pairs of sentences, at least two.
#[derive(Debug, Clone)]
pub struct LlmAlignment<M, T> {
    tokenizer: T,
    template: TextTemplate,
    pooling: Pooling,
    loss: ContrastiveConfig,
    llm: PhantomData<fn(&M)>,
}

impl<M, T: TemplateTokenizer> LlmAlignment<M, T> {
    /// An objective for sentences in a template.
    ///
    /// # Errors
    /// [`TrainError::Template`] as [`LlmSentences::new`], [`TrainError::Setting`] for an unsound
    /// loss.
    pub fn new(
        tokenizer: T,
        template: TextTemplate,
        pooling: Pooling,
        loss: ContrastiveConfig,
    ) -> Result<Self, TrainError> {
        loss.validate()?;
        let objective = Self {
            tokenizer,
            template,
            pooling,
            loss,
            llm: PhantomData,
        };
        objective.reader().validate()?;
        Ok(objective)
    }

    fn reader(&self) -> Reader<'_, T> {
        Reader {
            tokenizer: &self.tokenizer,
            template: &self.template,
            pooling: self.pooling,
        }
    }
}

impl<B, M, T> Objective<B> for LlmAlignment<M, T>
where
    B: AutodiffBackend + MpmBackend,
    M: LanguageModel<B> + AutodiffModule<B> + 'static,
    T: TemplateTokenizer<Input = M::Input> + Sync,
{
    type Model = M;
    type Batch = Vec<[String; 2]>;

    fn loss(&self, model: &M, batch: Vec<[String; 2]>) -> Result<LossOutput<B>, BoxError> {
        let reader = self.reader();
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
struct Reader<'a, T> {
    tokenizer: &'a T,
    template: &'a TextTemplate,
    pooling: Pooling,
}

impl<T: TemplateTokenizer> Reader<'_, T> {
    fn validate(&self) -> Result<(), TrainError> {
        self.template.require_family(self.tokenizer.family())?;
        self.pooling.check(self.template)
    }

    /// The states `[sentences, d_model]` behind the last norm, and the number of tokens read.
    /// `observe` is called with those of each layer, the last one included.
    fn read<B, M>(
        &self,
        llm: &M,
        sentences: &[&str],
        mut observe: impl FnMut(Tensor<B, 2>),
    ) -> Result<(Tensor<B, 2>, usize), BoxError>
    where
        B: MpmBackend,
        M: LanguageModel<B, Input = T::Input>,
    {
        let batch = self.tokenizer.encode_texts(self.template, sentences)?;
        let tokens = batch.texts.iter().map(|text| self.pooling.tokens(text));
        let tokens: Vec<_> = tokens.collect();
        if tokens.iter().any(Range::is_empty) {
            return Err("a sentence is empty".into());
        }
        let embeddings = llm.embed_input(&batch.input)?;
        let [rows, seq, _] = embeddings.dims();
        let weights = mean_weights(&tokens, [rows, seq], &llm.device());
        let pool = |states: &Tensor<B, 3>| -> Tensor<B, 2> {
            let states = states.clone().cast(DType::F32);
            weights.clone().matmul(states).squeeze_dim(1)
        };
        observe(pool(&embeddings));
        let mut observe_layer = |_, states: &Tensor<B, 3>| observe(pool(states));
        let last = llm.states(embeddings, &batch.input, &mut observe_layer)?;
        let last = pool(&last);
        observe(last.clone());
        Ok((last, rows * seq))
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
