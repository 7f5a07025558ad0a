//! Linear layers with an activation between, applied to each feature by itself.
//!
//! Sources: LLaVA 1.5 (<https://arxiv.org/abs/2310.03744>, section 3.3), its
//! `multimodal_projector/builder.py`, and `LlavaMultiModalProjector` of Hugging Face's
//! `transformers`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend, linear_layers,
    nn::{TorchLinear, clip::Activation},
    weights::KeyMap,
};
use serde::{Deserialize, Serialize};

use crate::{
    VisionError,
    check::{check_layers, check_sizes, require},
};

/// Architecture of an [`MlpConnector`]; the default is LLaVA 1.5's `mlp2x_gelu`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConnectorConfig {
    /// Number of linear layers; one is LLaVA's `linear`.
    pub depth: usize,
    /// Width between the layers; `None` for that of the language model, as published.
    pub width: Option<usize>,
    /// What stands between the layers (`projector_hidden_act`).
    pub activation: Activation,
}

impl Default for MlpConnectorConfig {
    fn default() -> Self {
        Self {
            depth: 2,
            width: None,
            activation: Activation::Gelu,
        }
    }
}

impl MlpConnectorConfig {
    /// The connector that LLaVA's configurations call by this `mm_projector_type`: `linear`, or
    /// `mlp2x_gelu` with any number.
    ///
    /// # Errors
    /// [`VisionError::Config`] for any other name.
    pub fn from_projector_type(name: &str) -> Result<Self, VisionError> {
        let depth = match name {
            "linear" => Some(1),
            _ => name
                .strip_prefix("mlp")
                .and_then(|rest| rest.strip_suffix("x_gelu"))
                // Numbers may have a sign otherwise.
                .filter(|depth| depth.bytes().all(|digit| digit.is_ascii_digit()))
                .and_then(|depth| depth.parse().ok())
                .filter(|&depth| depth > 0),
        };
        require(depth.is_some(), "mm_projector_type", name, || {
            "it must be `linear` or `mlp2x_gelu`, with any number of layers".to_owned()
        })?;
        let config = Self::default();
        Ok(Self {
            depth: depth.unwrap_or(config.depth),
            ..config
        })
    }

    /// Checks the number of layers and the widths.
    ///
    /// # Errors
    /// [`VisionError::Config`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), VisionError> {
        check_layers("depth", self.depth)?;
        match self.width {
            Some(width) => check_sizes([("width", width)]),
            None => Ok(()),
        }
    }

    /// Makes a connector with random weights, from `d_in` to `d_llm`.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(
        &self,
        d_in: usize,
        d_llm: usize,
        device: &B::Device,
    ) -> Result<MlpConnector<B>, VisionError> {
        self.validate()?;
        check_sizes([("d_in", d_in), ("d_llm", d_llm)])?;
        let width = self.width.unwrap_or(d_llm);
        let last = self.depth - 1;
        let width_before = |layer| if layer == 0 { d_in } else { width };
        let width_after = |layer| if layer == last { d_llm } else { width };
        let layers = (0..self.depth)
            .map(|layer| TorchLinear::new(width_before(layer), width_after(layer), device))
            .collect();
        Ok(MlpConnector {
            layers,
            activation: self.activation,
        })
    }

    /// Adds to `keys` how the names of LLaVA's own files, such as
    /// `liuhaotian/llava-v1.5-7b`, lead to a connector at `module`.
    ///
    /// | in the file | in the module |
    /// |---|---|
    /// | `{file}.0`, `{file}.2`, …: activations have numbers, too | `{module}.layers.0`, `{module}.layers.1`, … |
    /// | `{file}` itself, of `linear` | `{module}.layers.0` |
    ///
    /// A single layer is `linear` or `mlp1x_gelu`, which differ in their names only: both are read.
    pub fn llava_keys(&self, keys: KeyMap, file: &str, module: &str) -> KeyMap {
        let keys = (0..self.depth).fold(keys, |keys, layer| {
            let number = 2 * layer;
            keys.rename(
                &format!("{file}.{number}"),
                &format!("{module}.layers.{layer}"),
            )
        });
        match self.depth {
            // Behind the row for `{file}.0`, which it would match, too.
            1 => keys.rename(file, &format!("{module}.layers.0")),
            _ => keys,
        }
    }

    /// Adds to `keys` how the names of LLaVA models of `transformers`, such as
    /// `llava-hf/llava-1.5-7b-hf`, lead to a connector at `module`.
    ///
    /// | in the file | in the module |
    /// |---|---|
    /// | `{file}.linear_1`, `{file}.linear_2` | `{module}.layers.0`, `{module}.layers.1` |
    pub fn transformers_keys(&self, keys: KeyMap, file: &str, module: &str) -> KeyMap {
        (0..self.depth).fold(keys, |keys, layer| {
            let number = layer + 1;
            keys.rename(
                &format!("{file}.linear_{number}"),
                &format!("{module}.layers.{layer}"),
            )
        })
    }
}

/// Linear layers with an activation between them; made by [`MlpConnectorConfig::init`].
#[derive(Module, Debug)]
pub struct MlpConnector<B: Backend> {
    /// The layers, first to last.
    pub layers: Vec<TorchLinear<B>>,
    #[module(skip)]
    activation: Activation,
}

linear_layers!(MlpConnector { layers });

impl<B: Backend> MlpConnector<B> {
    /// Width of what comes out.
    pub fn d_out(&self) -> usize {
        self.layers.last().map_or(0, TorchLinear::d_out)
    }
}

impl<B: MpmBackend> MlpConnector<B> {
    /// # Shapes
    /// - features: `[batch, num_features, d_in]`
    /// - output: `[batch, num_features, d_llm]`
    ///
    /// # Panics
    /// When the features have another width.
    pub fn forward(&self, features: Tensor<B, 3>) -> Tensor<B, 3> {
        let Some((first, others)) = self.layers.split_first() else {
            return features;
        };
        others
            .iter()
            .fold(first.forward(features), |states, layer| {
                layer.forward(self.activation.forward(states))
            })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn projector_types_are_llavas() {
        let depth = |name| MlpConnectorConfig::from_projector_type(name).map(|c| c.depth);
        assert_eq!(depth("linear"), Ok(1));
        assert_eq!(depth("mlp2x_gelu"), Ok(2));
        assert_eq!(depth("mlp12x_gelu"), Ok(12));
        assert_eq!(depth("mlp1x_gelu"), Ok(1));
        for name in [
            "identity",
            "mlp_gelu",
            "mlpx_gelu",
            "mlp2x_relu",
            "",
            "mlp-1x_gelu",
            "mlp+2x_gelu",
            "mlp0x_gelu",
        ] {
            let text = depth(name).unwrap_err().to_string();
            assert!(text.contains("mlp2x_gelu"), "{text}");
        }
    }

    #[test]
    fn names_of_both_kinds_of_file_are_led_to_the_layers() {
        let config = MlpConnectorConfig::default();
        let keys = config.llava_keys(KeyMap::new(), "model.mm_projector", "connector");
        let place = |keys: &KeyMap, name: &str| keys.to_module(name).unwrap();
        assert_eq!(
            place(&keys, "model.mm_projector.2.bias"),
            "connector.layers.1.bias"
        );
        assert_eq!(
            keys.to_file("connector.layers.0.weight"),
            "model.mm_projector.0.weight"
        );
        let keys = config.transformers_keys(KeyMap::new(), "multi_modal_projector", "connector");
        assert_eq!(
            place(&keys, "multi_modal_projector.linear_2.weight"),
            "connector.layers.1.weight"
        );
        let linear = MlpConnectorConfig { depth: 1, ..config };
        let keys = linear.llava_keys(KeyMap::new(), "mm_projector", "connector");
        for name in ["mm_projector.weight", "mm_projector.0.weight"] {
            assert_eq!(place(&keys, name), "connector.layers.0.weight");
        }
    }

    #[test]
    fn sizes_are_checked() {
        let config = |depth, width| MlpConnectorConfig {
            depth,
            width,
            ..MlpConnectorConfig::default()
        };
        assert_eq!(config(1, Some(8)).validate(), Ok(()));
        assert!(config(0, None).validate().is_err());
        assert!(config(usize::MAX, None).validate().is_err());
        assert!(config(2, Some(0)).validate().is_err());
    }
}
