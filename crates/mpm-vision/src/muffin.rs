//! The Muffin visual module: an encoder whose queries a language model reads.
//!
//! Source: Muffin (<https://arxiv.org/abs/2310.00653>, section 3) and VisCPM's
//! `models/vlu_cpmbee.py`.

use burn::{
    module::{Initializer, Module, Param},
    nn::Gelu,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::gelu,
    linear_layers,
    nn::{LinearLayer, LinearLayers, TorchLinear},
};

use crate::{Beit3, PictureEncoder, VisionError, config::MuffinConfig};

/// The tensors of a VisCPM-Chat checkpoint's picture side that no forward pass
/// reads, and that [`Muffin`] therefore does not hold.
///
/// | key | what it served |
/// |---|---|
/// | `vpm.mim_head.*` | masked picture modelling, BEiT-3's pretraining |
/// | `vpm.beit3.text_embed.weight` | text input; its rows 0 and 2 once initialised the first and the last query |
/// | `vpm.beit3.vision_embed.mask_token` | masked picture modelling |
///
/// All others of its keys that begin with `vpm.`, `query` and `mapping.` are the
/// parameters of [`Muffin`], under the same names.
pub const UNUSED_KEYS: &[&str] = &[
    "vpm.mim_head.weight",
    "vpm.mim_head.bias",
    "vpm.beit3.text_embed.weight",
    "vpm.beit3.vision_embed.mask_token",
];

/// The visual perception module, as checkpoints nest it (`BEiT3Wrapper`).
#[derive(Module, Debug)]
pub struct VisualPerception<B: Backend> {
    /// The encoder.
    pub beit3: Beit3<B>,
}

linear_layers!(VisualPerception { beit3 });

/// BEiT-3, learned queries and a mapping to the width of a language model; made
/// by [`MuffinConfig::init`].
///
/// Parameters carry the names that VisCPM-Chat's checkpoints give them.
#[derive(Module, Debug)]
pub struct Muffin<B: Backend> {
    /// The visual perception module.
    pub vpm: VisualPerception<B>,
    /// The learned queries, `[num_queries, d_model]`.
    pub query: Param<Tensor<B, 2>>,
    /// Linear, GELU, linear: from `d_model` to `d_llm`. The activation holds
    /// the place that makes the linear layers `mapping.0` and `mapping.2`.
    pub mapping: (TorchLinear<B>, Gelu, TorchLinear<B>),
}

impl<B: Backend> LinearLayers<B> for Muffin<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        // A small part of a model, that is run once for a picture, and on which every token of the
        // answer depends.
        let mut visit = |layer: LinearLayer<'_, B>| visit(layer.in_8_bits());
        self.vpm.visit_linear(&mut visit);
        self.mapping.0.visit_linear(&mut visit);
        self.mapping.2.visit_linear(&mut visit);
    }
}

impl MuffinConfig {
    /// Makes a visual module with random weights.
    ///
    /// The reference copies two rows of BEiT-3's text embedding into the first
    /// and the last query; here all queries are drawn alike.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Muffin<B>, VisionError> {
        self.validate()?;
        let d_model = self.encoder.d_model;
        let mapping_width = self.mapping_width.unwrap_or(self.d_llm);
        let queries = Initializer::Normal {
            mean: 0.0,
            std: self.encoder.init_std,
        };
        Ok(Muffin {
            vpm: VisualPerception {
                beit3: self.encoder.init(device)?,
            },
            query: queries.init([self.num_queries, d_model], device),
            mapping: (
                TorchLinear::new(d_model, mapping_width, device),
                Gelu::new(),
                TorchLinear::new(mapping_width, self.d_llm, device),
            ),
        })
    }
}

impl<B: Backend> Muffin<B> {
    /// The same module for pictures of another size, see
    /// [`Beit3::with_image_size`].
    ///
    /// # Errors
    /// [`VisionError::Config`] for a size that is not a positive multiple of the
    /// patch size, or larger than that of any model.
    pub fn with_image_size(mut self, image_size: usize) -> Result<Self, VisionError> {
        self.vpm.beit3 = self.vpm.beit3.with_image_size(image_size)?;
        Ok(self)
    }
}

impl<B: MpmBackend> Muffin<B> {
    /// Encodes pictures for the language model.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`
    /// - output: `[batch, num_queries, d_llm]`
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape.
    pub fn forward(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        Ok(self.project(self.query_states(pixel_values)?))
    }

    /// Projects states of the queries to what the language model reads.
    ///
    /// # Shapes
    /// - states: `[batch, num_queries, d_model]`
    /// - output: `[batch, num_queries, d_llm]`
    pub fn project(&self, states: Tensor<B, 3>) -> Tensor<B, 3> {
        let (input, _, output) = &self.mapping;
        output.forward(gelu(input.forward(states)))
    }

    /// The states of the queries before the mapping, `[batch, num_queries, d_model]`.
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape.
    pub fn query_states(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        self.vpm.beit3.forward(pixel_values, Some(self.query.val()))
    }
}

/// Features are the mapped queries.
impl<B: MpmBackend> PictureEncoder<B> for Muffin<B> {
    fn picture_shape(&self) -> [usize; 3] {
        self.vpm.beit3.vision_embed.picture_shape()
    }

    fn features_shape(&self) -> [usize; 2] {
        [self.query.shape()[0], self.mapping.2.d_out()]
    }

    fn encode(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        self.forward(pixel_values)
    }
}
