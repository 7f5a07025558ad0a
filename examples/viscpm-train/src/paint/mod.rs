//! The stage of VisCPM-Paint (paper, section 3.4).

mod batch;
mod objective;
mod sample;
mod stage;

pub use batch::PaintBatch;
pub use objective::PaintObjective;
pub use sample::{PaintPreparer, PaintSample};
pub use stage::PaintStage;
