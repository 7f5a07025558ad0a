//! Position embeddings for pictures of another size.

use burn::{
    module::Param,
    tensor::{
        DType, Tensor,
        backend::Backend,
        module::interpolate,
        ops::{InterpolateMode, InterpolateOptions},
    },
};

use crate::VisionError;

/// Resizes the grid part of a table of position embeddings.
///
/// The first `extra` rows (unused positions, the class token) stay, the
/// `from × from` grid of patches behind them is resized to `to × to` by bicubic
/// interpolation with half-pixel centres, in f32. The same size returns the
/// table unchanged.
///
/// Source: `load_model_and_may_interpolate` of BEiT-3's `utils.py`, as timm does
/// for vision transformers.
///
/// # Shapes
/// - table: `[extra + from², d_model]`
/// - output: `[extra + to², d_model]`
///
/// # Errors
/// [`VisionError::PositionGrid`] when the table has another number of rows, or
/// either grid is empty.
pub fn interpolate_positions<B: Backend>(
    table: Tensor<B, 2>,
    extra: usize,
    from: usize,
    to: usize,
) -> Result<Tensor<B, 2>, VisionError> {
    let [rows, d_model] = table.dims();
    if from == 0 || to == 0 || rows != extra + from * from {
        return Err(VisionError::PositionGrid {
            rows,
            extra,
            side: from,
        });
    }
    if from == to {
        return Ok(table);
    }
    let dtype = table.dtype();
    let kept = table.clone().slice(0..extra);
    // [from², d_model] -> [1, d_model, from, from]
    let grid = table
        .slice(extra..rows)
        .cast(DType::F32)
        .transpose()
        .reshape([1, d_model, from, from]);
    let options = InterpolateOptions::new(InterpolateMode::Bicubic).with_align_corners(false);
    // [1, d_model, to, to] -> [to², d_model]
    let resized = interpolate(grid, [to, to], options)
        .reshape([d_model, to * to])
        .transpose()
        .cast(dtype);
    Ok(Tensor::cat(vec![kept, resized], 0))
}

/// [`interpolate_positions`] of a parameter. It stays the same one for optimizers, and trains if it
/// did; of the same size, it is not even read.
pub(crate) fn resize_positions<B: Backend>(
    table: &mut Param<Tensor<B, 2>>,
    extra: usize,
    from: usize,
    to: usize,
) -> Result<(), VisionError> {
    if from == to {
        return Ok(());
    }
    let resized = interpolate_positions(table.val(), extra, from, to)?;
    let (id, trains) = (table.id, table.is_require_grad());
    *table = Param::initialized(id, resized.detach().set_require_grad(trains));
    Ok(())
}
