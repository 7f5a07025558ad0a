//! Copying the values of a tensor out of its file, cast on the way.

use std::io;

use burn::tensor::{DType, Element, TensorData};
use half::{
    bf16, f16,
    slice::{HalfBitsSliceExt, HalfFloatSliceExt},
};
use safetensors::Dtype;

use super::StoredTensor;

/// Bytes that are read at a time: few enough to stay in the cache until they are converted.
const CHUNK: usize = 256 << 10;

/// The values in row-major order and in the file's dtype.
pub(super) fn read(tensor: &StoredTensor) -> io::Result<TensorData> {
    match tensor.dtype() {
        Dtype::F64 => decoded(tensor, f64::from_le_bytes),
        Dtype::F32 => decoded(tensor, f32::from_le_bytes),
        Dtype::F16 => decoded(tensor, f16::from_le_bytes),
        Dtype::BF16 => decoded(tensor, bf16::from_le_bytes),
        Dtype::U32 => decoded(tensor, u32::from_le_bytes),
        Dtype::I64 => decoded(tensor, i64::from_le_bytes),
        Dtype::I32 => decoded(tensor, i32::from_le_bytes),
        Dtype::I16 => decoded(tensor, i16::from_le_bytes),
        Dtype::I8 => decoded(tensor, i8::from_le_bytes),
        Dtype::U8 => decoded(tensor, u8::from_le_bytes),
        Dtype::BOOL => decoded(tensor, |[byte]| byte != 0),
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
        DType::U32 if tensor.dtype() == Dtype::I32 => decoded(tensor, u32::from_le_bytes),
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

fn decoded<E: Element, const SIZE: usize>(
    tensor: &StoredTensor,
    decode: impl Fn([u8; SIZE]) -> E,
) -> io::Result<TensorData> {
    let mut values = Vec::with_capacity(tensor.num_elements());
    tensor.for_each_chunk(CHUNK, |bytes| {
        let raw = bytes.as_chunks::<SIZE>().0.iter();
        values.extend(raw.map(|&raw| decode(raw)));
    })?;
    Ok(TensorData::new(values, tensor.shape().to_vec()))
}

/// Casts values through f32; those from `beyond` on become infinite.
fn cast<E: Element + Default>(
    tensor: &StoredTensor,
    beyond: f64,
    narrow: impl Fn(&mut [E], &[f32]),
) -> io::Result<TensorData> {
    let mut values = Vec::with_capacity(tensor.num_elements());
    let (mut halves, mut wide) = (Vec::new(), Vec::new());
    let mut checked = Ok(());
    tensor.for_each_chunk(CHUNK, |bytes| {
        widen(tensor.dtype(), bytes, &mut halves, &mut wide);
        if checked.is_ok() {
            checked = require_below(&wide, beyond);
        }
        let start = values.len();
        values.resize(start + wide.len(), E::default());
        narrow(&mut values[start..], &wide);
    })?;
    checked?;
    Ok(TensorData::new(values, tensor.shape().to_vec()))
}

/// Makes `wide` of values of the file; `halves` is room for those in between.
fn widen(dtype: Dtype, bytes: &[u8], halves: &mut Vec<u16>, wide: &mut Vec<f32>) {
    wide.clear();
    if dtype == Dtype::F32 {
        let raw = bytes.as_chunks().0.iter();
        return wide.extend(raw.map(|&raw| f32::from_le_bytes(raw)));
    }
    halves.clear();
    let raw = bytes.as_chunks().0.iter();
    halves.extend(raw.map(|&raw| u16::from_le_bytes(raw)));
    wide.resize(halves.len(), 0.0);
    let halves = halves.as_slice();
    match dtype {
        Dtype::F16 => halves.reinterpret_cast::<f16>().convert_to_f32_slice(wide),
        _ => halves.reinterpret_cast::<bf16>().convert_to_f32_slice(wide),
    }
}
