//! Sizes as users write them.

use std::str::FromStr;

use serde::Deserialize;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Size {
    pub width: usize,
    pub height: usize,
}

/// In JSON, a square may be a number.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a size must be a number such as 64, or a text such as \"64x48\""
)]
enum Written {
    Side(usize),
    Text(String),
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (width, height) = text.split_once(['x', 'X', '×']).unwrap_or((text, text));
        match (width.parse(), height.parse()) {
            (Ok(width), Ok(height)) => Ok(Self { width, height }),
            _ => Err(format!(
                "`{text}` is no size; write 64, or 64x48 for 64 pixels wide and 48 high"
            )),
        }
    }
}

impl TryFrom<Written> for Size {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Side(side) => Ok(Self {
                width: side,
                height: side,
            }),
            Written::Text(text) => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn sizes_are_read() {
        let size = |width, height| Some(Size { width, height });
        let parse = |text: &str| text.parse().ok();
        assert_eq!(parse("64"), size(64, 64));
        assert_eq!(parse("64x48"), size(64, 48));
        assert_eq!(parse("64×48"), size(64, 48));
        for text in ["", "x", "64x", "-64", "64x48x2", "big", "64.5", "64 x 48"] {
            assert_eq!(parse(text), None, "{text}");
        }
        let json = |text| serde_json::from_str(text).ok();
        assert_eq!(json("64"), size(64, 64));
        assert_eq!(json("\"64x48\""), size(64, 48));
        assert_eq!(json("[64, 48]"), None);
        assert_eq!(json("-1"), None);
    }
}
