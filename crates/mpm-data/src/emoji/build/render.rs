//! SVG to pixels.

use resvg::{tiny_skia, usvg};

use super::SIZE;

/// Renders a drawing on a transparent ground.
///
/// Returns `SIZE * SIZE` RGBA pixels with straight (not premultiplied) alpha.
pub(super) fn render(svg: &str) -> Result<Vec<[u8; 4]>, usvg::Error> {
    let tree = usvg::Tree::from_str(svg, &usvg::Options::default())?;
    let mut pixmap = tiny_skia::Pixmap::new(SIZE, SIZE).expect("SIZE is neither zero nor huge");
    let scale = tiny_skia::Transform::from_scale(
        SIZE as f32 / tree.size().width(),
        SIZE as f32 / tree.size().height(),
    );
    resvg::render(&tree, scale, &mut pixmap.as_mut());
    Ok(pixmap
        .pixels()
        .iter()
        .map(|pixel| {
            let c = pixel.demultiply();
            [c.red(), c.green(), c.blue(), c.alpha()]
        })
        .collect())
}
