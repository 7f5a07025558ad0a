//! The whole model, `LlamaForCausalLM` of `transformers`.

use burn::{
    module::Module,
    tensor::{DType, Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend, linear_layers,
    nn::RmsNorm,
    recompute::recompute,
    streaming::{LayerList, StreamedLayers, WaitingLayers},
    weights::KeyMap,
};

use super::{
    config::LlamaConfig,
    context::{LayerContext, Past},
    embedding::TokenTable,
    input::LlamaInput,
    layer::{LlamaLayer, scaled},
};
use crate::{cache::KvCache, check::check_length, error::LlmError};

/// A causal language model of the LLaMA family.
///
/// Field names equal the checkpoint's key names. Norms, softmax and rotary angles are computed in
/// f32 whatever the dtype of the weights.
///
/// # Examples
/// ```
/// use burn::backend::Flex;
/// use mpm_llm::llama::{Llama, LlamaConfig, LlamaInput};
///
/// let model: Llama<Flex> = LlamaConfig::tiny().init(&Default::default())?;
/// let embeddings = model.embed(&[1, 20, 21], [1, 3])?;
/// let output = model.forward(embeddings, &LlamaInput::unpadded(1, 0..3))?;
/// assert_eq!(output.logits.dims(), [1, 3, 64]);
/// # Ok::<(), mpm_llm::LlmError>(())
/// ```
#[derive(Module, Debug)]
pub struct Llama<B: Backend> {
    /// The transformer.
    pub model: LlamaModel<B>,
    /// The output layer; `None` where it is the embedding table.
    pub lm_head: Option<TokenTable<B>>,
    #[module(skip)]
    config: LlamaConfig,
}

linear_layers!(Llama { model, lm_head });

/// The embeddings, all layers and the last norm.
#[derive(Module, Debug)]
pub struct LlamaModel<B: Backend> {
    /// The embedding table.
    pub embed_tokens: TokenTable<B>,
    /// The layers, first to last.
    pub layers: Vec<LlamaLayer<B>>,
    /// The norm after the last layer.
    pub norm: RmsNorm<B>,
    /// Whether training keeps only the inputs of the layers and computes the rest again for the
    /// gradients ([`recompute`]); off at first.
    pub recompute: bool,
    #[module(skip)]
    waiting: WaitingLayers,
}

linear_layers!(LlamaModel {
    embed_tokens,
    layers,
});

impl<B: Backend> StreamedLayers for Llama<B> {
    fn layer_list(&mut self) -> LayerList<'_> {
        LayerList {
            path: "model.layers".to_owned(),
            count: self.model.layers.len(),
            waiting: &mut self.model.waiting,
        }
    }
}

/// What a whole forward pass returns.
#[derive(Clone, Debug)]
pub struct LlamaOutput<B: Backend> {
    /// `[batch, seq, vocab]`
    pub logits: Tensor<B, 3>,
    /// After the last norm: `[batch, seq, d_model]`.
    pub hidden_states: Tensor<B, 3>,
}

impl LlamaConfig {
    /// A model with fresh weights.
    ///
    /// # Errors
    /// [`LlmError::Config`] when no model can have these sizes.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Llama<B>, LlmError> {
        self.validate()?;
        let table = || TokenTable::new(self.vocab_size, self.hidden_size, device);
        Ok(Llama {
            model: LlamaModel {
                embed_tokens: table(),
                layers: (0..self.num_hidden_layers)
                    .map(|layer| LlamaLayer::new(self, layer, device))
                    .collect(),
                norm: RmsNorm::new(self.hidden_size, self.rms_norm_eps, device),
                recompute: false,
                waiting: WaitingLayers::default(),
            },
            lm_head: (!self.tie_word_embeddings).then(table),
            config: self.clone(),
        })
    }
}

impl<B: Backend> Llama<B> {
    /// The sizes of the model.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// The dtype of the weights that are not quantized, which the activations share.
    pub fn dtype(&self) -> DType {
        self.model.norm.weight.val().dtype()
    }

    /// The device that the weights are on.
    pub fn device(&self) -> B::Device {
        self.model.embed_tokens.weight.device()
    }

    /// Which keys of a file are not used; all others are the parameters' names.
    ///
    /// | in the file | why it is not used |
    /// |---|---|
    /// | `model.layers.N.self_attn.rotary_emb` | frequencies, in old files; the configuration has them |
    /// | `lm_head`, where `tie_word_embeddings` | the embedding table once more |
    pub fn checkpoint_keys(config: &LlamaConfig) -> KeyMap {
        let rotary = |layer| format!("model.layers.{layer}.self_attn.rotary_emb");
        let keys = (0..config.num_hidden_layers)
            .fold(KeyMap::new(), |keys, layer| keys.unused(&rotary(layer)));
        match config.tie_word_embeddings {
            true => keys.unused("lm_head"),
            false => keys,
        }
    }
}

impl<B: MpmBackend> Llama<B> {
    /// Embeds a batch of ids.
    ///
    /// # Shapes
    /// - ids: `[batch, seq]`, flattened
    /// - output: `[batch, seq, d_model]`
    ///
    /// # Errors
    /// [`LlmError::InputLength`], and [`LlmError::InputRange`] for an id that is not in the
    /// vocabulary.
    pub fn embed(
        &self,
        ids: &[i32],
        [batch, seq_len]: [usize; 2],
    ) -> Result<Tensor<B, 3>, LlmError> {
        check_length("ids", ids.len(), batch * seq_len)?;
        let embedded = self.model.embed_tokens.embed(ids)?.cast(self.dtype());
        let embedded = scaled(embedded, self.config.embedding_scale);
        Ok(embedded.reshape([batch, seq_len, self.config.hidden_size]))
    }

    /// The logits of hidden states; those of the last token alone are enough to go on with a text.
    ///
    /// # Shapes
    /// - hidden_states: `[batch, seq, d_model]`, after the last norm
    /// - output: `[batch, seq, vocab]`
    pub fn logits(&self, hidden_states: Tensor<B, 3>) -> Tensor<B, 3> {
        let hidden_states = scaled(hidden_states, self.config.logit_scale);
        let table = self.lm_head.as_ref().unwrap_or(&self.model.embed_tokens);
        table.logits(hidden_states)
    }

    /// A whole forward pass from embeddings, such as
    /// [`splice_features`](crate::splice::splice_features) returns.
    ///
    /// # Shapes
    /// - embeddings: `[batch, seq, d_model]`
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`] without rows or tokens, [`LlmError::InputLength`] and
    /// [`LlmError::InputRange`].
    pub fn forward(
        &self,
        embeddings: Tensor<B, 3>,
        input: &LlamaInput,
    ) -> Result<LlamaOutput<B>, LlmError> {
        let hidden_states = self.hidden_states(embeddings, input, |_, _| {})?;
        Ok(LlamaOutput {
            logits: self.logits(hidden_states.clone()),
            hidden_states,
        })
    }

    /// The hidden states after the last norm, without logits.
    ///
    /// `observe` is called with the index and the output of each layer.
    ///
    /// # Shapes
    /// - embeddings, observed, output: `[batch, seq, d_model]`
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn hidden_states(
        &self,
        embeddings: Tensor<B, 3>,
        input: &LlamaInput,
        observe: impl FnMut(usize, &Tensor<B, 3>),
    ) -> Result<Tensor<B, 3>, LlmError> {
        let context = self.context(&embeddings, Past::default(), input)?;
        self.model.forward(embeddings, &context, None, observe)
    }

    /// Rotations and masks of `input`, which goes on after `past`.
    pub(super) fn context(
        &self,
        embeddings: &Tensor<B, 3>,
        past: Past<'_>,
        input: &LlamaInput,
    ) -> Result<LayerContext<B>, LlmError> {
        let [batch, seq_len, width] = embeddings.dims();
        check_length("embeddings (width)", width, self.config.hidden_size)?;
        input.check([batch, seq_len])?;
        let (dtype, device) = (embeddings.dtype(), embeddings.device());
        Ok(LayerContext::new(&self.config, past, input, dtype, &device))
    }
}

impl<B: MpmBackend> LlamaModel<B> {
    /// Runs all layers and the last norm.
    ///
    /// `observe` is called with the index and the output of each layer, before the last norm.
    ///
    /// # Shapes
    /// - x, output, observed: `[batch, seq, d_model]`
    ///
    /// # Errors
    /// [`LlmError::CacheFull`] when the cache has no room for `seq` tokens, [`LlmError::Weights`]
    /// when a layer that waits in its file cannot be read.
    pub fn forward(
        &self,
        x: Tensor<B, 3>,
        context: &LayerContext<B>,
        mut cache: Option<&mut KvCache<B>>,
        mut observe: impl FnMut(usize, &Tensor<B, 3>),
    ) -> Result<Tensor<B, 3>, LlmError> {
        let forward = |x, index, layer: &LlamaLayer<B>| {
            let cache = cache.as_deref_mut().map(|cache| cache.layer_mut(index));
            let x = match cache {
                None if self.recompute => {
                    recompute(layer, (x, context.clone()), |layer, (x, context)| {
                        layer.forward(x, &context, None)
                    })
                }
                cache => layer.forward(x, context, cache),
            }?;
            observe(index, &x);
            Ok::<_, LlmError>(x)
        };
        let x = self.waiting.fold(&self.layers, x, forward)?;
        Ok(self.norm.forward(x))
    }
}
