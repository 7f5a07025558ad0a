//! The text encoder within a single file of Stable Diffusion.
//!
//! Sources: `FrozenCLIPEmbedder` and `FrozenOpenCLIPEmbedder` in `ldm/modules/encoders/modules.py` of
//! <https://github.com/CompVis/stable-diffusion> and
//! <https://github.com/Stability-AI/stablediffusion>.

use mpm_core::weights::{KeyMap, WeightFile};

/// Stable Diffusion 1 holds the encoder here, under the names of `transformers`.
const CLIP: &str = "cond_stage_model.transformer.text_model";
/// Stable Diffusion 2 holds it here, under OpenCLIP's.
const OPEN_CLIP: &str = "cond_stage_model.model";

/// The layers of a block, in OpenCLIP and here.
const BLOCK: [(&str, &str); 5] = [
    ("attn", "self_attn"),
    ("ln_1", "layer_norm1"),
    ("ln_2", "layer_norm2"),
    ("mlp.c_fc", "mlp.fc1"),
    ("mlp.c_proj", "mlp.fc2"),
];

/// Whose text encoder a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SingleFileEncoder {
    /// OpenAI's, as Stable Diffusion 1 has it.
    Clip,
    /// OpenCLIP's, as Stable Diffusion 2 has it: with a last layer that is not used.
    OpenClip,
}

impl SingleFileEncoder {
    /// Finds out by a file's names; `None` where they are those of neither.
    pub fn of(file: &WeightFile) -> Option<Self> {
        let has = |branch: &str, key: &str| file.tensors().contains_key(&format!("{branch}.{key}"));
        if has(CLIP, "embeddings.token_embedding.weight") {
            Some(Self::Clip)
        } else if has(OPEN_CLIP, "token_embedding.weight") {
            Some(Self::OpenClip)
        } else {
            None
        }
    }

    /// How the names in such a file lead to the parameters of a [`ClipText`](super::ClipText) with
    /// `layers` layers. Also cuts what OpenCLIP holds as one, without reading it.
    ///
    /// Stable Diffusion 1:
    ///
    /// | in the file | in the model |
    /// |---|---|
    /// | `cond_stage_model.transformer.text_model.*`; nothing else is read | `*` |
    /// | `….embeddings.position_ids` | nowhere: the numbers from 0 |
    ///
    /// Stable Diffusion 2:
    ///
    /// | in the file, within `cond_stage_model.model`; nothing else is read | in the model |
    /// |---|---|
    /// | `token_embedding.weight` | `embeddings.token_embedding.weight` |
    /// | `positional_embedding` | `embeddings.position_embedding.weight` |
    /// | `transformer.resblocks.N.attn.in_proj_weight`, `in_proj_bias`, a third of the rows each | `encoder.layers.N.self_attn.{q,k,v}_proj` |
    /// | `transformer.resblocks.N.attn.out_proj` | `encoder.layers.N.self_attn.out_proj` |
    /// | `transformer.resblocks.N.ln_1`, `ln_2` | `encoder.layers.N.layer_norm1`, `layer_norm2` |
    /// | `transformer.resblocks.N.mlp.c_fc`, `c_proj` | `encoder.layers.N.mlp.fc1`, `fc2` |
    /// | `ln_final` | `final_layer_norm` |
    /// | the one block behind all of these, `text_projection`, `logit_scale`, `attn_mask` | nowhere |
    pub fn checkpoint_keys(self, file: &mut WeightFile, layers: usize) -> KeyMap {
        match self {
            Self::Clip => KeyMap::new()
                .only(CLIP)
                .unused(&format!("{CLIP}.embeddings.position_ids"))
                .rename(CLIP, ""),
            Self::OpenClip => open_clip(file, layers),
        }
    }
}

fn open_clip(file: &mut WeightFile, layers: usize) -> KeyMap {
    let block = |layer: usize| format!("{OPEN_CLIP}.transformer.resblocks.{layer}");
    let mut keys = KeyMap::new().only(OPEN_CLIP).unused(&block(layers));
    for other in ["text_projection", "logit_scale", "attn_mask"] {
        keys = keys.unused(&format!("{OPEN_CLIP}.{other}"));
    }
    for (from, to) in [
        ("token_embedding", "embeddings.token_embedding"),
        (
            "positional_embedding",
            "embeddings.position_embedding.weight",
        ),
        ("ln_final", "final_layer_norm"),
    ] {
        keys = keys.rename(&format!("{OPEN_CLIP}.{from}"), to);
    }
    for layer in 0..layers {
        let attention = format!("{}.attn", block(layer));
        for kind in ["weight", "bias"] {
            let parts = ["q", "k", "v"].map(|part| format!("{attention}.{part}_proj.{kind}"));
            file.split_rows(&format!("{attention}.in_proj_{kind}"), &parts);
        }
        for (from, to) in BLOCK {
            let path = format!("encoder.layers.{layer}.{to}");
            keys = keys.rename(&format!("{}.{from}", block(layer)), &path);
        }
    }
    keys
}
