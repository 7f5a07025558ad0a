//! Position embeddings for pictures of another size.

use burn::{
    module::Param,
    tensor::{
        DType, Int, Tensor, TensorData,
        backend::Backend,
        module::interpolate,
        ops::{InterpolateMode, InterpolateOptions},
    },
};

use serde::{Deserialize, Serialize};

use crate::VisionError;

/// How the patches of pictures of another size get positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionResize {
    /// By bicubic interpolation, see [`interpolate_positions`].
    #[default]
    Bicubic,
    /// Each takes the one at the same share of the side, rounded down, as in MiniCPM-V.
    ///
    /// The shares are exact here. MiniCPM-V rounds them to f32, so that some which should be whole
    /// numbers fall one position short there: of 70 patches for instance for sides of 25, 49, 50,
    /// 55, 77 and 98. The side that it is published for, 32, has none of these.
    Nearest,
}

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
    if from != to {
        let resized = interpolate_positions(table.val(), extra, from, to)?;
        replace(table, resized);
    }
    Ok(())
}

/// As [`resize_positions`] of a table of `from²` rows, but of the nearest positions.
pub(crate) fn nearest_positions<B: Backend>(
    table: &mut Param<Tensor<B, 2>>,
    from: usize,
    to: usize,
) {
    if from != to {
        let along = |place: usize| place * from / to;
        let rows = (0..to * to).map(|place| along(place / to) * from + along(place % to));
        let rows: Vec<i32> = rows.map(|row| row as i32).collect();
        let all = table.val();
        let rows = TensorData::new(rows, [to * to]);
        let rows = Tensor::<B, 1, Int>::from_data(rows, &all.device());
        replace(table, all.select(0, rows));
    }
}

fn replace<B: Backend>(table: &mut Param<Tensor<B, 2>>, resized: Tensor<B, 2>) {
    let (id, trains) = (table.id, table.is_require_grad());
    *table = Param::initialized(id, resized.detach().set_require_grad(trains));
}

#[cfg(all(test, feature = "flex"))]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use burn::backend::Flex;

    fn nearest(from: usize, to: usize) -> Vec<f32> {
        let values = (0..from * from).map(|row| row as f32).collect();
        let values = TensorData::new(values, [from * from, 1]);
        let mut table =
            Param::from_tensor(Tensor::<Flex, 2>::from_data(values, &Default::default()));
        nearest_positions(&mut table, from, to);
        table.val().into_data().to_vec().unwrap()
    }

    #[test]
    fn nearest_positions_are_at_the_same_share_of_the_side() {
        // Rows and columns 0, 1 and 2 of four: thirds of four are 0, 1.33 and 2.67.
        let expected = [0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 9.0, 10.0];
        assert_eq!(nearest(4, 3), expected);
        assert_eq!(nearest(2, 4)[..4], [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(nearest(2, 4)[8..12], [2.0, 2.0, 3.0, 3.0]);
        assert_eq!(nearest(2, 2), [0.0, 1.0, 2.0, 3.0]);
        // MiniCPM-V's slices of 448 px: 32 of 70, of which every 16th step is exact.
        let first_row = &nearest(70, 32)[..32];
        assert_eq!(
            [first_row[1], first_row[16], first_row[31]],
            [2.0, 35.0, 67.0]
        );
    }
}
