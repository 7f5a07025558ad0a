//! How large a picture may be.

use serde::{Deserialize, Serialize};

/// Default limit on the number of pixels of one picture: 50 megapixels.
pub const DEFAULT_MAX_PIXELS: u64 = 50_000_000;

/// Default limit on the size of one picture file: 64 MiB.
pub const DEFAULT_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Limits that are checked before a picture is decoded, so that a small malicious file cannot
/// make the process allocate gigabytes.
///
/// Both are checked early: the size before the file is read, the number of pixels from the
/// picture's header before any pixel is decoded.
///
/// ```
/// use mpm_data::picture::PictureLimits;
///
/// let thumbnails_only = PictureLimits { max_pixels: 1_000_000, ..PictureLimits::default() };
/// assert_eq!(thumbnails_only.max_bytes, 64 * 1024 * 1024);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PictureLimits {
    /// Largest accepted `width * height`, in pixels. Default: [`DEFAULT_MAX_PIXELS`].
    pub max_pixels: u64,
    /// Largest accepted file, in bytes. Default: [`DEFAULT_MAX_BYTES`].
    pub max_bytes: u64,
}

impl Default for PictureLimits {
    fn default() -> Self {
        Self {
            max_pixels: DEFAULT_MAX_PIXELS,
            max_bytes: DEFAULT_MAX_BYTES,
        }
    }
}
