//! How far a result may be from the reference's.

use burn::tensor::{Tensor, TensorData, backend::Backend};

use crate::{BACKEND_ROUNDING, Case};

/// The largest error that an element may have: the sum of three parts, each 0 unless given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tolerance {
    /// In the unit of the values.
    pub absolute: f64,
    /// As a share of the element's expected magnitude.
    pub relative: f64,
    /// As a share of the largest expected magnitude of the tensor: for sums whose terms cancel,
    /// where the error of an element does not shrink with the element.
    pub of_largest: f64,
}

impl Tolerance {
    /// No error at all.
    pub const EXACT: Self = Self {
        absolute: 0.0,
        relative: 0.0,
        of_largest: 0.0,
    };
}

impl Case {
    /// Compares a float tensor that the backend computed with the stored one, see
    /// [`BACKEND_ROUNDING`].
    ///
    /// # Panics
    /// As [`assert_data_close`]; the text names the case and the tensor.
    pub fn assert_close<B: Backend, const D: usize>(
        &self,
        key: &str,
        actual: Tensor<B, D>,
        tolerance: Tolerance,
    ) {
        let tolerance = Tolerance {
            of_largest: tolerance.of_largest + BACKEND_ROUNDING.of_largest,
            ..tolerance
        };
        self.assert_data_close(key, &actual.into_data(), tolerance);
    }

    /// Compares values with those of the stored tensor.
    ///
    /// # Panics
    /// As [`assert_data_close`]; the text names the case and the tensor.
    pub fn assert_data_close(&self, key: &str, actual: &TensorData, tolerance: Tolerance) {
        let what = format!("{} {key}", self.name);
        assert_data_close(&what, actual, &self.data(key), tolerance);
    }
}

/// Compares shapes and values.
///
/// # Panics
/// Where the shapes differ, unless `expected` has no dimension and `actual` has one of size 1, for
/// Burn has no scalars; and as [`assert_values_close`].
pub fn assert_data_close(
    what: &str,
    actual: &TensorData,
    expected: &TensorData,
    tolerance: Tolerance,
) {
    let scalars = expected.shape.is_empty() && actual.shape[..] == [1];
    assert!(
        scalars || actual.shape == expected.shape,
        "{what}: shape {:?} instead of {:?}",
        actual.shape,
        expected.shape
    );
    let values = |data: &TensorData| -> Vec<f64> { data.iter().collect() };
    assert_values_close(what, &values(actual), &values(expected), tolerance);
}

/// Compares number by number.
///
/// # Panics
/// With the first element whose error is larger than `tolerance` allows or not a number, its
/// index in row-major order, both values, the error and the allowance; and where the lengths
/// differ.
pub fn assert_values_close(what: &str, actual: &[f64], expected: &[f64], tolerance: Tolerance) {
    assert_eq!(actual.len(), expected.len(), "{what}: number of values");
    let largest = expected.iter().map(|x| x.abs()).fold(0.0, f64::max);
    let everywhere = tolerance.absolute + tolerance.of_largest * largest;
    for (index, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let allowed = everywhere + tolerance.relative * expected.abs();
        let error = (actual - expected).abs();
        // In this form NaN fails.
        assert!(
            error <= allowed,
            "{what}[{index}]: {actual} instead of {expected}, off by {error:e} > {allowed:e}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(actual: &[f64], expected: &[f64], tolerance: Tolerance) -> bool {
        std::panic::catch_unwind(|| assert_values_close("x", actual, expected, tolerance)).is_ok()
    }

    #[test]
    fn each_part_allows_its_share() {
        // Exact in binary, so that the bounds themselves pass.
        let expected = [4.0, -1.0];
        let absolute = Tolerance {
            absolute: 0.5,
            ..Tolerance::EXACT
        };
        assert!(passes(&[4.5, -1.5], &expected, absolute));
        assert!(!passes(&[4.625, -1.0], &expected, absolute));
        let relative = Tolerance {
            relative: 0.25,
            ..Tolerance::EXACT
        };
        assert!(passes(&[5.0, -1.25], &expected, relative));
        assert!(!passes(&[4.0, -1.375], &expected, relative));
        let of_largest = Tolerance {
            of_largest: 0.25,
            ..Tolerance::EXACT
        };
        assert!(passes(&[5.0, -2.0], &expected, of_largest));
        assert!(!passes(&[4.0, -2.125], &expected, of_largest));
    }

    #[test]
    fn exact_is_exact() {
        assert!(passes(&[0.1, 0.0], &[0.1, -0.0], Tolerance::EXACT));
        assert!(!passes(&[0.1 + 1e-16], &[0.1], Tolerance::EXACT));
    }

    #[test]
    fn what_is_no_number_or_lacks_one_fails() {
        let wide = Tolerance {
            absolute: 1e9,
            relative: 1e9,
            of_largest: 1e9,
        };
        assert!(!passes(&[f64::NAN], &[1.0], wide));
        assert!(!passes(&[1.0], &[f64::NAN], wide));
        assert!(!passes(&[f64::INFINITY], &[1.0], wide));
        assert!(!passes(&[1.0], &[1.0, 1.0], wide));
    }

    #[test]
    fn only_a_scalar_may_have_another_shape() {
        let data = |shape: &[usize]| TensorData::new(vec![1.0_f32], shape);
        let equal = |actual: &[usize], expected: &[usize]| {
            std::panic::catch_unwind(|| {
                assert_data_close("x", &data(actual), &data(expected), Tolerance::EXACT);
            })
            .is_ok()
        };
        assert!(equal(&[1], &[]));
        assert!(equal(&[1, 1], &[1, 1]));
        assert!(!equal(&[1, 1], &[1]));
        assert!(!equal(&[1, 1], &[]));
    }
}
