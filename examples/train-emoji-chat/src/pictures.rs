//! Pictures of one thing each, with what they show.

use std::sync::Arc;

use emoji_training::sample_rng;
use mpm_data::{
    emoji::{EmojiSet, Tasks},
    picture::{PixelValues, augment::TrainAugmentation},
};
use mpm_train::{BoxError, DataSource};

/// Pictures and their classes.
pub struct NamedPictures {
    pub pictures: Vec<PixelValues>,
    /// The place of each in [`Tasks::classes`].
    pub classes: Vec<i64>,
}

/// Draws training pictures, augmented.
pub struct PictureSource {
    pub set: &'static EmojiSet,
    pub tasks: Arc<Tasks<'static>>,
    pub augmentation: TrainAugmentation,
    pub seed: u64,
    /// Pictures of a batch.
    pub batch: usize,
    /// The number of batches delivered.
    pub next: u64,
}

impl DataSource for PictureSource {
    type Batch = NamedPictures;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<NamedPictures>, BoxError> {
        let start = self.next * self.batch as u64;
        let mut batch = NamedPictures {
            pictures: Vec::with_capacity(self.batch),
            classes: Vec::with_capacity(self.batch),
        };
        for index in start..start + self.batch as u64 {
            let mut rng = sample_rng(self.seed, index);
            let (scene, class) = self.tasks.named_picture(self.seed, index);
            let picture = self.set.compose(&scene)?;
            batch
                .pictures
                .push(self.augmentation.apply(&picture, &mut rng));
            batch.classes.push(class as i64);
        }
        self.next += 1;
        Ok(Some(batch))
    }

    fn position(&self) -> u64 {
        self.next
    }

    fn seek(&mut self, position: &u64) -> Result<(), BoxError> {
        self.next = *position;
        Ok(())
    }
}
