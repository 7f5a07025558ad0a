//! The stages of VisCPM-Chat (paper, section 3.3).

mod batch;
mod objective;
mod sample;
mod stage;

pub use batch::{ChatBatch, Collation};
pub use objective::ChatObjective;
pub use sample::{ChatPreparer, ChatSample, ChatText};
pub use stage::ChatStage;
pub(crate) use stage::llm_activations;
