//! The Fréchet distance between two sets of features.

use nalgebra::{DMatrix, DVector};

use super::{FeatureStatistics, PictureMetricError};

/// Steps after which singular values are given up; some two for each are usual.
const MAX_ITERATIONS: usize = 1_000_000;

/// The Fréchet distance between the normal distributions that have the means and covariances of two
/// sets of features:
///
/// `‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr √(Σ₁ Σ₂)`
///
/// It falls with the number of samples for reasons that have nothing to do with pictures: compare
/// distances of as many pictures as those that are compared with, and name the number.
///
/// # Errors
/// [`PictureMetricError::FeatureWidth`] for features of different widths,
/// [`PictureMetricError::FewSamples`] for fewer than two in a set,
/// [`PictureMetricError::Overflow`] and [`PictureMetricError::SingularValues`] where f64 does not do.
pub fn frechet_distance(
    first: &FeatureStatistics,
    second: &FeatureStatistics,
) -> Result<f64, PictureMetricError> {
    if first.width() != second.width() {
        return Err(PictureMetricError::FeatureWidth {
            expected: first.width(),
            found: second.width(),
        });
    }
    let pairs = first.mean().iter().zip(second.mean());
    let between_means: f64 = pairs.map(|(first, second)| (first - second).powi(2)).sum();
    let covariances = [first.covariance_matrix()?, second.covariance_matrix()?];
    let traces: f64 = covariances.iter().map(DMatrix::trace).sum();
    let distance = between_means + traces - 2.0 * trace_of_root(&covariances)?;
    match distance.is_finite() {
        // Rounding can take equal sets below 0, where no distance is.
        true => Ok(distance.max(0.0)),
        false => Err(PictureMetricError::Overflow),
    }
}

/// `tr √(Σ₁ Σ₂)`.
///
/// The product of the two is not symmetric, and its root need not be real once it is rounded. With
/// `Σ₁ = A Aᵀ` and `Σ₂ = B Bᵀ` it has the eigenvalues of `Aᵀ B Bᵀ A`, whose roots are the singular
/// values of `Aᵀ B`. Fewer samples than features leave `A` and `B` few columns, and no zeros whose
/// roots would be those of rounding errors.
fn trace_of_root([first, second]: &[DMatrix<f64>; 2]) -> Result<f64, PictureMetricError> {
    let product = factor(first).tr_mul(&factor(second));
    if product.is_empty() {
        return Ok(0.0);
    }
    if product.iter().any(|value| !value.is_finite()) {
        return Err(PictureMetricError::Overflow);
    }
    let width = first.nrows();
    let decomposed = product.try_svd(false, false, f64::EPSILON, MAX_ITERATIONS);
    let decomposed = decomposed.ok_or(PictureMetricError::SingularValues { width })?;
    Ok(decomposed.singular_values.sum())
}

/// The `A` of `Σ = A Aᵀ`, with as many columns as the covariance has rank: the Cholesky decomposition
/// with the largest remaining variance first, which ends where LAPACK's `dpstrf` does, when what
/// remains may be rounding.
fn factor(covariance: &DMatrix<f64>) -> DMatrix<f64> {
    let width = covariance.nrows();
    let mut remaining = covariance.diagonal();
    let rounding = width as f64 * f64::EPSILON * remaining.amax();
    let mut columns: Vec<DVector<f64>> = Vec::new();
    while columns.len() < width {
        let (pivot, variance) = remaining.argmax();
        if variance <= rounding {
            break;
        }
        let mut column = covariance.column(pivot).into_owned();
        for known in &columns {
            column.axpy(-known[pivot], known, 1.0);
        }
        column /= variance.sqrt();
        for (remaining, value) in remaining.iter_mut().zip(column.iter()) {
            *remaining -= value * value;
        }
        remaining[pivot] = 0.0;
        columns.push(column);
    }
    match columns.is_empty() {
        true => DMatrix::zeros(width, 0),
        false => DMatrix::from_columns(&columns),
    }
}
