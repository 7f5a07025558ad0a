//! The network as a whole.
#![allow(
    non_snake_case,
    reason = "checkpoints name blocks so, and fields are named as there"
)]

use std::path::Path;

use burn::{
    module::Module,
    tensor::{
        DType, Tensor,
        backend::Backend,
        module::interpolate,
        ops::{InterpolateMode, InterpolateOptions},
    },
};
use mpm_core::{
    MpmBackend,
    weights::{KeyMap, LoadOptions, WeightFile, WeightsError, load, module_keys},
};

use super::{
    basic_conv::BasicConv2d,
    block_a::InceptionA,
    block_b::InceptionB,
    block_c::InceptionC,
    block_d::InceptionD,
    block_e::{InceptionE, Pooling},
    pool,
};
use crate::VisionError;

/// Width of a picture's features.
pub const FEATURES: usize = 2048;

/// Side of the square to which pictures are resized, in pixels.
pub const INPUT_SIZE: usize = 299;

/// Colour channels of a picture.
const CHANNELS: usize = 3;

/// Inception v3 up to the features, for reading only: its norms use the statistics of its training.
///
/// Names are those of pytorch-fid's checkpoint.
#[derive(Module, Debug)]
pub struct InceptionV3<B: Backend> {
    /// 299 to 149 pixels.
    pub Conv2d_1a_3x3: BasicConv2d<B>,
    /// 149 to 147 pixels.
    pub Conv2d_2a_3x3: BasicConv2d<B>,
    /// 147 pixels, before a pool to 73.
    pub Conv2d_2b_3x3: BasicConv2d<B>,
    /// 73 pixels.
    pub Conv2d_3b_1x1: BasicConv2d<B>,
    /// 73 to 71 pixels, before a pool to 35.
    pub Conv2d_4a_3x3: BasicConv2d<B>,
    /// 192 to 256 channels.
    pub Mixed_5b: InceptionA<B>,
    /// 256 to 288 channels.
    pub Mixed_5c: InceptionA<B>,
    /// 288 channels.
    pub Mixed_5d: InceptionA<B>,
    /// 288 to 768 channels, 35 to 17 pixels.
    pub Mixed_6a: InceptionB<B>,
    /// 768 channels.
    pub Mixed_6b: InceptionC<B>,
    /// 768 channels.
    pub Mixed_6c: InceptionC<B>,
    /// 768 channels.
    pub Mixed_6d: InceptionC<B>,
    /// 768 channels.
    pub Mixed_6e: InceptionC<B>,
    /// 768 to 1280 channels, 17 to 8 pixels.
    pub Mixed_7a: InceptionD<B>,
    /// 1280 to 2048 channels.
    pub Mixed_7b: InceptionE<B>,
    /// 2048 channels.
    pub Mixed_7c: InceptionE<B>,
}

impl<B: Backend> InceptionV3<B> {
    /// A network with random weights.
    pub fn new(device: &B::Device) -> Self {
        let three = [3, 3];
        Self {
            Conv2d_1a_3x3: BasicConv2d::valid([CHANNELS, 32], three, 2, device),
            Conv2d_2a_3x3: BasicConv2d::valid([32, 32], three, 1, device),
            Conv2d_2b_3x3: BasicConv2d::same([32, 64], three, device),
            Conv2d_3b_1x1: BasicConv2d::valid([64, 80], [1, 1], 1, device),
            Conv2d_4a_3x3: BasicConv2d::valid([80, 192], three, 1, device),
            Mixed_5b: InceptionA::new(192, 32, device),
            Mixed_5c: InceptionA::new(256, 64, device),
            Mixed_5d: InceptionA::new(288, 64, device),
            Mixed_6a: InceptionB::new(288, device),
            Mixed_6b: InceptionC::new(768, 128, device),
            Mixed_6c: InceptionC::new(768, 160, device),
            Mixed_6d: InceptionC::new(768, 160, device),
            Mixed_6e: InceptionC::new(768, 192, device),
            Mixed_7a: InceptionD::new(768, device),
            Mixed_7b: InceptionE::new(1280, Pooling::Mean, device),
            Mixed_7c: InceptionE::new(FEATURES, Pooling::Largest, device),
        }
    }

    /// Loads `pt_inception-2015-12-05-6726825d.pth`, or a file with the same names and shapes.
    ///
    /// The keys of `options` are not used: this module knows the names.
    ///
    /// # Errors
    /// [`WeightsError`] names the file and what is missing or wrong. torchvision's own weights are
    /// refused: they have another classifier beside, and give other features.
    pub fn open(
        file: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, WeightsError> {
        let network = Self::new(device);
        let options = LoadOptions {
            keys: network.checkpoint_keys(),
            ..options.clone()
        };
        load(network, &WeightFile::open(file)?, &options)
    }

    /// How a file's names lead to the parameters: all have the same names, and these are not used.
    ///
    /// | in the file | why |
    /// |---|---|
    /// | `fc.*` | the classifier behind the features |
    /// | `….bn.num_batches_tracked` | a counter of the training, which newer versions saved |
    pub fn checkpoint_keys(&self) -> KeyMap {
        let names = module_keys(self);
        let norms = names
            .keys()
            .filter_map(|name| name.strip_suffix(".running_mean"));
        norms.fold(KeyMap::new().unused("fc"), |keys, norm| {
            keys.unused(&format!("{norm}.num_batches_tracked"))
        })
    }
}

impl<B: MpmBackend> InceptionV3<B> {
    /// The features of pictures of any size, resized as pytorch-fid does: bilinear, between the
    /// centres of pixels, without a filter that would smooth what becomes smaller.
    ///
    /// # Shapes
    /// - pixels: `[batch, 3, height, width]`, red, green and blue from 0 to 1
    /// - output: `[batch, 2048]`
    ///
    /// # Errors
    /// [`VisionError::InceptionInput`] for other channels, and pictures without pixels.
    pub fn features(&self, pixels: Tensor<B, 4>) -> Result<Tensor<B, 2>, VisionError> {
        let found @ [batch, channels, height, width] = pixels.dims();
        if channels != CHANNELS || height == 0 || width == 0 {
            return Err(VisionError::InceptionInput { found });
        }
        let dtype = self.Conv2d_1a_3x3.conv.weight.val().dtype();
        if batch == 0 {
            let device = pixels.device();
            return Ok(Tensor::zeros([0, FEATURES], (&device, dtype)));
        }
        let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
        let resized = interpolate(pixels.cast(DType::F32), [INPUT_SIZE; 2], options);
        let states = self.states((resized * 2.0 - 1.0).cast(dtype));
        let [batch, channels, height, width] = states.dims();
        let places = states.reshape([batch, channels, height * width]);
        Ok(places.mean_dim(2).reshape([batch, channels]))
    }

    /// # Shapes
    /// - x: `[batch, 3, 299, 299]`, from -1 to 1
    /// - output: `[batch, 2048, 8, 8]`
    fn states(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let x = self.Conv2d_1a_3x3.forward(x);
        let x = self.Conv2d_2a_3x3.forward(x);
        let x = pool::halved(self.Conv2d_2b_3x3.forward(x));
        let x = self.Conv2d_3b_1x1.forward(x);
        let x = pool::halved(self.Conv2d_4a_3x3.forward(x));
        let x = self.Mixed_5b.forward(x);
        let x = self.Mixed_5c.forward(x);
        let x = self.Mixed_5d.forward(x);
        let x = self.Mixed_6a.forward(x);
        let x = self.Mixed_6b.forward(x);
        let x = self.Mixed_6c.forward(x);
        let x = self.Mixed_6d.forward(x);
        let x = self.Mixed_6e.forward(x);
        let x = self.Mixed_7a.forward(x);
        let x = self.Mixed_7b.forward(x);
        self.Mixed_7c.forward(x)
    }
}
