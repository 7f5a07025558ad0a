//! Where batches come from.

use serde::{Serialize, de::DeserializeOwned};

use crate::BoxError;

/// A stream of batches that knows where it stands and can be set there again.
///
/// After `seek(position)` a source must deliver the same batches as it did after
/// `position()` returned that value; random order and augmentation must therefore
/// be functions of the position. Epochs are the source's business: one that ends
/// (`None`) ends the run.
pub trait DataSource {
    /// What one forward pass takes.
    type Batch;
    /// Where the source stands: indices, epoch, seeds. It is stored in checkpoints
    /// as JSON.
    type Position: Clone + Serialize + DeserializeOwned;

    /// The next batch, or `None` at the end.
    ///
    /// # Errors
    /// Any error stops the run. A source that can skip a bad sample should.
    fn next_batch(&mut self) -> Result<Option<Self::Batch>, BoxError>;

    /// The position before the next batch.
    fn position(&self) -> Self::Position;

    /// Goes to a position.
    ///
    /// # Errors
    /// When the position is not one of this source's, e.g. after the data changed.
    fn seek(&mut self, position: &Self::Position) -> Result<(), BoxError>;
}
