//! The sizes that a configuration may have.

use crate::DiffusionError;

/// The largest width: far larger than any model's, and so small that sizes can be multiplied.
const MAX_SIZE: usize = 1 << 24;

/// The most layers of one kind in a row: far more than any model has, and few enough to be made.
const MAX_LAYERS: usize = 64;

/// The most levels, each of which halves the picture.
const MAX_LEVELS: usize = 16;

/// Refuses widths beyond 1 to 2²⁴.
pub(crate) fn check_sizes<const N: usize>(
    part: &'static str,
    sizes: [(&str, usize); N],
) -> Result<(), DiffusionError> {
    let check = |(field, size)| check(part, field, size, MAX_SIZE);
    sizes.into_iter().try_for_each(check)
}

/// Refuses numbers of layers beyond 1 to 64.
pub(crate) fn check_layers(
    part: &'static str,
    field: &str,
    layers: usize,
) -> Result<(), DiffusionError> {
    check(part, field, layers, MAX_LAYERS)
}

/// Refuses numbers of levels beyond 1 to 16, and channels of a level beyond 1 to 2²⁴ or that are
/// no multiple of the groups.
pub(crate) fn check_levels(
    part: &'static str,
    block_out_channels: &[usize],
    groups: usize,
) -> Result<(), DiffusionError> {
    let levels = block_out_channels.len();
    check(part, "number of block_out_channels", levels, MAX_LEVELS)?;
    for (level, &channels) in block_out_channels.iter().enumerate() {
        let field = format!("block_out_channels[{level}]");
        check(part, &field, channels, MAX_SIZE)?;
        if !channels.is_multiple_of(groups) {
            return Err(DiffusionError::config(
                part,
                format!(
                    "`{field}` is {channels}, but must be a multiple of `norm_num_groups`, {groups}"
                ),
            ));
        }
    }
    Ok(())
}

fn check(
    part: &'static str,
    field: &str,
    value: usize,
    limit: usize,
) -> Result<(), DiffusionError> {
    match (1..=limit).contains(&value) {
        true => Ok(()),
        false => Err(DiffusionError::config(
            part,
            format!("`{field}` is {value}, but must be from 1 to {limit}"),
        )),
    }
}

/// By how much a model of so many levels shrinks a side: `2^(levels - 1)`.
pub(crate) fn downsampling(levels: usize) -> usize {
    let halvings = u32::try_from(levels.saturating_sub(1)).ok();
    // That of more levels than a configuration may have is asked for before it is checked, too.
    halvings
        .and_then(|halvings| 1_usize.checked_shl(halvings))
        .unwrap_or(usize::MAX)
}
