//! Attention with a bias and a mask, in one launch and without the scores in memory.
//!
//! A cube takes a head and some of its queries, and goes through the keys tile by tile with the
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
const FEW_QUERIES: usize = 8;

/// Unless there are more scores than these, a GiB of f32: they are never in memory here.
const SCORES_IN_MEMORY: usize = 1 << 28;

/// What the kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Form {
    /// Lanes of a plane, and keys of a tile.
    lanes: usize,
    /// Queries of a plane.
    rows: usize,
    dim_head: usize,
    dim_value: usize,
    bias: bool,
    hidden: bool,
}

impl Form {
    /// Queries of a cube.
    fn queries(self) -> usize {
        self.rows * PLANES as usize
    }

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
        tile + self.queries() * self.dim_head * size_of::<f32>()
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
    let (lanes, rows, parts) = (
        comptime!(form.lanes),
        comptime!(form.rows),
        comptime!(form.parts()),
    );
    let (dim_head, dim_value) = (comptime!(form.dim_head), comptime!(form.dim_value));
    let width = comptime!(form.tile_width());
    let of_cube = comptime!(form.queries());
    let (lane, plane) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);

    let tiles = len_q.div_ceil(of_cube);
    let first_of_cube = CUBE_POS % tiles * of_cube;
    let head = CUBE_POS / tiles % heads;
    let batch = CUBE_POS / tiles / heads;
    // all lanes of a cube are of one batch
    if batch < query.shape(0) {
        let mut queries = SharedMemory::<f32>::new(comptime!(of_cube * dim_head));
        let mut tile = SharedMemory::<X>::new(comptime!(lanes * width));
        let from = batch * query.stride(0) + head * query.stride(1);
        let mut i = UNIT_POS as usize;
        while i < of_cube * dim_head {
            let (row, d) = (first_of_cube + i / dim_head, i % dim_head);
            queries[i] = f32::new(0.0);
            if row < len_q {
                let at = from + row * query.stride(2) + d * query.stride(3);
                queries[i] = f32::cast_from(query[at]) * scale;
            }
            i += CUBE_DIM as usize;
        }

        let first = first_of_cube + plane * rows;
        let mut greatest = Array::<f32>::new(rows);
        let mut sums = Array::<f32>::new(rows);
        let mut shares = Array::<f32>::new(rows);
        let mut outputs = Array::<f32>::new(comptime!(rows * parts));
        #[unroll]
        for row in 0..rows {
            greatest[row] = LOWEST.runtime();
            sums[row] = f32::new(0.0);
        }
        #[unroll]
        for i in 0..rows * parts {
            outputs[i] = f32::new(0.0);
        }

        let mut start = 0usize.runtime();
        while start < len_k {
            sync_cube();
            load_tile::<X>(key, &mut tile, batch, head, start, dim_head, width, form);
            sync_cube();
            #[unroll]
            for row in 0..rows {
                shares[row] = f32::new(0.0);
            }
            for d in 0..dim_head {
                let key = f32::cast_from(tile[lane * width + d]);
                #[unroll]
                for row in 0..rows {
                    shares[row] += queries[(plane * rows + row) * dim_head + d] * key;
                }
            }
            #[unroll]
            for row in 0..rows {
                let at = start + lane;
                let mut seen = at < len_k;
                // rows beyond the last repeat it, and are not written
                let (q, k) = (least(first + row, len_q - 1), least(at, len_k - 1));
                let mut score = shares[row];
                if comptime!(form.bias) {
                    score += f32::cast_from(bias[broadcast::<A>(bias, batch, head, q, k)]);
                }
                if comptime!(form.hidden) {
                    let place = broadcast::<M>(hidden, batch, head, q, k);
                    seen = seen && hidden[place] == M::from_int(0);
                }
                let score = select(seen, score, LOWEST.runtime());
                let before = greatest[row];
                let now = max(before, plane_max(score));
                let share = select(seen, f32::exp(score - now), f32::new(0.0));
                let shrink = f32::exp(before - now);
                greatest[row] = now;
                sums[row] = sums[row] * shrink + plane_sum(share);
                shares[row] = share;
                #[unroll]
                for part in 0..parts {
                    outputs[row * parts + part] *= shrink;
                }
            }
            sync_cube();
            load_tile::<X>(value, &mut tile, batch, head, start, dim_value, width, form);
            sync_cube();
            for key in 0..lanes {
                #[unroll]
                for row in 0..rows {
                    let share = plane_shuffle(shares[row], key as u32);
                    #[unroll]
                    for part in 0..parts {
                        let value = f32::cast_from(tile[key * width + part * lanes + lane]);
                        outputs[row * parts + part] += share * value;
                    }
                }
            }
            start += lanes;
        }

        #[unroll]
        for row in 0..rows {
            // a query that sees no key gets zeros
            let inverse = select(sums[row] > 0.0, 1.0 / sums[row], f32::new(0.0));
            #[unroll]
            for part in 0..parts {
                let d = part * lanes + lane;
                if first + row < len_q && d < dim_value {
                    let at = ((batch * heads + head) * len_q + first + row) * dim_value + d;
                    output[at] = X::cast_from(outputs[row * parts + part] * inverse);
                }
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
    #[comptime] width: usize,
    #[comptime] form: Form,
) {
    let from = batch * x.stride(0) + head * x.stride(1);
    let mut i = UNIT_POS as usize;
    while i < comptime!(form.lanes * width) {
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
    let few = len_q <= FEW_QUERIES;
    if !few && batch * heads * len_q * len_k <= SCORES_IN_MEMORY {
        return None;
    }
    let form = Form {
        lanes: plane_size(client)? as usize,
        rows: if few { 1 } else { 4 },
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
    let tiles = len_q.div_ceil(form.queries());
    // SAFETY: the shapes fit each other, all strides are taken from the tensors, and cubes beyond
    // the batch do nothing
    unsafe {
        attend::launch_unchecked::<R>(
            client,
            cubes(client, batch * heads * tiles),
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
