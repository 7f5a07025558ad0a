//! Copying the values of a tensor out of its file, cast on the way.
//!
//! Pieces of a tensor are read at the same time, straight to where they stay: most of the time goes
//! into pages of the memory that are touched for the first time, and one thread alone is slower at
//! that than many disks.

use std::io;

use burn::tensor::{DType, Element, TensorData};
use bytemuck::{Pod, Zeroable, allocation::zeroed_vec};
use half::{
    bf16, f16,
    slice::{HalfBitsSliceExt, HalfFloatSliceExt},
};
use rayon::prelude::*;
use safetensors::Dtype;

use super::{StoredTensor, tensor::StoredBytes};

/// Values that are read at a time: few enough to stay in the cache until they are converted.
const PIECE: usize = 128 << 10;

/// The values in row-major order and in the file's dtype.
pub(super) fn read(tensor: &StoredTensor) -> io::Result<TensorData> {
    match tensor.dtype() {
        Dtype::F64 => read_numbers::<f64>(tensor),
        Dtype::F32 => read_numbers::<f32>(tensor),
        Dtype::F16 => read_numbers::<f16>(tensor),
        Dtype::BF16 => read_numbers::<bf16>(tensor),
        Dtype::U32 => read_numbers::<u32>(tensor),
        Dtype::I64 => read_numbers::<i64>(tensor),
        Dtype::I32 => read_numbers::<i32>(tensor),
        Dtype::I16 => read_numbers::<i16>(tensor),
        Dtype::I8 => read_numbers::<i8>(tensor),
        Dtype::U8 => read_numbers::<u8>(tensor),
        Dtype::BOOL => read_booleans(tensor),
        other => unreachable!("no tensor of dtype {other:?} is ever listed"),
    }
}

/// From here on, numbers become infinite as f16: halfway beyond its largest.
const BEYOND_F16: f64 = 65_520.0;

/// The same for bf16.
const BEYOND_BF16: f64 = 3.396_177_5e38;

/// The values in row-major order and in another dtype, without a copy of them in the file's. Signed
/// numbers of 32 bits are taken bit by bit for unsigned ones.
pub(super) fn read_as(tensor: &StoredTensor, dtype: DType) -> io::Result<TensorData> {
    let is_short = matches!(tensor.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16);
    match dtype {
        _ if dtype == tensor.burn_dtype() => read(tensor),
        DType::F32 if is_short => cast(tensor, f64::INFINITY, <[f32]>::copy_from_slice),
        DType::F16 if is_short => cast(tensor, BEYOND_F16, <[f16]>::convert_from_f32_slice),
        DType::BF16 if is_short => cast(tensor, BEYOND_BF16, <[bf16]>::convert_from_f32_slice),
        DType::U32 if tensor.dtype() == Dtype::I32 => read_numbers::<u32>(tensor),
        _ => converted(read(tensor)?, dtype),
    }
}

/// The values in another dtype, all of them at once.
pub(super) fn converted(values: TensorData, dtype: DType) -> io::Result<TensorData> {
    let beyond = match dtype {
        DType::F16 => BEYOND_F16,
        DType::BF16 => BEYOND_BF16,
        _ => f64::INFINITY,
    };
    if let Ok(wide) = values.as_slice::<f64>() {
        require_below(wide, beyond)?;
    } else if let Ok(wide) = values.as_slice::<f32>() {
        require_below(wide, beyond)?;
    }
    Ok(values.convert_dtype(dtype))
}

/// Refuses finite values that would become infinite, as they would spoil every output without a
/// word. Infinite ones are the file's own.
fn require_below<E: Float>(values: &[E], beyond: f64) -> io::Result<()> {
    if beyond.is_infinite() {
        return Ok(());
    }
    let (beyond, infinity) = (E::of(beyond), E::of(f64::INFINITY));
    // No early end, so that many are compared at a time.
    let spoilt = values.iter().fold(false, |spoilt, value| {
        let size = value.size();
        spoilt | ((size >= beyond) & (size < infinity))
    });
    match spoilt {
        false => Ok(()),
        true => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it has values that are too large for this dtype and would become infinite; cast it \
             to bf16, or to f32",
        )),
    }
}

/// What [`require_below`] needs of f32 and f64.
trait Float: Copy + PartialOrd {
    fn of(value: f64) -> Self;
    fn size(self) -> Self;
}

impl Float for f32 {
    fn of(value: f64) -> Self {
        value as Self
    }

    fn size(self) -> Self {
        self.abs()
    }
}

impl Float for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn size(self) -> Self {
        self.abs()
    }
}

/// Values that are in the file as they are in the memory.
fn read_numbers<E: Element + Pod>(tensor: &StoredTensor) -> io::Result<TensorData> {
    collect(tensor, read_piece::<E>)
}

fn read_booleans(tensor: &StoredTensor) -> io::Result<TensorData> {
    collect(tensor, |stored, start, values: &mut [bool]| {
        let mut bytes = vec![0u8; values.len()];
        read_piece(stored, start, &mut bytes)?;
        for (value, byte) in values.iter_mut().zip(bytes) {
            *value = byte != 0;
        }
        Ok(())
    })
}

/// Casts values through f32; those from `beyond` on become infinite.
fn cast<E: Element + Zeroable>(
    tensor: &StoredTensor,
    beyond: f64,
    narrow: impl Fn(&mut [E], &[f32]) + Sync,
) -> io::Result<TensorData> {
    collect(tensor, |stored, start, values| {
        let wide = read_wide(tensor.dtype(), stored, start, values.len())?;
        require_below(&wide, beyond)?;
        narrow(values, &wide);
        Ok(())
    })
}

/// `count` floating-point values of the file, from number `start` on.
fn read_wide(
    dtype: Dtype,
    stored: &StoredBytes<'_>,
    start: usize,
    count: usize,
) -> io::Result<Vec<f32>> {
    let mut wide = vec![0.0; count];
    if dtype == Dtype::F32 {
        read_piece(stored, start, &mut wide)?;
        return Ok(wide);
    }
    let mut halves = vec![0u16; count];
    read_piece(stored, start, &mut halves)?;
    match dtype {
        Dtype::F16 => halves
            .reinterpret_cast::<f16>()
            .convert_to_f32_slice(&mut wide),
        _ => halves
            .reinterpret_cast::<bf16>()
            .convert_to_f32_slice(&mut wide),
    }
    Ok(wide)
}

/// Makes values of a tensor's bytes, several pieces at the same time. `make` gets the number of the
/// first value of a piece and the values that it is to set.
fn collect<E: Element + Zeroable>(
    tensor: &StoredTensor,
    make: impl Fn(&StoredBytes<'_>, usize, &mut [E]) -> io::Result<()> + Sync,
) -> io::Result<TensorData> {
    let stored = tensor.bytes()?;
    let mut values = zeroed_vec(tensor.num_elements());
    let pieces = values.par_chunks_mut(PIECE).enumerate();
    pieces.try_for_each(|(index, piece)| make(&stored, index * PIECE, piece))?;
    Ok(TensorData::new(values, tensor.shape().to_vec()))
}

/// Reads values as they are in the file, from number `start` on.
fn read_piece<E: Pod>(stored: &StoredBytes<'_>, start: usize, values: &mut [E]) -> io::Result<()> {
    let bytes = bytemuck::cast_slice_mut(values);
    stored.read(start * size_of::<E>(), bytes)?;
    // Files have the lowest byte first.
    if cfg!(target_endian = "big") {
        bytes.chunks_mut(size_of::<E>()).for_each(<[u8]>::reverse);
    }
    Ok(())
}
