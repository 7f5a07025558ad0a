//! Pictures for the models of CLIP's family.

use std::num::NonZeroU32;

use burn::tensor::{Tensor, TensorData, backend::Backend};
use mpm_core::pretrained::{PretrainedError, PretrainedFolder};
use mpm_data::picture::{ClipImageProcessor, Picture};

/// How pictures are prepared for a model, as `transformers` writes it.
const PREPROCESSOR_FILE: &str = "preprocessor_config.json";

/// Prepares pictures as the folder of a model says.
#[derive(Clone, Debug)]
pub struct ClipInput {
    processor: ClipImageProcessor,
}

impl ClipInput {
    /// Reads the folder's `preprocessor_config.json`; without it, pictures are prepared as
    /// `trained` says for the side of the pictures that the model reads.
    ///
    /// # Shapes
    /// - shape: `[channels, height, width]` of the pictures that the model reads
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is wrong, such as pictures of another size.
    pub fn open(
        folder: &PretrainedFolder,
        shape: [usize; 3],
        trained: fn(NonZeroU32) -> ClipImageProcessor,
    ) -> Result<Self, PretrainedError> {
        let [_, height, _] = shape;
        let default = || {
            let size = u32::try_from(height).ok().and_then(NonZeroU32::new);
            size.map(trained).unwrap_or_default()
        };
        let processor = folder.json(PREPROCESSOR_FILE)?.unwrap_or_else(default);
        if processor.shape() != shape {
            let reason = format!(
                "it prepares pictures of shape {:?}, but the model reads {shape:?} \
                 (`vision_config.image_size`); make them equal",
                processor.shape(),
            );
            return Err(folder.unusable(PREPROCESSOR_FILE, reason));
        }
        Ok(Self { processor })
    }

    /// Prepares pictures, in f32.
    ///
    /// # Shapes
    /// - output: `[pictures, channels, height, width]`
    pub fn prepare<B: Backend>(&self, pictures: &[Picture], device: &B::Device) -> Tensor<B, 4> {
        let [channels, height, width] = self.processor.shape();
        let values = pictures
            .iter()
            .flat_map(|picture| self.processor.apply(picture).data);
        let shape = [pictures.len(), channels, height, width];
        Tensor::from_data(TensorData::new(values.collect(), shape), device)
    }
}
