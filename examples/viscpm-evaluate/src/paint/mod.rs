//! Figures of pictures, and painting them before.

mod clip;
mod entry;
mod fit;
mod likeness;
mod painting;

pub use clip::ClipModel;
pub use entry::{PictureEntry, PictureSet};
pub use fit::{FIRST, FitReport, FitRow, measure_fit};
pub use likeness::{picture_files, picture_statistics};
pub use painting::{Painting, paint_missing};
