//! The Inception network whose features the Fréchet inception distance compares.
//!
//! Sources: Inception v3 (<https://arxiv.org/abs/1512.00567>), FID
//! (<https://arxiv.org/abs/1706.08500>), `models/inception.py` of torchvision for the blocks, and
//! `inception.py` of pytorch-fid for what differs from it: the network of 2015-12-05 averages over
//! the picture without its border, and its last block takes the largest value instead of the mean.
//!
//! [`InceptionV3`] reads the file `pt_inception-2015-12-05-6726825d.pth`, or one with the same
//! names. Distances are comparable between papers with these weights only.

mod basic_conv;
mod block_a;
mod block_b;
mod block_c;
mod block_d;
mod block_e;
mod network;
mod pool;

pub use basic_conv::{BasicConv2d, InceptionKernel, InceptionNorm};
pub use block_a::InceptionA;
pub use block_b::InceptionB;
pub use block_c::InceptionC;
pub use block_d::InceptionD;
pub use block_e::InceptionE;
pub use network::{FEATURES, INPUT_SIZE, InceptionV3};
