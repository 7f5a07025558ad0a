//! Contact sheets.

use std::path::Path;

use emoji_training::BoxError;
use image::{ImageFormat, RgbImage};
use mpm_core::atomic;
use mpm_data::picture::Picture;

/// Pixels between two pictures.
const GAP: u32 = 2;

/// Pictures of a line; longer rows go on below.
const COLUMNS: usize = 12;

/// Rows of pictures, one below the other.
#[derive(Default)]
pub struct Sheet {
    rows: Vec<Vec<Picture>>,
}

impl Sheet {
    pub fn add_row(&mut self, pictures: Vec<&Picture>) {
        self.rows.push(pictures.into_iter().cloned().collect());
    }

    /// Writes the sheet as a PNG: for every few columns the pictures of each row.
    pub fn save(&self, file: &Path) -> Result<(), BoxError> {
        let longest = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let lines: Vec<&[Picture]> = (0..longest)
            .step_by(COLUMNS)
            .flat_map(|start| self.rows.iter().map(move |row| part(row, start)))
            .collect();
        let all = self.rows.iter().flatten();
        let side = all.map(|picture| picture.width().max(picture.height()));
        let cell = side.max().unwrap_or(0) + GAP;
        let columns = longest.min(COLUMNS) as u32;
        let white = image::Rgb([255; 3]);
        let mut sheet =
            RgbImage::from_pixel(columns * cell + GAP, lines.len() as u32 * cell + GAP, white);
        for (y, line) in (0..).zip(lines) {
            for (x, picture) in (0..).zip(line) {
                let pixels = picture.pixels().to_vec();
                if let Some(picture) = RgbImage::from_raw(picture.width(), picture.height(), pixels)
                {
                    let (x, y): (u32, u32) = (x * cell + GAP, y * cell + GAP);
                    image::imageops::replace(&mut sheet, &picture, x.into(), y.into());
                }
            }
        }
        atomic::write(file, |temporary| {
            sheet
                .save_with_format(temporary, ImageFormat::Png)
                .map_err(std::io::Error::other)
        })
        .map_err(|error| format!("{}: {error}", file.display()).into())
    }
}

/// The pictures of a row from `start` on that fit into a line.
fn part(row: &[Picture], start: usize) -> &[Picture] {
    let start = start.min(row.len());
    &row[start..(start + COLUMNS).min(row.len())]
}
