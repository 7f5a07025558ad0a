//! Finding out whether a JPEG file is complete.

const MARKER: u8 = 0xFF;
const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: u8 = 0xD9;

/// Whether the file reaches its end-of-image marker.
///
/// Searching for the marker's two bytes is not enough: an embedded thumbnail is a JPEG with an
/// end of its own. So the markers (ITU-T T.81, annex B) are followed from the start. Anything
/// that is no valid sequence of markers counts as complete, to be judged by the decoder.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        let (marker, after) = match rest {
            // Any number of fill bytes may stand before the marker's code.
            [MARKER, MARKER, ..] => {
                rest = &rest[1..];
                continue;
            }
            [MARKER, marker, after @ ..] => (*marker, after),
            [] | [MARKER] => return false,
            _ => return true,
        };
        rest = match marker {
            END_OF_IMAGE => return true,
            // Restart, start of image and the temporary marker stand alone.
            0xD0..=0xD8 | 0x01 => after,
            _ => {
                let [high, low, ..] = after else { return false };
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let Some(segment_end) = after.get(length..) else {
                    return false;
                };
                if marker == START_OF_SCAN {
                    skip_entropy_coded(segment_end)
                } else {
                    segment_end
                }
            }
        };
    }
}

/// Skips the compressed data of a scan up to the next marker, where a stuffed zero or a restart
/// marker do not end the scan.
fn skip_entropy_coded(mut data: &[u8]) -> &[u8] {
    while let Some(position) = data.iter().position(|&byte| byte == MARKER) {
        match data.get(position + 1) {
            Some(0x00 | 0xD0..=0xD7) => data = &data[position + 2..],
            _ => return &data[position..],
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: [u8; 2] = [MARKER, 0xD8];
    /// An application segment holding a whole "thumbnail".
    const THUMBNAIL: [u8; 8] = [MARKER, 0xE1, 0, 6, MARKER, 0xD8, MARKER, END_OF_IMAGE];
    const SCAN: [u8; 10] = [MARKER, START_OF_SCAN, 0, 3, 9, 7, MARKER, 0, MARKER, 0xD3];
    const END: [u8; 2] = [MARKER, END_OF_IMAGE];

    #[test]
    fn the_end_is_found_behind_scans_and_fill_bytes() {
        let file = [
            &START[..],
            &THUMBNAIL,
            &SCAN,
            &SCAN,
            &[MARKER],
            &END,
            b"garbage",
        ]
        .concat();
        assert!(is_complete(&file));
    }

    #[test]
    fn every_prefix_without_the_end_is_incomplete() {
        let file = [&START[..], &THUMBNAIL, &SCAN, &END].concat();
        assert!(is_complete(&file));
        for length in START.len()..file.len() {
            assert!(!is_complete(&file[..length]), "{length}");
        }
    }

    #[test]
    fn garbage_is_left_to_the_decoder() {
        assert!(is_complete(b"\xFF\xD8\x00\x00"));
    }
}
