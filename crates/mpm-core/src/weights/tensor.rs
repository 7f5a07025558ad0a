//! One tensor of a weight file, not read yet.

use std::{io, ops::Range, sync::Arc};

use burn::tensor::{DType, TensorData};
use safetensors::Dtype;

use super::{source::Source, values};

/// Where a tensor lies in an open file. Cloning is cheap.
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
    source: Arc<Source>,
}

impl StoredTensor {
    /// A tensor in row-major order over `bytes` of `source`; `None` when the
    /// range does not lie in the file or is not as long as the shape needs, or where
    /// [`burn_dtype`] knows no such dtype.
    pub(super) fn contiguous(
        dtype: Dtype,
        shape: Vec<usize>,
        bytes: Range<usize>,
        source: Arc<Source>,
    ) -> Option<Self> {
        let strides = row_major_strides(&shape)?;
        let tensor = Self::strided(dtype, shape, strides, bytes.clone(), 0, source)?;
        (tensor.byte_len() == bytes.len()).then_some(tensor)
    }

    /// A view of the storage that fills `storage` of `source`, beginning
    /// `element_offset` elements into it; `None` when it reaches beyond, or where
    /// [`burn_dtype`] knows no such dtype.
    pub(super) fn strided(
        dtype: Dtype,
        shape: Vec<usize>,
        strides: Vec<usize>,
        storage: Range<usize>,
        element_offset: usize,
        source: Arc<Source>,
    ) -> Option<Self> {
        if storage.end > source.len() || storage.start > storage.end || shape.len() != strides.len()
        {
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
            source,
        })
    }

    /// The dtype in the file.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The dtype of the values that [`read`](Self::read) returns.
    pub fn burn_dtype(&self) -> DType {
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
    ///
    /// # Errors
    /// Those of the file system; [`io::ErrorKind::UnexpectedEof`] when the file was cut off since
    /// it was opened.
    pub fn read(&self) -> io::Result<TensorData> {
        values::read(self)
    }

    /// As [`read`](Self::read), in another dtype. Floating-point numbers of 32 and 16 bits are
    /// cast piece by piece, so that the memory holds no second copy of them.
    ///
    /// # Errors
    /// As [`read`](Self::read), and [`io::ErrorKind::InvalidData`] for finite numbers that f16 or
    /// bf16 would make infinite.
    pub fn read_as(&self, dtype: DType) -> io::Result<TensorData> {
        values::read_as(self, dtype)
    }

    /// A part of the rows, the slices along the outermost dimension; `None` where there are not so
    /// many, or none that an offset could reach.
    pub(super) fn rows(&self, rows: Range<usize>) -> Option<Self> {
        let (&height, &stride) = (self.shape.first()?, self.strides.first()?);
        if rows.start > rows.end || rows.end > height {
            return None;
        }
        // Strides of an empty tensor may be any.
        let skipped = rows.start.checked_mul(stride)?;
        let skipped = skipped.checked_mul(self.burn_dtype.size())?;
        let mut part = self.clone();
        part.shape[0] = rows.len();
        part.offset = part.offset.checked_add(skipped)?;
        Some(part)
    }

    pub(super) fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Where the bytes of the values are read from, in row-major order.
    pub(super) fn bytes(&self) -> io::Result<StoredBytes<'_>> {
        if row_major_strides(&self.shape).as_ref() == Some(&self.strides) {
            return Ok(StoredBytes::InFile {
                source: &self.source,
                offset: self.offset,
            });
        }
        self.gathered().map(StoredBytes::Gathered)
    }

    /// The bytes of a view whose values do not lie one behind the other.
    fn gathered(&self) -> io::Result<Vec<u8>> {
        if self.num_elements() == 0 {
            return Ok(Vec::new());
        }
        let size = self.burn_dtype.size();
        let steps = self.shape.iter().zip(&self.strides);
        let last: usize = steps.map(|(&dim, &stride)| (dim - 1) * stride).sum();
        let mut stored = vec![0; (last + 1) * size];
        self.source.read_at(self.offset, &mut stored)?;
        let mut position = vec![0; self.shape.len()];
        let mut bytes = Vec::with_capacity(self.byte_len());
        for _ in 0..self.num_elements() {
            let steps = position.iter().zip(&self.strides);
            let index: usize = steps.map(|(at, stride)| at * stride).sum();
            bytes.extend_from_slice(&stored[index * size..(index + 1) * size]);
            advance(&mut position, &self.shape);
        }
        Ok(bytes)
    }
}

/// The bytes of a tensor's values in row-major order, which several threads read at once.
pub(super) enum StoredBytes<'a> {
    /// They lie in the file as they are.
    InFile { source: &'a Source, offset: usize },
    /// They were scattered over the file.
    Gathered(Vec<u8>),
}

impl StoredBytes<'_> {
    /// Fills `buffer` with those from `start` on.
    ///
    /// # Panics
    /// When the tensor has not so many.
    pub fn read(&self, start: usize, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::InFile { source, offset } => source.read_at(offset + start, buffer),
            Self::Gathered(bytes) => {
                buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
                Ok(())
            }
        }
    }
}

/// The dtype that Burn gives the values; `None` for what it cannot hold.
pub(super) fn burn_dtype(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::U32 => DType::U32,
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
