//! Files of what a run reports: JSON lines, CSV and TensorBoard's event files.

mod event_file;
mod lines;
mod tensorboard;

pub use event_file::EventFile;
pub use lines::MetricsWriter;
pub use tensorboard::TensorBoardWriter;
