//! The arguments that all commands of both trainers have.

use std::path::PathBuf;

use mpm_core::backend::BackendKind;
use mpm_data::{DataError, emoji::EmojiSet};

/// On what, how and where is trained and measured.
#[derive(Clone, Debug, clap::Args)]
pub struct Circumstances {
    /// The packed set, see docs/emoji-set.md.
    #[arg(
        long,
        global = true,
        default_value = "examples/build-emoji-set/emoji.tar.zst"
    )]
    emoji: PathBuf,

    /// A recipe (JSON); without it the one of the shipped model.
    #[arg(long, global = true)]
    pub recipe: Option<PathBuf>,

    /// Where to compute: flex (CPU), cuda, wgpu, vulkan or metal, as far as compiled in.
    #[arg(long, global = true, default_value = "flex")]
    pub backend: BackendKind,
}

impl Circumstances {
    /// Opens the set. Samples borrow from it, on the thread that prepares batches, too: it lives
    /// as long as the program.
    ///
    /// # Errors
    /// Those of [`EmojiSet::open`].
    pub fn open_set(&self) -> Result<&'static EmojiSet, DataError> {
        Ok(Box::leak(Box::new(EmojiSet::open(&self.emoji)?)))
    }
}
