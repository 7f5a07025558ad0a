//! One tensor of a weight file, not read yet.

use std::{ops::Range, sync::Arc};

use burn::tensor::{DType, TensorData};
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::Dtype;

/// Where a tensor lies in a mapped file. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct StoredTensor {
    dtype: Dtype,
    /// The same for Burn.
    burn_dtype: DType,
    shape: Vec<usize>,
    /// In elements; PyTorch may store a transposed or sliced view.
    strides: Vec<usize>,
    /// Byte offset of the first element.
    offset: usize,
    file: Arc<Mmap>,
}

impl StoredTensor {
    /// A tensor in row-major order over `bytes` of `file`; `None` when the
    /// range does not lie in the file or is not as long as the shape needs, or where
    /// [`burn_dtype`] knows no such dtype.
    pub(super) fn contiguous(
        dtype: Dtype,
        shape: Vec<usize>,
        bytes: Range<usize>,
        file: Arc<Mmap>,
    ) -> Option<Self> {
        let strides = row_major_strides(&shape)?;
        let tensor = Self::strided(dtype, shape, strides, bytes.clone(), 0, file)?;
        (tensor.byte_len() == bytes.len()).then_some(tensor)
    }

    /// A view of the storage that fills `storage` of `file`, beginning
    /// `element_offset` elements into it; `None` when it reaches beyond, or where
    /// [`burn_dtype`] knows no such dtype.
    pub(super) fn strided(
        dtype: Dtype,
        shape: Vec<usize>,
        strides: Vec<usize>,
        storage: Range<usize>,
        element_offset: usize,
        file: Arc<Mmap>,
    ) -> Option<Self> {
        if storage.end > file.len() || storage.start > storage.end || shape.len() != strides.len() {
            return None;
        }
        let burn_dtype = burn_dtype(dtype)?;
        let size = burn_dtype.size();
        shape
            .iter()
            .try_fold(size, |bytes, &dim| bytes.checked_mul(dim))?;
        let offset = element_offset
            .checked_mul(size)?
            .checked_add(storage.start)?;
        if shape.iter().all(|&dim| dim > 0) {
            let mut last = 0usize;
            for (&dim, &stride) in shape.iter().zip(&strides) {
                last = last.checked_add((dim - 1).checked_mul(stride)?)?;
            }
            let end = last
                .checked_add(1)?
                .checked_mul(size)?
                .checked_add(offset)?;
            if end > storage.end {
                return None;
            }
        }
        Some(Self {
            dtype,
            burn_dtype,
            shape,
            strides,
            offset,
            file,
        })
    }

    /// The dtype in the file.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The dtype of the values that [`read`](Self::read) returns.
    pub(super) fn burn_dtype(&self) -> DType {
        self.burn_dtype
    }

    /// The shape, outermost dimension first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The size of the values in bytes.
    pub fn byte_len(&self) -> usize {
        self.num_elements() * self.burn_dtype.size()
    }

    /// Copies the values out of the file, in row-major order and in the
    /// file's dtype.
    pub fn read(&self) -> TensorData {
        let data = self.copied();
        self.release();
        data
    }

    /// Gives the pages of the values back: what was read of a file counts as the process's
    /// memory as long as it is mapped, and would double that of a model that is loaded.
    fn release(&self) {
        #[cfg(unix)]
        if self.num_elements() > 0 {
            // A view can have more elements than its storage.
            let len = self.byte_len().min(self.file.len() - self.offset);
            // SAFETY: the range is within the map, which is read only and of a file: whoever
            // reads a page that was given back finds the file's bytes in it again.
            let released = unsafe {
                let advice = memmap2::UncheckedAdvice::DontNeed;
                self.file.unchecked_advise_range(advice, self.offset, len)
            };
            // It is no more than advice.
            drop(released);
        }
    }

    fn copied(&self) -> TensorData {
        match self.dtype {
            Dtype::F64 => self.gather::<f64, 8>(f64::from_le_bytes),
            Dtype::F32 => self.gather::<f32, 4>(f32::from_le_bytes),
            Dtype::F16 => self.gather::<f16, 2>(f16::from_le_bytes),
            Dtype::BF16 => self.gather::<bf16, 2>(bf16::from_le_bytes),
            Dtype::I64 => self.gather::<i64, 8>(i64::from_le_bytes),
            Dtype::I32 => self.gather::<i32, 4>(i32::from_le_bytes),
            Dtype::I16 => self.gather::<i16, 2>(i16::from_le_bytes),
            Dtype::I8 => self.gather::<i8, 1>(i8::from_le_bytes),
            Dtype::U8 => self.gather::<u8, 1>(u8::from_le_bytes),
            Dtype::BOOL => self.gather::<bool, 1>(|[byte]| byte != 0),
            other => unreachable!("no tensor of dtype {other:?} passes `strided`"),
        }
    }

    fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn gather<E: burn::tensor::Element, const SIZE: usize>(
        &self,
        decode: impl Fn([u8; SIZE]) -> E,
    ) -> TensorData {
        let count = self.num_elements();
        if count == 0 {
            return TensorData::new(Vec::<E>::new(), self.shape.clone());
        }
        let bytes = &self.file[self.offset..];
        let element = |index: usize| {
            let mut raw = [0; SIZE];
            raw.copy_from_slice(&bytes[index * SIZE..(index + 1) * SIZE]);
            decode(raw)
        };
        let values: Vec<E> = if row_major_strides(&self.shape).as_ref() == Some(&self.strides) {
            bytes[..count * SIZE]
                .as_chunks::<SIZE>()
                .0
                .iter()
                .map(|&raw| decode(raw))
                .collect()
        } else {
            let mut position = vec![0; self.shape.len()];
            (0..count)
                .map(|_| {
                    let index = position.iter().zip(&self.strides).map(|(p, s)| p * s).sum();
                    advance(&mut position, &self.shape);
                    element(index)
                })
                .collect()
        };
        TensorData::new(values, self.shape.clone())
    }
}

/// The dtype that Burn gives the values; `None` for what it cannot hold.
pub(super) fn burn_dtype(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::I8 => DType::I8,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool(burn::tensor::BoolStore::Native),
        _ => return None,
    })
}

fn row_major_strides(shape: &[usize]) -> Option<Vec<usize>> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = usize::checked_mul(strides[axis], shape[axis])?;
    }
    Some(strides)
}

/// Moves a row-major position on by one.
fn advance(position: &mut [usize], shape: &[usize]) {
    for axis in (0..shape.len()).rev() {
        position[axis] += 1;
        if position[axis] < shape[axis] {
            return;
        }
        position[axis] = 0;
    }
}
