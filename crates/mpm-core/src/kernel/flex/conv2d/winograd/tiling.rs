//! The tiles of a convolution's output, and their transform to the points.

use std::{marker::PhantomData, ops::Range};

use super::{
    super::{
        super::{
            lines::{Interleave, LINE},
            math::dispatch,
            number::Number,
            planes::Cut,
            scratch::Scratch,
        },
        geometry::Geometry,
    },
    CHANNELS,
    stack::Stack,
    tiles::{Place, ToPoints},
    transform::{IN, OUT, Transform},
};

/// Tiles per part.
const TILES: usize = 128;

/// The tiles of the output, cut into parts of whole rows of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    pub cut: Cut,
    /// Tiles in a row.
    pub across: usize,
}

/// `[batch, channels, height, width]` of which tiles are made.
pub(super) struct Source<'a, T> {
    pub data: &'a [T],
    pub channels: usize,
    pub size: [usize; 2],
    /// Rows and columns of zeros above and to the left.
    pub padding: usize,
}

impl Tiling {
    pub fn new(geometry: &Geometry) -> Self {
        let [height, width] = geometry.output;
        let shape = [geometry.batch, geometry.c_out, height, width];
        Self {
            cut: Cut {
                channels_per_part: geometry.c_out.min(CHANNELS),
                ..Cut::new(shape, OUT, TILES * OUT * OUT)
            },
            across: width.div_ceil(OUT),
        }
    }

    /// Tiles of a part, at most.
    pub fn most_tiles(&self) -> usize {
        self.cut.pictures_per_part * self.cut.rows_per_part / OUT * self.across
    }

    /// Tiles of a part.
    pub fn tiles(&self, part: usize) -> usize {
        self.cut.pictures(part).len() * self.rows(part).len() * self.across
    }

    /// The rows of tiles of a part.
    pub fn rows(&self, part: usize) -> Range<usize> {
        let rows = self.cut.rows(part);
        rows.start / OUT..rows.end.div_ceil(OUT)
    }

    /// Where the tiles of a row of the `picture`-th picture of a part are, `width` lines in
    /// a row, in a stack of `columns`.
    pub fn place(
        &self,
        part: usize,
        [picture, row]: [usize; 2],
        width: usize,
        columns: usize,
    ) -> Place {
        Place {
            tiles: self.across,
            step: OUT,
            width,
            start: (picture * self.rows(part).len() + row) * self.across * columns,
        }
    }

    /// Writes the values at the points of a part's tiles, which are squares of `SIDE` pixels
    /// every [`OUT`] pixels, for one chunk of [`CHANNELS`] channels.
    pub fn write_points<N: Number, T: Transform<SIDE, IN>, const SIDE: usize>(
        &self,
        source: &Source<'_, N>,
        [part, chunk]: [usize; 2],
        stack: Stack,
        points: &mut [f32],
    ) {
        let ([height, width], padding) = (source.size, source.padding);
        let rows = self.rows(part);
        let line_width = self.across * OUT + SIDE - OUT;
        let line_count = (rows.len() * OUT + SIDE - OUT) * line_width;
        let mut lines = Scratch::new(line_count * LINE);
        // what is around the picture stays zero
        lines.fill(0.0);
        let lines = lines.as_chunks_mut().0;
        let mut buffer = Vec::new();
        let channels = chunk * CHANNELS..source.channels.min((chunk + 1) * CHANNELS);
        for channel in channels.clone().step_by(LINE) {
            let count = LINE.min(channels.end - channel);
            for (i, picture) in self.cut.pictures(part).enumerate() {
                let picture =
                    &source.data[(picture * source.channels + channel) * height * width..];
                for (row, lines) in lines.chunks_mut(line_width).enumerate() {
                    let row = (rows.start * OUT + row).checked_sub(padding);
                    let Some(row) = row.filter(|&row| row < height) else {
                        continue;
                    };
                    let picture = &picture[row * width..];
                    let values = N::rows(picture, height * width, count, width, &mut buffer);
                    dispatch(Interleave {
                        rows: values.data,
                        stride: values.stride,
                        count,
                        lines: &mut lines[padding..padding + width],
                    });
                }
                for row in 0..rows.len() {
                    let mut place = self.place(part, [i, row], line_width, stack.columns);
                    place.start += channel - channels.start;
                    dispatch(ToPoints {
                        lines: &lines[row * OUT * line_width..],
                        stack,
                        points: &mut *points,
                        place,
                        transform: PhantomData::<T>,
                    });
                }
            }
        }
    }
}
