//! The names that UNet files use.

use std::collections::BTreeSet;

use mpm_core::weights::{KeyMap, WeightFile};

/// Where a single file of Stable Diffusion holds the UNet.
const BRANCH: &str = "model.diffusion_model";

/// How the names in a file lead to the parameters of
/// [`UNet2DConditionModel`](super::UNet2DConditionModel), whoever wrote it: diffusers, or the
/// authors of latent diffusion.
///
/// Those count all modules of the way down, and all of the way up, in one row. With `n` residual
/// blocks a level, there are `n + 1` modules for each level on both ways.
///
/// | in the file | in the model |
/// |---|---|
/// | `model.diffusion_model.*`, if there are any; nothing else is read then | `*` |
/// | `time_embed.0`, `time_embed.2` | `time_embedding.linear_1`, `time_embedding.linear_2` |
/// | `input_blocks.0.0` | `conv_in` |
/// | `input_blocks.(1 + (n + 1) I + J).0`, `.1` | `down_blocks.I.resnets.J`, `.attentions.J` |
/// | `input_blocks.((n + 1) (I + 1)).0.op` | `down_blocks.I.downsamplers.0.conv` |
/// | `middle_block.0`, `.1`, `.2` | `mid_block.resnets.0`, `.attentions.0`, `.resnets.1` |
/// | `output_blocks.((n + 1) I + J).0`, `.1` | `up_blocks.I.resnets.J`, `.attentions.J` |
/// | `output_blocks.((n + 1) I + n).1.conv`, `.2.conv` behind a transformer | `up_blocks.I.upsamplers.0.conv` |
/// | `out.0`, `out.2` | `conv_norm_out`, `conv_out` |
/// | in a residual block: `in_layers.0`, `in_layers.2` | `norm1`, `conv1` |
/// | `emb_layers.1` | `time_emb_proj` |
/// | `out_layers.0`, `out_layers.3` | `norm2`, `conv2` |
/// | `skip_connection` | `conv_shortcut` |
///
/// Transformers have the same names in both.
pub fn checkpoint_keys(file: &WeightFile) -> KeyMap {
    let names = || file.tensors().keys().map(String::as_str);
    let in_branch = |name| strip(name, BRANCH);
    if !names().any(|name| in_branch(name).is_some()) {
        return KeyMap::new();
    }
    let modules: BTreeSet<&str> = names()
        .filter_map(in_branch)
        .filter_map(|name| Some(name.rsplit_once('.')?.0))
        .collect();
    let per_level = modules_per_level(&modules);
    let keys = KeyMap::new().only(BRANCH);
    let keys = modules.into_iter().fold(keys, |keys, module| {
        let path = current_name(module, per_level);
        keys.rename(&format!("{BRANCH}.{module}"), &path)
    });
    keys.rename(BRANCH, "")
}

/// What follows a branch and its dot.
fn strip<'a>(name: &'a str, branch: &str) -> Option<&'a str> {
    name.strip_prefix(branch)?.strip_prefix('.')
}

/// Modules of a level on the way down: the first that halves the size is the last of its level. A
/// model of one level has none.
fn modules_per_level(modules: &BTreeSet<&str>) -> usize {
    let halves = |place: &usize| modules.contains(&*format!("input_blocks.{place}.0.op"));
    (1..modules.len()).find(halves).unwrap_or(modules.len())
}

/// The name that diffusers gives a module.
fn current_name(module: &str, per_level: usize) -> String {
    let parts: Vec<&str> = module.split('.').collect();
    // Level and place in it of a module in its row.
    let place = |row: &str, first: usize| {
        let place = row.parse::<usize>().ok()?.checked_sub(first)?;
        Some((place / per_level, place % per_level))
    };
    let named = match parts[..] {
        ["time_embed", "0"] => return "time_embedding.linear_1".to_owned(),
        ["time_embed", "2"] => return "time_embedding.linear_2".to_owned(),
        ["input_blocks", "0", "0"] => return "conv_in".to_owned(),
        ["out", "0"] => return "conv_norm_out".to_owned(),
        ["out", "2"] => return "conv_out".to_owned(),
        ["input_blocks", row, part, ref layer @ ..] => {
            place(row, 1).and_then(|place| in_level("down_blocks", place, part, layer))
        }
        ["output_blocks", row, part, ref layer @ ..] => {
            place(row, 0).and_then(|place| in_level("up_blocks", place, part, layer))
        }
        ["middle_block", "0", ref layer @ ..] => in_resnet("mid_block.resnets.0", layer),
        ["middle_block", "2", ref layer @ ..] => in_resnet("mid_block.resnets.1", layer),
        ["middle_block", "1", ref layer @ ..] => {
            Some(format!("mid_block.attentions.0.{}", layer.join(".")))
        }
        _ => None,
    };
    named.unwrap_or_else(|| module.to_owned())
}

/// A layer of the module at `place` of a level.
fn in_level(
    levels: &str,
    (level, place): (usize, usize),
    part: &str,
    layer: &[&str],
) -> Option<String> {
    match (part, layer) {
        (_, ["op"]) => Some(format!("{levels}.{level}.downsamplers.0.conv")),
        (_, ["conv"]) => Some(format!("{levels}.{level}.upsamplers.0.conv")),
        ("0", layer) => in_resnet(&format!("{levels}.{level}.resnets.{place}"), layer),
        ("1", layer) => Some(format!(
            "{levels}.{level}.attentions.{place}.{}",
            layer.join(".")
        )),
        _ => None,
    }
}

/// A layer of a residual block.
fn in_resnet(resnet: &str, layer: &[&str]) -> Option<String> {
    let layer = match layer {
        ["in_layers", "0"] => "norm1",
        ["in_layers", "2"] => "conv1",
        ["emb_layers", "1"] => "time_emb_proj",
        ["out_layers", "0"] => "norm2",
        ["out_layers", "3"] => "conv2",
        ["skip_connection"] => "conv_shortcut",
        _ => return None,
    };
    Some(format!("{resnet}.{layer}"))
}
