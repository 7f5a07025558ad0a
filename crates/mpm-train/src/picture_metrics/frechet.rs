//! The Fréchet distance between two sets of features.

use nalgebra::{DMatrix, SymmetricEigen};

use super::{FeatureStatistics, PictureMetricError};

/// Steps after which eigenvalues are given up; some two for each are usual.
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
/// [`PictureMetricError::Overflow`] and [`PictureMetricError::Eigenvalues`] where f64 does not do.
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
/// `Σ₁ = A Aᵀ` it has the eigenvalues of `Aᵀ Σ₂ A`, which is symmetric and has none below 0 but for
/// rounding; covariances of fewer samples than features, which are singular, do no harm.
fn trace_of_root([first, second]: &[DMatrix<f64>; 2]) -> Result<f64, PictureMetricError> {
    let width = first.nrows();
    if width == 0 {
        return Ok(0.0);
    }
    let SymmetricEigen {
        eigenvalues,
        eigenvectors: mut root,
    } = SymmetricEigen::try_new(first.clone(), f64::EPSILON, MAX_ITERATIONS)
        .ok_or(PictureMetricError::Eigenvalues { width })?;
    for (mut column, value) in root.column_iter_mut().zip(eigenvalues.iter()) {
        column *= value.max(0.0).sqrt();
    }
    let product = root.transpose() * second * &root;
    match product.iter().all(|value| value.is_finite()) {
        true => Ok(product
            .symmetric_eigenvalues()
            .iter()
            .map(|value| value.max(0.0).sqrt())
            .sum()),
        false => Err(PictureMetricError::Overflow),
    }
}
