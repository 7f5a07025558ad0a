//! Asking a chat model.

mod examine;
mod likelihood;
mod respondent;
mod settings;

pub use examine::{Ended, Watch, examine, examine_llava};
pub use likelihood::reference_loss;
pub use respondent::{Respondent, Shown};
pub use settings::Settings;
