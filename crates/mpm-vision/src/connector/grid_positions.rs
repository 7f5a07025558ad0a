//! Positions of patches that need no table.

use burn::tensor::{Tensor, TensorData, backend::Backend};

/// The longest wave is this many times 2π patches long.
const BASE: f64 = 10_000.0;

/// Sines and cosines of the places of a grid, in f32: the first half of the width tells the
/// column and the second half the row, each by sines and then by cosines of `width / 4`
/// frequencies.
///
/// Source: `get_2d_sincos_pos_embed` of MAE (<https://arxiv.org/abs/2111.06377>), which MiniCPM-V's
/// `resampler.py` has taken over.
///
/// # Shapes
/// - grid: `[rows, columns]`
/// - output: `[rows · columns, width]`, row by row
///
/// # Panics
/// When 4 does not divide `width`.
pub fn grid_positions<B: Backend>(
    width: usize,
    [rows, columns]: [usize; 2],
    device: &B::Device,
) -> Tensor<B, 2> {
    assert!(
        width.is_multiple_of(4),
        "4 does not divide a width of {width}"
    );
    let half = width / 2;
    let column = axis::<B>(half, columns, device).unsqueeze_dim::<3>(0);
    let row = axis::<B>(half, rows, device).unsqueeze_dim::<3>(1);
    let whole = [rows, columns, half];
    let positions = Tensor::cat(vec![column.expand(whole), row.expand(whole)], 2);
    positions.reshape([rows * columns, width])
}

/// The places along one axis, `[len, width]`.
fn axis<B: Backend>(width: usize, len: usize, device: &B::Device) -> Tensor<B, 2> {
    let count = width / 2;
    let frequency = |wave: usize| BASE.powf(-(wave as f64) / count as f64);
    let frequencies: Vec<f64> = (0..count).map(frequency).collect();
    let values = (0..len).flat_map(|place| {
        let angles = frequencies.iter().map(move |f| place as f64 * f);
        let sines = angles.clone().map(f64::sin);
        sines.chain(angles.map(f64::cos)).map(|value| value as f32)
    });
    Tensor::from_data(TensorData::new(values.collect(), [len, width]), device)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn the_column_comes_first() {
        let positions = grid_positions::<Flex>(8, [2, 3], &Default::default());
        assert_eq!(positions.dims(), [6, 8]);
        let values: Vec<f32> = positions.into_data().iter().collect();
        // Row 1, column 2: sin 2, sin 0.02, cos 2, cos 0.02, then the same of 1.
        let expected = [
            0.909_297, 0.019_999, -0.416_147, 0.999_800, 0.841_471, 0.010_000, 0.540_302, 0.999_950,
        ];
        for (found, expected) in values[40..].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
