//! Mean and covariance of features that are seen once.

use burn::tensor::{Tensor, backend::Backend};
use nalgebra::{DMatrix, DVector};

use super::PictureMetricError;

/// Mean and covariance of any number of features, in f64 and in memory that does not grow with
/// their number: `8 width²` bytes, 32 MiB for Inception's 2048.
///
/// Batches are added around their own means and then moved to the common one (Chan, Golub,
/// LeVeque: Algorithms for Computing the Sample Variance, 1983), so that nothing cancels where the
/// mean is large beside the deviations.
#[derive(Clone, Debug)]
pub struct FeatureStatistics {
    count: usize,
    mean: DVector<f64>,
    /// Sum of the products of deviations from the mean, `[width, width]`.
    scatter: DMatrix<f64>,
}

impl FeatureStatistics {
    /// The statistics of no features yet.
    pub fn new(width: usize) -> Self {
        Self {
            count: 0,
            mean: DVector::zeros(width),
            scatter: DMatrix::zeros(width, width),
        }
    }

    /// Adds a batch; an empty one changes nothing, and one that is refused neither.
    ///
    /// # Shapes
    /// - features: `[pictures, width]`
    ///
    /// # Errors
    /// [`PictureMetricError::FeatureWidth`] for another width, [`PictureMetricError::NotFinite`] for
    /// NaN and infinity.
    pub fn add<B: Backend>(&mut self, features: Tensor<B, 2>) -> Result<(), PictureMetricError> {
        let [count, width] = features.dims();
        self.check_width(width)?;
        if count == 0 || width == 0 {
            self.count += count;
            return Ok(());
        }
        let values: Vec<f64> = features.into_data().iter().collect();
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(PictureMetricError::NotFinite {
                what: "features",
                row: index / width,
                value: values[index],
            });
        }
        // A column a picture: what is row-major there is column-major here.
        let mut deviations = DMatrix::from_vec(width, count, values);
        let mean = deviations.column_mean();
        for mut column in deviations.column_iter_mut() {
            column -= &mean;
        }
        let rows = deviations.transpose();
        self.scatter.gemm(1.0, &deviations, &rows, 1.0);
        self.move_to_common_mean(&mean, count);
        Ok(())
    }

    /// Adds what another has counted, such as the share of another worker.
    ///
    /// # Errors
    /// [`PictureMetricError::FeatureWidth`] for another width.
    pub fn merge(&mut self, other: &Self) -> Result<(), PictureMetricError> {
        self.check_width(other.width())?;
        if other.count > 0 {
            self.scatter += &other.scatter;
            self.move_to_common_mean(&other.mean, other.count);
        }
        Ok(())
    }

    /// How many features were added.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Width of a feature.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// The mean, `[width]`; zeros before the first feature.
    pub fn mean(&self) -> &[f64] {
        self.mean.as_slice()
    }

    /// The covariance with the divisor `count - 1`, as NumPy's `cov` and pytorch-fid have it,
    /// `[width, width]`, row-major.
    ///
    /// # Errors
    /// As [`frechet_distance`](super::frechet_distance), of one set.
    pub fn covariance(&self) -> Result<Vec<f64>, PictureMetricError> {
        let matrix = self.covariance_matrix()?;
        // Symmetric, so columns are rows.
        Ok(matrix.as_slice().to_vec())
    }

    pub(super) fn covariance_matrix(&self) -> Result<DMatrix<f64>, PictureMetricError> {
        if self.count < 2 {
            return Err(PictureMetricError::FewSamples { found: self.count });
        }
        let covariance = &self.scatter / (self.count - 1) as f64;
        match covariance.iter().all(|value| value.is_finite()) {
            true => Ok(covariance),
            false => Err(PictureMetricError::Overflow),
        }
    }

    fn check_width(&self, found: usize) -> Result<(), PictureMetricError> {
        let expected = self.width();
        match found == expected {
            true => Ok(()),
            false => Err(PictureMetricError::FeatureWidth { expected, found }),
        }
    }

    /// Counts `count` features around `mean` whose scatter has been added already.
    fn move_to_common_mean(&mut self, mean: &DVector<f64>, count: usize) {
        let (before, added) = (self.count as f64, count as f64);
        let total = before + added;
        let step = mean - &self.mean;
        self.scatter.ger(before * added / total, &step, &step, 1.0);
        self.mean.axpy(added / total, &step, 1.0);
        self.count += count;
    }
}
