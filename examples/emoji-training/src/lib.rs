//! What the trainers of the small models share: arguments, stages of a recipe, and how one is
//! run.

mod circumstances;
mod run;
mod stage;

use burn::tensor::DType;
use mpm_core::weights::{LoadOptions, Precision};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

pub use circumstances::Circumstances;
pub use run::train;
pub use stage::{Stage, StageRun, read_recipe};

/// An error of a trainer.
pub type BoxError = mpm_train::BoxError;

/// Keeps the numbers of augmentation apart from those of the tasks, which are drawn from the
/// bare seed.
const SOURCE_SALT: u64 = 0x9e37_79b9_7f4a_7c15;

/// The random numbers of one sample. Each has a stream of its own, so resuming needs no state.
pub fn sample_rng(seed: u64, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ SOURCE_SALT);
    rng.set_stream(index);
    rng
}

/// Weights of any dtype, to train or evaluate in f32.
pub fn full_precision() -> LoadOptions {
    LoadOptions {
        precision: Precision::Cast(DType::F32),
        ..LoadOptions::default()
    }
}
