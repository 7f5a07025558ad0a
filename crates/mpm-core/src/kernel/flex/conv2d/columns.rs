//! What the kernel sees at each pixel of the output, as columns of a matrix.

use std::ops::Range;

use super::{
    super::number::{Number, Rows},
    geometry::Geometry,
};

/// The pixels of whole rows of the output, in some pictures.
pub(super) struct Pixels<'a> {
    pub geometry: &'a Geometry,
    pub pictures: Range<usize>,
    pub rows: Range<usize>,
}

impl Pixels<'_> {
    pub fn len(&self) -> usize {
        self.pictures.len() * self.rows.len() * self.geometry.output[1]
    }

    /// A row for each tap of the kernel on each of the channels, a column for each pixel: in
    /// `values`, or where they lie in `x`.
    pub fn columns<'a, T: Number>(
        &self,
        x: &'a [T],
        channels: Range<usize>,
        values: &'a mut [f32],
    ) -> Rows<'a> {
        let geometry = self.geometry;
        let area = geometry.area_in();
        let width = geometry.output[1];
        let len = self.len();
        let untouched = geometry.kernel == [1, 1] && geometry.stride == 1 && geometry.padding == 0;
        if let Some(x) = T::as_f32(x).filter(|_| untouched && self.pictures.len() == 1) {
            let first = self.pictures.start * geometry.c_in + channels.start;
            return Rows {
                data: &x[first * area + self.rows.start * width..],
                stride: area,
            };
        }
        let taps = geometry.taps();
        let mut buffer = Vec::new();
        let per_picture = self.rows.len() * width;
        let seen = self.seen();
        let mut rows = values.chunks_exact_mut(len);
        for channel in channels {
            let mut rows: Vec<_> = rows.by_ref().take(taps).collect();
            for (i, picture) in self.pictures.clone().enumerate() {
                let plane = &x[(picture * geometry.c_in + channel) * area..][..area];
                let plane = &plane[seen.start * geometry.input[1]..seen.end * geometry.input[1]];
                let plane = T::rows(plane, plane.len(), 1, plane.len(), &mut buffer).data;
                for (tap, row) in rows.iter_mut().enumerate() {
                    let row = &mut row[i * per_picture..][..per_picture];
                    self.tap(plane, seen.clone(), tap, row);
                }
            }
        }
        Rows {
            data: values,
            stride: len,
        }
    }

    /// The rows of the input that the kernel sees.
    fn seen(&self) -> Range<usize> {
        let Geometry {
            input: [height, _],
            kernel,
            stride,
            padding,
            ..
        } = *self.geometry;
        let end = (self.rows.end - 1) * stride + kernel[0];
        let end = end.saturating_sub(padding).min(height);
        (self.rows.start * stride).saturating_sub(padding).min(end)..end
    }

    /// What one tap of the kernel sees of a channel of a picture, some rows of which are given.
    fn tap(&self, plane: &[f32], seen: Range<usize>, tap: usize, output: &mut [f32]) {
        let Geometry {
            input: [_, width],
            kernel,
            stride,
            padding,
            ..
        } = *self.geometry;
        let (down, right) = (tap / kernel[1], tap % kernel[1]);
        // columns of the output for which the tap lies within the picture
        let start = padding.saturating_sub(right).div_ceil(stride);
        let end = (width + padding).saturating_sub(right).div_ceil(stride);
        let rows = output.chunks_exact_mut(self.geometry.output[1]);
        for (y, output) in self.rows.clone().zip(rows) {
            let end = end.min(output.len());
            let row = (y * stride + down).checked_sub(padding);
            let Some(row) = row.filter(|row| seen.contains(row) && start < end) else {
                output.fill(0.0);
                continue;
            };
            let source = &plane[(row - seen.start) * width + start * stride + right - padding..];
            output[..start].fill(0.0);
            output[end..].fill(0.0);
            let output = &mut output[start..end];
            match stride {
                1 => output.copy_from_slice(&source[..output.len()]),
                2 => every_second(source, output),
                _ => {
                    for (x, &value) in output.iter_mut().zip(source.iter().step_by(stride)) {
                        *x = value;
                    }
                }
            }
        }
    }
}

/// Written so that it is compiled to vector instructions.
fn every_second(source: &[f32], output: &mut [f32]) {
    let (pairs, last) = source.as_chunks::<2>();
    for (x, pair) in output.iter_mut().zip(pairs) {
        *x = pair[0];
    }
    if let Some(x) = output.get_mut(pairs.len()) {
        *x = last[0];
    }
}
