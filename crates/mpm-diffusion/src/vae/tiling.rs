//! Decoding large pictures in tiles, in bounded memory.
//!
//! Source: diffusers' `AutoencoderKL.tiled_decode`.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use mpm_core::MpmBackend;

use super::AutoencoderKl;
use crate::DiffusionError;

/// How a picture is cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    /// Side of a tile in latent pixels.
    pub tile: usize,
    /// By how many latent pixels neighbouring tiles overlap; they are blended there. At most
    /// half of `tile`.
    pub overlap: usize,
}

/// diffusers' for Stable Diffusion.
impl Default for Tiling {
    fn default() -> Self {
        Self {
            tile: 64,
            overlap: 16,
        }
    }
}

impl<B: MpmBackend> AutoencoderKl<B> {
    /// As [`decode`](Self::decode), tile by tile: memory grows with the tile, not with the
    /// picture.
    ///
    /// Norms and attention see one tile at a time, so the result differs a little from that
    /// of the whole; the overlap hides the seams. Latents that fit into one tile give the
    /// same.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] when the overlap is more than half of the tile; see
    /// [`decode`](Self::decode).
    pub fn decode_tiled(
        &self,
        latents: Tensor<B, 4>,
        tiling: Tiling,
    ) -> Result<Tensor<B, 4>, DiffusionError> {
        let Tiling { tile, overlap } = tiling;
        if tile == 0 || overlap > tile / 2 {
            return Err(DiffusionError::config(
                "tiling",
                format!("`overlap` is {overlap}, but must be at most half of `tile`, {tile}"),
            ));
        }
        let [_, _, height, width] = latents.dims();
        if height <= tile && width <= tile {
            return self.decode(latents);
        }
        let blended = overlap * self.downsampling();
        let mut rows: Vec<Tensor<B, 4>> = Vec::new();
        for row in spans(height, tiling) {
            let strip = latents.clone().narrow(2, row.start, row.len());
            let mut parts: Vec<Tensor<B, 4>> = Vec::new();
            for column in spans(width, tiling) {
                let part = self.decode(strip.clone().narrow(3, column.start, column.len()))?;
                join(&mut parts, part, 3, blended);
            }
            join(&mut rows, Tensor::cat(parts, 3), 2, blended);
        }
        Ok(Tensor::cat(rows, 2))
    }
}

/// Where the tiles of a side lie. The last one may be shorter, but is longer than the overlap.
fn spans(side: usize, Tiling { tile, overlap }: Tiling) -> Vec<std::ops::Range<usize>> {
    let stride = tile - overlap;
    let mut spans = Vec::new();
    let mut start = 0;
    while start + tile < side {
        spans.push(start..start + tile);
        start += stride;
    }
    spans.push(start..side);
    spans
}

/// Appends a part whose first `blended` pixels along `dim` lie over the end of what is there,
/// passing over from one to the other linearly.
fn join<B: Backend>(parts: &mut Vec<Tensor<B, 4>>, part: Tensor<B, 4>, dim: usize, blended: usize) {
    let Some(last) = parts.pop_if(|_| blended > 0) else {
        return parts.push(part);
    };
    let (before, size) = (last.dims()[dim], part.dims()[dim]);
    let weights: Vec<f32> = (0..blended).map(|i| i as f32 / blended as f32).collect();
    let mut shape = [1; 4];
    shape[dim] = blended;
    let weights = TensorData::new(weights, shape);
    let weights = Tensor::<B, 4>::from_data(weights, &part.device()).cast(part.dtype());
    let over = last.clone().narrow(dim, before - blended, blended);
    let under = part.clone().narrow(dim, 0, blended);
    let seam = over.clone() + (under - over) * weights;
    if before > blended {
        parts.push(last.narrow(dim, 0, before - blended));
    }
    parts.push(seam);
    if size > blended {
        parts.push(part.narrow(dim, blended, size - blended));
    }
}
