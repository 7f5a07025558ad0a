//! The names that autoencoder files use.

use std::collections::BTreeSet;

use mpm_core::weights::{KeyMap, WeightFile};

/// Where a file may hold the autoencoder beside other models: whole checkpoints of Stable
/// Diffusion, and our fixtures.
const BRANCHES: [&str; 2] = ["first_stage_model", "vae"];

/// How the names in a file lead to the parameters of
/// [`AutoencoderKl`](super::AutoencoderKl), whoever wrote it: diffusers, old or new, or the
/// authors of latent diffusion.
///
/// | in the file | in the model |
/// |---|---|
/// | `first_stage_model.*` or `vae.*`, if there are any; all other branches are not read then | `*` |
/// | `*.attentions.0.{query,key,value,proj_attn}` (diffusers up to 0.16) | `*.attentions.0.{to_q,to_k,to_v,to_out.0}` |
/// | `encoder.down.I.block.J` | `encoder.down_blocks.I.resnets.J` |
/// | `encoder.down.I.downsample` | `encoder.down_blocks.I.downsamplers.0` |
/// | `decoder.up.I.block.J`, counted from the finest level | `decoder.up_blocks.(levels - 1 - I).resnets.J` |
/// | `decoder.up.I.upsample` | `decoder.up_blocks.(levels - 1 - I).upsamplers.0` |
/// | `*.nin_shortcut` | `*.conv_shortcut` |
/// | `*.mid.block_1`, `*.mid.block_2` | `*.mid_block.resnets.0`, `*.mid_block.resnets.1` |
/// | `*.mid.attn_1.{norm,q,k,v,proj_out}` | `*.mid_block.attentions.0.{group_norm,to_q,to_k,to_v,to_out.0}` |
/// | `*.norm_out` | `*.conv_norm_out` |
pub fn checkpoint_keys(file: &WeightFile) -> KeyMap {
    let names = || file.tensors().keys().map(String::as_str);
    let branch = BRANCHES
        .into_iter()
        .find(|branch| names().any(|name| strip(name, branch).is_some()));
    let mut keys = branch.into_iter().fold(KeyMap::new(), KeyMap::only);
    let own = |name| match branch {
        None => Some(name),
        Some(branch) => strip(name, branch),
    };
    let modules: BTreeSet<&str> = names()
        .filter_map(own)
        .filter_map(|name| Some(name.rsplit_once('.')?.0))
        .collect();
    let levels = (0..)
        .take_while(|level| {
            let prefix = format!("decoder.up.{level}.");
            modules.iter().any(|module| module.starts_with(&prefix))
        })
        .count();
    for module in modules {
        let path = current_name(module, levels);
        let key = branch.map_or_else(|| module.to_owned(), |branch| format!("{branch}.{module}"));
        keys = keys.rename(&key, &path);
    }
    branch
        .into_iter()
        .fold(keys, |keys, branch| keys.rename(branch, ""))
}

/// What follows a branch and its dot.
fn strip<'a>(name: &'a str, branch: &str) -> Option<&'a str> {
    name.strip_prefix(branch)?.strip_prefix('.')
}

/// The name that diffusers gives a module today, of a decoder with `levels` levels where the
/// file counts them from the finest.
fn current_name(module: &str, levels: usize) -> String {
    let parts: Vec<&str> = module.split('.').collect();
    let from_coarsest = |level: &str| {
        let level: usize = level.parse().unwrap_or(levels);
        levels.saturating_sub(level + 1)
    };
    match parts[..] {
        ["encoder", "down", level, "block", block, layer] => {
            let layer = layer_name(layer);
            format!("encoder.down_blocks.{level}.resnets.{block}.{layer}")
        }
        ["encoder", "down", level, "downsample", "conv"] => {
            format!("encoder.down_blocks.{level}.downsamplers.0.conv")
        }
        ["decoder", "up", level, "block", block, layer] => {
            let (level, layer) = (from_coarsest(level), layer_name(layer));
            format!("decoder.up_blocks.{level}.resnets.{block}.{layer}")
        }
        ["decoder", "up", level, "upsample", "conv"] => {
            format!(
                "decoder.up_blocks.{}.upsamplers.0.conv",
                from_coarsest(level)
            )
        }
        [coder, "mid", "block_1", layer] => {
            format!("{coder}.mid_block.resnets.0.{}", layer_name(layer))
        }
        [coder, "mid", "block_2", layer] => {
            format!("{coder}.mid_block.resnets.1.{}", layer_name(layer))
        }
        [coder, "mid", "attn_1", layer] | [coder, "mid_block", "attentions", "0", layer] => {
            let layer = match layer {
                "norm" => "group_norm",
                "q" | "query" => "to_q",
                "k" | "key" => "to_k",
                "v" | "value" => "to_v",
                "proj_out" | "proj_attn" => "to_out.0",
                current => current,
            };
            format!("{coder}.mid_block.attentions.0.{layer}")
        }
        [coder, "norm_out"] => format!("{coder}.conv_norm_out"),
        _ => module.to_owned(),
    }
}

/// A layer of a residual block.
fn layer_name(layer: &str) -> &str {
    match layer {
        "nin_shortcut" => "conv_shortcut",
        current => current,
    }
}
