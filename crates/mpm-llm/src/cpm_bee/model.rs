//! The whole model, `CPMBeeTorch` in `VisCPM/models/cpmbee.py`.

use burn::{
    module::Module,
    tensor::{DType, Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend, linear_layers,
    streaming::{LayerList, StreamedLayers},
};

use super::{
    attention_bias::AttentionBias,
    block::Encoder,
    config::CpmBeeConfig,
    embedding::ExtEmbedding,
    input::CpmBeeInput,
    position_bias::{PositionBias, PositionBuckets},
    relation::Relations,
};
use crate::{check::check_length, error::LlmError};

/// CPM-Bee, a bilingual language model of 10 billion parameters at full size.
///
/// The text before the answer is attended in both directions; the answer is
/// generated token by token. Field names equal the checkpoint's key names, so
/// that weights load without a mapping.
///
/// # Examples
/// ```
/// use burn::backend::Flex;
/// use mpm_llm::cpm_bee::{CpmBee, CpmBeeConfig};
///
/// let config = CpmBeeConfig {
///     vocab_size: 100,
///     ..CpmBeeConfig::tiny()
/// };
/// let model: CpmBee<Flex> = config.init(&Default::default())?;
/// let embeddings = model.embed(&[6, 20, 21], &[0, 0, 0], [1, 3])?;
/// assert_eq!(embeddings.dims(), [1, 3, config.dim_model]);
/// # Ok::<(), mpm_llm::LlmError>(())
/// ```
#[derive(Module, Debug)]
pub struct CpmBee<B: Backend> {
    /// The transformer.
    pub encoder: Encoder<B>,
    /// The embedding and the output projection.
    pub input_embedding: ExtEmbedding<B>,
    /// The bias that all layers share.
    pub position_bias: PositionBias<B>,
    #[module(skip)]
    config: CpmBeeConfig,
    #[module(skip)]
    pub(super) buckets: PositionBuckets,
}

linear_layers!(CpmBee {
    encoder,
    input_embedding,
});

impl<B: Backend> StreamedLayers for CpmBee<B> {
    fn layer_list(&mut self) -> LayerList<'_> {
        LayerList {
            path: "encoder.layers".to_owned(),
            count: self.encoder.layers.len(),
            waiting: &mut self.encoder.waiting,
        }
    }
}

/// What a whole forward pass returns.
#[derive(Debug, Clone)]
pub struct CpmBeeOutput<B: Backend> {
    /// `[batch, seq, vocab + ext]`.
    pub logits: Tensor<B, 3>,
    /// After the last norm: `[batch, seq, d_model]`.
    pub hidden_states: Tensor<B, 3>,
}

impl CpmBeeConfig {
    /// A model with fresh weights.
    ///
    /// # Errors
    /// [`LlmError::Config`] when no model can have these sizes.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<CpmBee<B>, LlmError> {
        self.validate()?;
        Ok(CpmBee {
            encoder: Encoder::new(self, device),
            input_embedding: ExtEmbedding::new(self, device),
            position_bias: PositionBias::new(self, device),
            config: self.clone(),
            buckets: PositionBuckets::of(self),
        })
    }
}

impl<B: Backend> CpmBee<B> {
    /// The sizes of the model.
    pub fn config(&self) -> &CpmBeeConfig {
        &self.config
    }

    /// The dtype of the weights that are not quantized, which the activations share.
    pub fn dtype(&self) -> DType {
        self.encoder.output_layernorm.weight.val().dtype()
    }

    /// The device that the weights are on.
    pub fn device(&self) -> B::Device {
        self.input_embedding.weight.device()
    }
}

impl<B: MpmBackend> CpmBee<B> {
    /// Embeds a batch of ids, see [`ExtEmbedding::forward`].
    ///
    /// # Shapes
    /// - ids, sub_ids: `[batch, seq]`, flattened
    /// - output: `[batch, seq, d_model]`
    ///
    /// # Errors
    /// [`LlmError::InputLength`] and [`LlmError::InputRange`].
    pub fn embed(
        &self,
        ids: &[i32],
        sub_ids: &[i32],
        [batch, seq_len]: [usize; 2],
    ) -> Result<Tensor<B, 3>, LlmError> {
        check_length("ids", ids.len(), batch * seq_len)?;
        let embedded = self.input_embedding.forward(ids, sub_ids)?;
        let embedded = embedded.cast(self.dtype());
        Ok(embedded.reshape([batch, seq_len, self.config.dim_model]))
    }

    /// Embeds the ext table of a batch: `[ext, d_model]`, `None` when it is empty.
    ///
    /// # Errors
    /// [`LlmError::InputLength`] and [`LlmError::InputRange`].
    pub fn embed_ext_table(
        &self,
        ids: &[i32],
        sub_ids: &[i32],
    ) -> Result<Option<Tensor<B, 2>>, LlmError> {
        if ids.is_empty() {
            return check_length("ext_table_sub", sub_ids.len(), 0).map(|()| None);
        }
        let embedded = self.input_embedding.forward(ids, sub_ids)?;
        Ok(Some(embedded.cast(self.dtype())))
    }

    /// Mask and position bias of a training batch, shared by all layers.
    ///
    /// # Errors
    /// [`LlmError::InputLength`] and [`LlmError::InputRange`].
    pub fn attention_bias(&self, input: &CpmBeeInput) -> Result<AttentionBias<B>, LlmError> {
        let tokens = input.tokens()?;
        let relations = Relations::new(&self.buckets, &[], &tokens, &input.segment_rel)?;
        Ok(AttentionBias::of(&self.position_bias, relations))
    }

    /// The logits of hidden states, see [`ExtEmbedding::projection`].
    ///
    /// # Shapes
    /// - hidden_states: `[batch, seq, d_model]`
    /// - ext_table: `[ext, d_model]`
    /// - output: `[batch, seq, vocab + ext]`
    pub fn logits(
        &self,
        hidden_states: Tensor<B, 3>,
        ext_table: Option<Tensor<B, 2>>,
    ) -> Tensor<B, 3> {
        self.input_embedding.projection(hidden_states, ext_table)
    }

    /// A whole forward pass from ids.
    ///
    /// # Errors
    /// [`LlmError::InputLength`] and [`LlmError::InputRange`].
    pub fn forward(&self, input: &CpmBeeInput) -> Result<CpmBeeOutput<B>, LlmError> {
        let embeddings = self.embed(&input.ids, &input.sub_ids, [input.batch, input.seq_len])?;
        self.forward_embeddings(embeddings, input)
    }

    /// A whole forward pass from embeddings, such as
    /// [`splice_features`](super::splice_features) returns. The ids of `input`
    /// are not read.
    ///
    /// # Shapes
    /// - embeddings: `[batch, seq, d_model]`
    ///
    /// # Errors
    /// [`LlmError::InputLength`] and [`LlmError::InputRange`].
    pub fn forward_embeddings(
        &self,
        embeddings: Tensor<B, 3>,
        input: &CpmBeeInput,
    ) -> Result<CpmBeeOutput<B>, LlmError> {
        let hidden_states = self.hidden_states(embeddings, input, |_, _| {})?;
        let ext_table = self.embed_ext_table(&input.ext_table_ids, &input.ext_table_sub)?;
        Ok(CpmBeeOutput {
            logits: self.logits(hidden_states.clone(), ext_table),
            hidden_states,
        })
    }

    /// The hidden states after the last norm, without logits.
    ///
    /// `observe` is called with the index and the output of each block.
    ///
    /// # Shapes
    /// - embeddings, observed, output: `[batch, seq, d_model]`
    ///
    /// # Errors
    /// [`LlmError::InputLength`] and [`LlmError::InputRange`].
    pub fn hidden_states(
        &self,
        embeddings: Tensor<B, 3>,
        input: &CpmBeeInput,
        observe: impl FnMut(usize, &Tensor<B, 3>),
    ) -> Result<Tensor<B, 3>, LlmError> {
        let [batch, seq_len, width] = embeddings.dims();
        check_length("embeddings (rows)", batch, input.batch)?;
        check_length("embeddings (tokens)", seq_len, input.seq_len)?;
        check_length("embeddings (width)", width, self.config.dim_model)?;
        let bias = self.attention_bias(input)?;
        self.encoder.forward(embeddings, &bias, None, observe)
    }
}
