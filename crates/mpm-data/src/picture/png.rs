//! PNG files with texts beside the pixels.
//!
//! Source: <https://www.w3.org/TR/png-3/>, sections 11.3.3 and 13.4.

use std::{collections::BTreeMap, io::Cursor};

use super::{Picture, PictureError};

/// Bytes to which the compressed texts of a file may grow, all of them together: a small file
/// could fill the memory otherwise.
const MAX_COMPRESSED_TEXTS: usize = 1 << 20;

impl Picture {
    /// The bytes of a PNG file.
    ///
    /// Each of `texts` is a keyword of 1 to 79 ASCII characters and what it stands for: in a
    /// `tEXt` chunk if that is ASCII, too, and in an `iTXt` chunk otherwise. They come before the
    /// pixels, where [`png_texts`] and other programs look for them.
    ///
    /// # Errors
    /// [`PictureError::Encoding`] for a keyword of another form.
    ///
    /// ```
    /// use mpm_data::picture::{Picture, png_texts};
    ///
    /// let dot = Picture::from_rgb(1, 1, vec![9, 8, 7])?;
    /// let file = dot.encode_png(&[("prompt".to_owned(), "一个点".to_owned())])?;
    /// assert_eq!(Picture::decode(&file)?, dot);
    /// assert_eq!(png_texts(&file)?["prompt"], "一个点");
    /// # Ok::<(), mpm_data::picture::PictureError>(())
    /// ```
    pub fn encode_png(&self, texts: &[(String, String)]) -> Result<Vec<u8>, PictureError> {
        let mut file = Vec::new();
        let mut encoder = ::png::Encoder::new(&mut file, self.width(), self.height());
        encoder.set_color(::png::ColorType::Rgb);
        encoder.set_depth(::png::BitDepth::Eight);
        let failed = PictureError::Encoding;
        for (keyword, text) in texts {
            let (keyword, text) = (keyword.clone(), text.clone());
            match text.is_ascii() {
                true => encoder.add_text_chunk(keyword, text),
                false => encoder.add_itxt_chunk(keyword, text),
            }
            .map_err(failed)?;
        }
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(self.pixels()).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(file)
    }
}

/// The texts in a PNG file by their keywords: `tEXt`, `zTXt` and `iTXt`, before the pixels or
/// behind them. Of several with one keyword the last of the richest kind counts.
///
/// # Errors
/// [`PictureError::NoPng`] when the bytes are no PNG file, or a damaged one, and
/// [`PictureError::PngText`] for compressed texts that are damaged or have more than 1 MiB
/// together.
pub fn png_texts(bytes: &[u8]) -> Result<BTreeMap<String, String>, PictureError> {
    let failed = PictureError::NoPng;
    let decoder = ::png::Decoder::new(Cursor::new(bytes));
    let mut reader = decoder.read_info().map_err(failed)?;
    reader.finish().map_err(failed)?;
    let info = reader.info();
    let mut texts = BTreeMap::new();
    for chunk in &info.uncompressed_latin1_text {
        texts.insert(chunk.keyword.clone(), chunk.text.clone());
    }
    let too_long = |keyword: &str, source| PictureError::PngText {
        keyword: keyword.to_owned(),
        limit: MAX_COMPRESSED_TEXTS,
        source,
    };
    let mut left = MAX_COMPRESSED_TEXTS;
    for chunk in &info.compressed_latin1_text {
        let mut chunk = chunk.clone();
        let unpacked = chunk.decompress_text_with_limit(left);
        unpacked.map_err(|source| too_long(&chunk.keyword, source))?;
        let text = chunk.get_text().map_err(failed)?;
        left = left.saturating_sub(text.len());
        texts.insert(chunk.keyword, text);
    }
    for chunk in &info.utf8_text {
        let mut chunk = chunk.clone();
        let unpacked = chunk.decompress_text_with_limit(left);
        unpacked.map_err(|source| too_long(&chunk.keyword, source))?;
        let text = chunk.get_text().map_err(failed)?;
        if chunk.compressed {
            left = left.saturating_sub(text.len());
        }
        texts.insert(chunk.keyword, text);
    }
    Ok(texts)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn picture() -> Picture {
        let pixels = (0..5 * 3 * 3).map(|i| (i * 5) as u8).collect();
        Picture::from_rgb(5, 3, pixels).unwrap()
    }

    #[test]
    fn texts_and_pixels_come_back() {
        let long = "é和\n ".repeat(5000);
        let texts = [
            ("seed", "18446744073709551615"),
            ("prompt", "一只猫 🐱\nand a dog"),
            ("negative_prompt", ""),
            ("long", &*long),
        ]
        .map(|(keyword, text)| (keyword.to_owned(), text.to_owned()));
        let file = picture().encode_png(&texts).unwrap();
        assert_eq!(Picture::decode(&file).unwrap(), picture());
        assert_eq!(png_texts(&file).unwrap(), BTreeMap::from(texts));
        // What is ASCII is in the chunk that every program reads.
        let has = |chunk: &[u8]| file.windows(chunk.len()).any(|window| window == chunk);
        assert!(has(b"tEXtseed\0") && has(b"iTXtprompt\0"));
    }

    /// A file with texts that are compressed, of both kinds.
    fn compressed(latin: &[(&str, String)], unicode: &[(&str, String)]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = ::png::Encoder::new(&mut file, 1, 1);
        encoder.set_color(::png::ColorType::Rgb);
        for (keyword, text) in latin {
            let (keyword, text) = ((*keyword).to_owned(), text.clone());
            encoder.add_ztxt_chunk(keyword, text).unwrap();
        }
        let mut writer = encoder.write_header().unwrap();
        for (keyword, text) in unicode {
            let mut chunk = ::png::text_metadata::ITXtChunk::new(*keyword, text.as_str());
            chunk.compressed = true;
            writer.write_text_chunk(&chunk).unwrap();
        }
        writer.write_image_data(&[1, 2, 3]).unwrap();
        writer.finish().unwrap();
        file
    }

    #[test]
    fn compressed_texts_are_read_up_to_a_limit() {
        let (latin, unicode) = ("é ".repeat(1000), "狗 ".repeat(1000));
        let file = compressed(&[("a", latin.clone())], &[("b", unicode.clone())]);
        let texts = BTreeMap::from([("a".to_owned(), latin), ("b".to_owned(), unicode)]);
        assert_eq!(png_texts(&file).unwrap(), texts);

        let long = |share: usize| "x".repeat(MAX_COMPRESSED_TEXTS / share + 1);
        for (latin, unicode, refused) in [
            (vec![("a", long(1))], vec![], "`a`"),
            (vec![], vec![("b", long(1))], "`b`"),
            (vec![("a", long(2))], vec![("b", long(2))], "`b`"),
        ] {
            let file = compressed(&latin, &unicode);
            assert!(file.len() < 100_000);
            let error = png_texts(&file).unwrap_err();
            assert!(matches!(error, PictureError::PngText { .. }), "{error}");
            assert!(error.to_string().contains(refused), "{error}");
        }
    }

    #[test]
    fn what_is_no_png_is_refused() {
        let file = picture().encode_png(&[]).unwrap();
        assert_eq!(png_texts(&file).unwrap(), BTreeMap::new());
        for bytes in [&b"GIF89a"[..], b"", &file[..file.len() / 2]] {
            assert!(matches!(png_texts(bytes), Err(PictureError::NoPng(_))));
        }
        let keyword = [("字".to_owned(), String::new())];
        let error = picture().encode_png(&keyword).unwrap_err();
        assert!(matches!(error, PictureError::Encoding(_)), "{error}");
    }
}
