//! Training a stem from scratch, with batch normalisation that is folded away after.
//!
//! Batch normalisation (<https://arxiv.org/abs/1502.03167>) makes a stem learn many
//! times faster, but ties the pictures of a batch together and needs running
//! statistics. Here it exists during a first training only: [`NormalisedStem::fold`]
//! measures the statistics exactly and returns a plain stem that computes the same.

use burn::{
    module::{Initializer, Module, Param, ParamId},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, nn::TorchConv2d};

use crate::{
    VisionError,
    config::Beit3Config,
    stem::{ConvStem, activate, convolutions},
};

/// Added to the variances.
const EPSILON: f64 = 1e-5;

/// A stem whose convolutions are normalised over the batch.
#[derive(Module, Debug)]
pub struct NormalisedStem<B: Backend> {
    /// The blocks, first to last.
    pub blocks: Vec<NormalisedBlock<B>>,
}

/// One block: convolution without bias, batch normalisation, ReLU, pooling.
#[derive(Module, Debug)]
pub struct NormalisedBlock<B: Backend> {
    /// The 3 × 3 convolution.
    pub conv: TorchConv2d<B>,
    /// Scale after the normalisation, `[channels]`.
    pub gamma: Param<Tensor<B, 1>>,
    /// Shift after the normalisation, `[channels]`.
    pub beta: Param<Tensor<B, 1>>,
}

/// Mean and variance of each channel, `[channels]`.
struct Moments<B: Backend> {
    mean: Tensor<B, 1>,
    variance: Tensor<B, 1>,
}

impl<B: Backend> NormalisedStem<B> {
    /// A stem for [`Beit3Config::stem_channels`] with random weights.
    ///
    /// # Errors
    /// See [`Beit3Config::validate`].
    pub fn new(config: &Beit3Config, device: &B::Device) -> Result<Self, VisionError> {
        config.validate()?;
        let blocks = convolutions::<B>(config, device)
            .into_iter()
            .map(|mut conv| {
                conv.bias = None;
                let channels = conv.weight.shape()[0];
                NormalisedBlock {
                    conv,
                    gamma: Initializer::Ones.init([channels], device),
                    beta: Initializer::Zeros.init([channels], device),
                }
            })
            .collect();
        Ok(Self { blocks })
    }
}

impl<B: MpmBackend> NormalisedStem<B> {
    /// # Shapes
    /// - pixel_values: `[batch, channels, side, side]`, of the batch whose statistics
    ///   normalise it
    /// - output: `[batch, last block's channels, side / 2ⁿ, side / 2ⁿ]` for n blocks
    pub fn forward(&self, pixel_values: Tensor<B, 4>) -> Tensor<B, 4> {
        self.blocks.iter().fold(pixel_values, |features, block| {
            activate(block.normalise(block.conv.forward(features)))
        })
    }

    /// The stem that normalises by the statistics of `batches`, written as plain
    /// convolutions with a bias. Its parameters are new values, through which no gradient
    /// reaches this stem; they train if these did.
    ///
    /// # Shapes
    /// - batches: each `[batch, channels, side, side]`, of the same side; together a
    ///   fair sample of the pictures that were trained on
    ///
    /// # Errors
    /// [`VisionError::NoPictures`] without any picture.
    pub fn fold(self, mut batches: Vec<Tensor<B, 4>>) -> Result<ConvStem<B>, VisionError> {
        if batches.iter().all(|batch| batch.dims()[0] == 0) {
            return Err(VisionError::NoPictures);
        }
        let mut blocks = Vec::new();
        for block in self.blocks {
            let responses = batches.iter().cloned();
            let responses: Vec<_> = responses.map(|batch| block.conv.forward(batch)).collect();
            let folded = block.fold(&Moments::of_all(&responses));
            batches = batches
                .into_iter()
                .map(|batch| activate(folded.forward(batch)))
                .collect();
            blocks.push(folded);
        }
        Ok(ConvStem { blocks })
    }
}

impl<B: Backend> NormalisedBlock<B> {
    fn normalise(&self, features: Tensor<B, 4>) -> Tensor<B, 4> {
        let dims @ [batch, channels, height, width] = features.dims();
        // One row for each picture and channel: rows times a column of scalars is what
        // backends do fastest.
        let rows = features.reshape([batch * channels, height * width]);
        let moments = Moments::of_rows(rows.clone(), channels);
        let (scale, shift) = self.affine(&moments);
        let per_row = |values: Tensor<B, 1>| {
            let values = values.unsqueeze::<2>().expand([batch, channels]);
            values.reshape([batch * channels, 1])
        };
        (rows * per_row(scale) + per_row(shift)).reshape(dims)
    }

    /// The normalisation as a factor and a summand of each channel.
    fn affine(&self, moments: &Moments<B>) -> (Tensor<B, 1>, Tensor<B, 1>) {
        let deviation = moments.variance.clone().add_scalar(EPSILON).sqrt();
        let scale = self.gamma.val() / deviation;
        let shift = self.beta.val() - moments.mean.clone() * scale.clone();
        (scale, shift)
    }

    fn fold(self, moments: &Moments<B>) -> TorchConv2d<B> {
        let (scale, shift) = self.affine(moments);
        let channels = scale.dims()[0];
        let mut conv = self.conv;
        conv.weight = conv.weight.map(|weight| {
            let trains = weight.is_require_grad();
            let folded = weight * scale.reshape([channels, 1, 1, 1]);
            folded.detach().set_require_grad(trains)
        });
        let trains = self.beta.is_require_grad();
        let shift = shift.detach().set_require_grad(trains);
        conv.bias = Some(Param::initialized(ParamId::new(), shift));
        conv
    }
}

impl<B: Backend> Moments<B> {
    /// Of `[batch · channels, pixels]`.
    fn of_rows(rows: Tensor<B, 2>, channels: usize) -> Self {
        let batch = rows.dims()[0] / channels;
        let mean_of = |rows: Tensor<B, 2>| {
            let means = rows.mean_dim(1).reshape([batch, channels]);
            means.mean_dim(0).reshape([channels])
        };
        let mean = mean_of(rows.clone());
        let centre = mean.clone().unsqueeze::<2>().expand([batch, channels]);
        let deviations = rows - centre.reshape([batch * channels, 1]);
        let variance = mean_of(deviations.clone() * deviations);
        Self { mean, variance }
    }

    /// Of all batches together, each `[batch, channels, height, width]`.
    fn of_all(batches: &[Tensor<B, 4>]) -> Self {
        let rows = Tensor::cat(batches.to_vec(), 0);
        let [batch, channels, height, width] = rows.dims();
        Self::of_rows(rows.reshape([batch * channels, height * width]), channels)
    }
}

#[cfg(all(test, feature = "flex"))]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use burn::{
        backend::{Autodiff, Flex},
        tensor::Distribution,
    };

    /// Sums over a picture's pixels in another order, through two blocks.
    const TOLERANCE: f32 = 1e-5;

    #[test]
    fn a_folded_stem_computes_the_same() {
        let device = Default::default();
        let config = Beit3Config::tiny().with_stem_channels(vec![4, 6]);
        let mut stem = NormalisedStem::<Flex>::new(&config, &device).unwrap();
        for block in &mut stem.blocks {
            let random = |low, high| Distribution::Uniform(low, high);
            let random = |value: Tensor<Flex, 1>, low, high| value.random_like(random(low, high));
            block.gamma = block.gamma.clone().map(|gamma| random(gamma, 0.5, 2.0));
            block.beta = block.beta.clone().map(|beta| random(beta, -0.5, 0.5));
        }
        let shape = [3, 3, 32, 32];
        let picture = || Tensor::random(shape, Distribution::Normal(0.3, 2.0), &device);
        let batches = vec![picture(), picture()];
        let together = Tensor::cat(batches.clone(), 0);

        let expected = stem.forward(together.clone());
        let folded = stem.fold(batches).unwrap().forward(together);
        assert_eq!(folded.dims(), [6, 6, 8, 8]);
        let error = (folded - expected).abs().max().into_scalar();
        assert!(error < TOLERANCE, "{error}");
    }

    #[test]
    fn without_blocks_pictures_pass() {
        let device = Default::default();
        let stem = NormalisedStem::<Flex>::new(&Beit3Config::tiny(), &device).unwrap();
        let picture = Tensor::ones([1, 3, 32, 32], &device);
        let folded = stem.fold(vec![picture.clone()]).unwrap();
        assert_eq!(folded.stride(), 1);
        assert_eq!(folded.forward(picture.clone()).to_data(), picture.to_data());
    }

    #[test]
    fn without_pictures_there_are_no_statistics() {
        let device = Default::default();
        let config = Beit3Config::tiny().with_stem_channels(vec![4]);
        let stem = NormalisedStem::<Flex>::new(&config, &device).unwrap();
        let empty = Tensor::<Flex, 4>::zeros([0, 3, 32, 32], &device);
        for batches in [vec![], vec![empty]] {
            let error = stem.clone().fold(batches).unwrap_err();
            assert_eq!(error, VisionError::NoPictures);
        }
    }

    #[test]
    fn a_folded_stem_trains_if_the_stem_did() {
        type B = Autodiff<Flex>;
        let device = Default::default();
        let config = Beit3Config::tiny().with_stem_channels(vec![4, 6]);
        let picture = Tensor::<B, 4>::random([2, 3, 32, 32], Distribution::Default, &device);
        for trains in [true, false] {
            let stem = NormalisedStem::<B>::new(&config, &device).unwrap();
            let stem = match trains {
                true => stem,
                false => stem.no_grad(),
            };
            let folded = stem.fold(vec![picture.clone()]).unwrap();
            for block in &folded.blocks {
                assert_eq!(block.weight.is_require_grad(), trains);
                let bias = block.bias.as_ref().unwrap();
                assert_eq!(bias.is_require_grad(), trains);
            }
            if trains {
                let grads = folded.forward(picture.clone()).sum().backward();
                let first = &folded.blocks[0];
                let bias = first.bias.as_ref().unwrap();
                assert!(first.weight.grad(&grads).is_some() && bias.grad(&grads).is_some());
            }
        }
    }
}
