//! The names that autoencoder files use.

use mpm_core::weights::{KeyMap, WeightFile};

/// How the names in a file lead to the parameters of
/// [`AutoencoderKl`](super::AutoencoderKl).
///
/// | in the file | in the model |
/// |---|---|
/// | `vae.*`, `first_stage.*`, or any other `prefix` that is given | `*` |
/// | `*.attentions.0.query` (up to diffusers 0.16) | `*.attentions.0.to_q` |
/// | `*.attentions.0.key` | `*.attentions.0.to_k` |
/// | `*.attentions.0.value` | `*.attentions.0.to_v` |
/// | `*.attentions.0.proj_attn` | `*.attentions.0.to_out.0` |
///
/// The older names are mapped only where `file` holds them, so that a report of missing keys
/// speaks in the file's own.
pub fn checkpoint_keys(file: &WeightFile, prefix: &str) -> KeyMap {
    const OLD: [(&str, &str); 4] = [
        ("query", "to_q"),
        ("key", "to_k"),
        ("value", "to_v"),
        ("proj_attn", "to_out.0"),
    ];
    let at = |key: &str| match prefix {
        "" => key.to_owned(),
        prefix => format!("{prefix}.{key}"),
    };
    let mut keys = KeyMap::new();
    for coder in ["encoder", "decoder"] {
        let attention = format!("{coder}.mid_block.attentions.0");
        for (old, new) in OLD {
            let old = at(&format!("{attention}.{old}"));
            if file.tensors().contains_key(&format!("{old}.weight")) {
                keys = keys.rename(&old, &format!("{attention}.{new}"));
            }
        }
    }
    match prefix {
        "" => keys,
        prefix => keys.rename(prefix, ""),
    }
}
