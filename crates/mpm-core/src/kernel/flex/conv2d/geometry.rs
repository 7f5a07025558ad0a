//! The sizes of a convolution.

use burn::tensor::Shape;

use crate::kernel::Conv2dOptions;

/// The sizes of a convolution; pairs are heights and widths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub batch: usize,
    pub c_in: usize,
    pub c_out: usize,
    pub input: [usize; 2],
    pub kernel: [usize; 2],
    pub output: [usize; 2],
    pub stride: usize,
    pub padding: usize,
}

impl Geometry {
    pub fn new(x: [usize; 4], weight: [usize; 4], options: Conv2dOptions) -> Self {
        let [batch, c_in, height, width] = x;
        let [c_out, _, kernel_height, kernel_width] = weight;
        let (input, kernel) = ([height, width], [kernel_height, kernel_width]);
        Self {
            batch,
            c_in,
            c_out,
            input,
            kernel,
            output: options.output_size(input, kernel),
            stride: options.stride,
            padding: options.padding,
        }
    }

    /// Elements of an input channel.
    pub fn area_in(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Elements of an output channel.
    pub fn area_out(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Elements of a channel of the kernel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The shape of the output.
    pub fn output_shape(&self) -> Shape {
        let [height, width] = self.output;
        Shape::new([self.batch, self.c_out, height, width])
    }

    /// Whether there is nothing to compute, or nothing to compute it from.
    pub fn is_empty(&self) -> bool {
        self.batch * self.c_in * self.c_out * self.area_in() == 0
    }

    /// The convolution that takes the gradient of the output, with `stride - 1` zeros between
    /// its rows and columns, back to that of the input; `None` where there is none because the
    /// padding exceeds the kernel or there is nothing to compute.
    pub fn back(&self) -> Option<Self> {
        let [height, width] = self.kernel;
        let padding = (height.min(width) - 1).checked_sub(self.padding)?;
        let spread = [0, 1].map(|i| self.input[i] + 2 * self.padding + 1 - self.kernel[i]);
        (height == width && !self.is_empty()).then_some(Self {
            batch: self.batch,
            c_in: self.c_out,
            c_out: self.c_in,
            input: spread,
            kernel: self.kernel,
            output: self.input,
            stride: 1,
            padding,
        })
    }
}
