//! Simple shapes, drawn with soft edges.

use mpm_data::{emoji::Scene, picture::Picture};

/// Samples of a pixel along each side.
const SAMPLES: u32 = 4;

/// A shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Circle,
    Square,
    Triangle,
}

impl Shape {
    pub const ALL: [Self; 3] = [Self::Circle, Self::Square, Self::Triangle];

    pub fn english(self) -> &'static str {
        match self {
            Self::Circle => "circle",
            Self::Square => "square",
            Self::Triangle => "triangle",
        }
    }

    pub fn chinese(self) -> &'static str {
        match self {
            Self::Circle => "圆形",
            Self::Square => "正方形",
            Self::Triangle => "三角形",
        }
    }

    /// Whether a point of the square -1..1 lies within, y pointing down.
    fn contains(self, x: f32, y: f32) -> bool {
        match self {
            Self::Circle => x * x + y * y <= 0.81,
            Self::Square => x.abs().max(y.abs()) <= 0.8,
            Self::Triangle => y <= 0.75 && y >= 2.0 * x.abs() - 0.9,
        }
    }
}

/// Draws a shape into the square `[x, y, size]` of a picture with a plain ground.
pub fn draw(shape: Shape, colour: [u8; 3], ground: [u8; 3], square: [u32; 3]) -> Picture {
    let [left, top, size] = square.map(|value| value as f32);
    let mut pixels = Vec::with_capacity((3 * Scene::SIZE * Scene::SIZE) as usize);
    for y in 0..Scene::SIZE {
        for x in 0..Scene::SIZE {
            let inside = (0..SAMPLES * SAMPLES).filter(|sample| {
                let offset = |i: u32| (i as f32 + 0.5) / SAMPLES as f32;
                let place =
                    |pixel: u32, i, start| 2.0 * (pixel as f32 + offset(i) - start) / size - 1.0;
                shape.contains(
                    place(x, sample % SAMPLES, left),
                    place(y, sample / SAMPLES, top),
                )
            });
            let share = inside.count() as f32 / (SAMPLES * SAMPLES) as f32;
            for (colour, ground) in colour.into_iter().zip(ground) {
                let level = f32::from(ground) + share * (f32::from(colour) - f32::from(ground));
                pixels.push(level.round() as u8);
            }
        }
    }
    Picture::from_rgb(Scene::SIZE, Scene::SIZE, pixels)
        .expect("three levels were drawn for each pixel")
}
