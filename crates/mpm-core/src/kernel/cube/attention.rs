//! Attention with a bias and a mask, in one launch and without the scores in memory.
//!
//! A cube takes a head, each of its planes a query, and goes through the keys tile by tile with the
//! running maximum and sum of the softmax (FlashAttention, <https://arxiv.org/abs/2205.14135>).
//! Each lane of a plane scores one key of a tile; then each has a part of the value's width.

use burn::tensor::DType;
use burn_cubecl::{CubeRuntime, tensor::CubeTensor};
use cubecl::prelude::*;

use super::launch::{PLANES, address_type, cube_of_planes, cubes, empty, plane_size};

/// Below every score.
const LOWEST: f32 = -1.0e30;

/// So few queries, while tokens are generated, cost as many launches as thousands. More are left
/// to matrix products, which have tensor cores.
const FEW_QUERIES: usize = PLANES as usize;

/// What the kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Form {
    /// Lanes of a plane, and keys of a tile.
    lanes: usize,
    dim_head: usize,
    dim_value: usize,
    bias: bool,
    hidden: bool,
}

impl Form {
    /// Parts of a value's width that a lane has.
    fn parts(self) -> usize {
        self.dim_value.div_ceil(self.lanes)
    }

    /// Width of a tile in shared memory: odd, so that the lanes read from different banks.
    fn tile_width(self) -> usize {
        self.dim_head.max(self.parts() * self.lanes) | 1
    }

    /// Bytes of shared memory, for tiles whose elements have so many.
    fn shared_memory(self, element: usize) -> usize {
        let tile = self.lanes * self.tile_width() * element;
        tile + FEW_QUERIES * self.dim_head * size_of::<f32>()
    }
}

/// The place of a score in a tensor that is broadcast to all of them.
#[cube]
fn broadcast<E: Numeric>(
    x: &Tensor<E>,
    batch: usize,
    head: usize,
    query: usize,
    key: usize,
) -> usize {
    place::<E>(x, 0, batch)
        + place::<E>(x, 1, head)
        + place::<E>(x, 2, query)
        + place::<E>(x, 3, key)
}

#[cube]
fn place<E: Numeric>(x: &Tensor<E>, dim: usize, index: usize) -> usize {
    if x.shape(dim) == 1 {
        0usize.runtime()
    } else {
        index * x.stride(dim)
    }
}

#[cube(launch_unchecked, address_type = "dynamic")]
fn attend<X: Float, A: Float, M: Int>(
    query: &Tensor<X>,
    key: &Tensor<X>,
    value: &Tensor<X>,
    bias: &Tensor<A>,
    hidden: &Tensor<M>,
    output: &mut Tensor<X>,
    scale: f32,
    #[comptime] form: Form,
    #[define(X, A, M)] _dtypes: [StorageType; 3],
) {
    let (heads, len_q, len_k) = (query.shape(1), query.shape(2), key.shape(2));
    let (lanes, parts) = (comptime!(form.lanes), comptime!(form.parts()));
    let (dim_head, dim_value) = (comptime!(form.dim_head), comptime!(form.dim_value));
    let width = comptime!(form.tile_width());
    let (lane, row) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let (batch, head) = (CUBE_POS / heads, CUBE_POS % heads);
    // all lanes of a cube are of one batch
    if batch < query.shape(0) {
        let mut queries = SharedMemory::<f32>::new(comptime!(PLANES as usize * dim_head));
        let mut tile = SharedMemory::<X>::new(comptime!(lanes * width));
        // planes beyond the last query repeat it, and write nothing
        let q = least(row, len_q - 1);
        let from = batch * query.stride(0) + head * query.stride(1) + q * query.stride(2);
        let mut d = lane;
        while d < dim_head {
            let value = f32::cast_from(query[from + d * query.stride(3)]);
            queries[row * dim_head + d] = value * scale;
            d += lanes;
        }

        let mut greatest = LOWEST.runtime();
        let mut sum = f32::new(0.0);
        let mut outputs = Array::<f32>::new(parts);
        #[unroll]
        for part in 0..parts {
            outputs[part] = f32::new(0.0);
        }
        let mut start = 0usize.runtime();
        while start < len_k {
            sync_cube();
            load_tile::<X>(key, &mut tile, batch, head, start, dim_head, form);
            sync_cube();
            let mut score = f32::new(0.0);
            for d in 0..dim_head {
                score += queries[row * dim_head + d] * f32::cast_from(tile[lane * width + d]);
            }
            let mut seen = start + lane < len_k;
            let k = least(start + lane, len_k - 1);
            if comptime!(form.bias) {
                score += f32::cast_from(bias[broadcast::<A>(bias, batch, head, q, k)]);
            }
            if comptime!(form.hidden) {
                seen = seen && hidden[broadcast::<M>(hidden, batch, head, q, k)] == M::from_int(0);
            }
            let score = select(seen, score, LOWEST.runtime());
            let now = max(greatest, plane_max(score));
            let share = select(seen, f32::exp(score - now), f32::new(0.0));
            let shrink = f32::exp(greatest - now);
            sum = sum * shrink + plane_sum(share);
            greatest = now;
            sync_cube();
            load_tile::<X>(value, &mut tile, batch, head, start, dim_value, form);
            sync_cube();
            #[unroll]
            for part in 0..parts {
                outputs[part] *= shrink;
            }
            for key in 0..lanes {
                let share = plane_shuffle(share, key as u32);
                #[unroll]
                for part in 0..parts {
                    let value = tile[key * width + part * lanes + lane];
                    outputs[part] += share * f32::cast_from(value);
                }
            }
            start += lanes;
        }

        // a query that sees no key gets zeros
        let inverse = select(sum > 0.0, 1.0 / sum, f32::new(0.0));
        #[unroll]
        for part in 0..parts {
            let d = part * lanes + lane;
            if row < len_q && d < dim_value {
                let at = ((batch * heads + head) * len_q + row) * dim_value + d;
                output[at] = X::cast_from(outputs[part] * inverse);
            }
        }
    }
}

/// Keys or values from `start` on, with zeros behind the last and beside their width.
#[cube]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel has no structs of tensors"
)]
fn load_tile<X: Float>(
    x: &Tensor<X>,
    tile: &mut SharedMemory<X>,
    batch: usize,
    head: usize,
    start: usize,
    #[comptime] dim: usize,
    #[comptime] form: Form,
) {
    let width = comptime!(form.tile_width());
    let from = batch * x.stride(0) + head * x.stride(1);
    let mut i = UNIT_POS as usize;
    while i < comptime!(form.lanes * form.tile_width()) {
        let (token, d) = (start + i / width, i % width);
        tile[i] = X::new(0.0);
        if token < x.shape(2) && d < dim {
            tile[i] = x[from + token * x.stride(2) + d * x.stride(3)];
        }
        i += CUBE_DIM as usize;
    }
}

#[cube]
fn least(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

/// Attention, if the device can and it is worth it; see [`attention`](crate::kernel::attention()).
pub(super) fn attention<R: CubeRuntime>(
    query: &CubeTensor<R>,
    key: &CubeTensor<R>,
    value: &CubeTensor<R>,
    bias: Option<&CubeTensor<R>>,
    hidden: Option<&CubeTensor<R>>,
    scale: f64,
) -> Option<CubeTensor<R>> {
    let client = &query.client;
    let [batch, heads, len_q, dim_head] = query.meta.shape().dims();
    let [_, _, len_k, dim_value] = value.meta.shape().dims();
    let is_mixed = [key, value].iter().any(|x| x.dtype != query.dtype);
    if len_q > FEW_QUERIES || is_mixed {
        return None;
    }
    let form = Form {
        lanes: plane_size(client)? as usize,
        dim_head,
        dim_value,
        bias: bias.is_some(),
        hidden: hidden.is_some(),
    };
    let memory = client.properties().hardware.max_shared_memory_size;
    if form.shared_memory(query.dtype.size()) > memory || len_k == 0 {
        return None;
    }
    let output = empty(query, [batch, heads, len_q, dim_value], query.dtype);
    if output.meta.num_elements() == 0 {
        return Some(output);
    }
    // what is absent is never read
    let mask_type = hidden.map_or(DType::U32, |hidden| hidden.dtype);
    let (bias, hidden) = (bias.unwrap_or(query), hidden.unwrap_or(query));
    // SAFETY: the shapes and dtypes fit each other, all strides are taken from the tensors, and cubes beyond
    // the batch do nothing
    unsafe {
        attend::launch_unchecked::<R>(
            client,
            cubes(client, batch * heads),
            cube_of_planes(form.lanes as u32),
            address_type(&[query, key, value, bias, hidden, &output]),
            query.clone().into_tensor_arg(),
            key.clone().into_tensor_arg(),
            value.clone().into_tensor_arg(),
            bias.clone().into_tensor_arg(),
            hidden.clone().into_tensor_arg(),
            output.clone().into_tensor_arg(),
            scale as f32,
            form,
            [query.dtype.into(), bias.dtype.into(), mask_type.into()],
        );
    }
    Some(output)
}
