//! The names that autoencoder files use.

use mpm_core::weights::{KeyMap, WeightFile};

/// Where a file may hold the autoencoder beside other models.
const PREFIX: &str = "vae";

/// How the names in a file lead to the parameters of
/// [`AutoencoderKl`](super::AutoencoderKl).
///
/// | in the file | in the model |
/// |---|---|
/// | `vae.*`, if there is any such name | `*` |
/// | `*.attentions.0.query` (up to diffusers 0.16) | `*.attentions.0.to_q` |
/// | `*.attentions.0.key` | `*.attentions.0.to_k` |
/// | `*.attentions.0.value` | `*.attentions.0.to_v` |
/// | `*.attentions.0.proj_attn` | `*.attentions.0.to_out.0` |
///
/// Only names that the file uses are mapped, so that a report of missing keys speaks in the
/// file's own.
pub fn checkpoint_keys(file: &WeightFile) -> KeyMap {
    const OLD: [(&str, &str); 4] = [
        ("query", "to_q"),
        ("key", "to_k"),
        ("value", "to_v"),
        ("proj_attn", "to_out.0"),
    ];
    let names = file.tensors();
    let is_nested = names.keys().any(|name| name.starts_with("vae."));
    let prefix = if is_nested { PREFIX } else { "" };
    let mut keys = KeyMap::new();
    for coder in ["encoder", "decoder"] {
        let attention = format!("{coder}.mid_block.attentions.0");
        for (old, new) in OLD {
            let old = match prefix {
                "" => format!("{attention}.{old}"),
                prefix => format!("{prefix}.{attention}.{old}"),
            };
            if names.contains_key(&format!("{old}.weight")) {
                keys = keys.rename(&old, &format!("{attention}.{new}"));
            }
        }
    }
    match prefix {
        "" => keys,
        prefix => keys.rename(prefix, ""),
    }
}
