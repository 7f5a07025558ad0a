//! Text from tokens, piece by piece.

/// Turns the bytes of tokens into text that can be shown at once.
///
/// A piece never ends within a UTF-8 character and never shows the beginning of
/// what may become a stop text.
#[derive(Debug, Clone, Default)]
pub struct TextStream {
    bytes: Vec<u8>,
    /// Bytes that were returned already.
    shown: usize,
    stop: Vec<String>,
    stopped: bool,
}

impl TextStream {
    /// An empty text that ends before the first of the `stop` texts. Empty ones count for nothing.
    pub fn new(stop: &[String]) -> Self {
        let stop = stop.iter().filter(|stop| !stop.is_empty());
        Self {
            stop: stop.cloned().collect(),
            ..Self::default()
        }
    }

    /// Adds the bytes of a token and returns what can be shown now, often nothing.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        if self.stopped {
            return String::new();
        }
        // A stop text that was not there before ends within the new bytes.
        let longest = self.stop.iter().map(String::len).max().unwrap_or(0);
        let from = (self.bytes.len() + 1)
            .saturating_sub(longest)
            .max(self.shown);
        self.bytes.extend_from_slice(bytes);
        let found = self
            .stop
            .iter()
            .filter_map(|stop| find(&self.bytes[from..], stop.as_bytes()))
            .min();
        if let Some(offset) = found {
            self.bytes.truncate(from + offset);
            self.stopped = true;
            return self.show(self.bytes.len());
        }
        let undecided = self
            .stop
            .iter()
            .map(|stop| overlap(&self.bytes[self.shown..], stop.as_bytes()))
            .max()
            .unwrap_or(0);
        let end = self.bytes.len() - undecided;
        let end = end - incomplete_tail(&self.bytes[self.shown..end]);
        self.show(end)
    }

    /// Returns what was held back; nothing comes after it.
    pub fn finish(&mut self) -> String {
        self.show(self.bytes.len())
    }

    /// Whether a stop text came.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// The whole text so far, held back or not.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn show(&mut self, end: usize) -> String {
        let piece = String::from_utf8_lossy(&self.bytes[self.shown..end]).into_owned();
        self.shown = end;
        piece
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// Bytes at the end of `text` that begin `stop`.
fn overlap(text: &[u8], stop: &[u8]) -> usize {
    let longest = text.len().min(stop.len().saturating_sub(1));
    (1..=longest)
        .rev()
        .find(|&len| text.ends_with(&stop[..len]))
        .unwrap_or(0)
}

/// Bytes at the end that are the beginning of a UTF-8 character. Bytes that can
/// never become one are not counted.
fn incomplete_tail(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
    (from..bytes.len())
        .find(|&start| {
            let tail = &bytes[start..];
            tail[0] >= 0xC0
                && matches!(
                    std::str::from_utf8(tail),
                    Err(error) if error.valid_up_to() == 0 && error.error_len().is_none()
                )
        })
        .map_or(0, |start| bytes.len() - start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(stop: &[&str], pieces: &[&[u8]]) -> (Vec<String>, bool) {
        let stop: Vec<String> = stop.iter().map(|&stop| stop.to_owned()).collect();
        let mut stream = TextStream::new(&stop);
        let mut shown: Vec<String> = pieces.iter().map(|piece| stream.push(piece)).collect();
        shown.push(stream.finish());
        (shown, stream.stopped())
    }

    #[test]
    fn characters_come_whole() {
        let (shown, _) = run(
            &[],
            &["狗".as_bytes()[..1].as_ref(), &"狗".as_bytes()[1..], b"!"],
        );
        assert_eq!(shown, ["", "狗", "!", ""]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let (shown, _) = run(&[], &[b"a\xffb", b"\xe7"]);
        assert_eq!(shown, ["a\u{fffd}b", "", "\u{fffd}"]);
    }

    #[test]
    fn a_stop_text_is_never_shown() {
        let (shown, stopped) = run(&["\nUser:"], &[b"yes\nUs", b"er: no", b"more"]);
        assert_eq!(shown, ["yes", "", "", ""]);
        assert!(stopped);
    }

    #[test]
    fn what_only_looked_like_a_stop_text_is_shown() {
        let (shown, stopped) = run(&["\nUser:"], &[b"yes\nUs", b"ed"]);
        assert_eq!(shown, ["yes", "\nUsed", ""]);
        assert!(!stopped);
    }

    #[test]
    fn the_first_of_several_stop_texts_counts() {
        let (shown, _) = run(&["cd", "b"], &[b"abcd"]);
        assert_eq!(shown.concat(), "a");
    }

    #[test]
    fn an_empty_stop_text_stops_nothing() {
        let (shown, stopped) = run(&["", "c"], &[b"ab", b"cd"]);
        assert_eq!(shown, ["ab", "", ""]);
        assert!(stopped);
        let (shown, stopped) = run(&[""], &[b"ab", b"cd"]);
        assert_eq!(shown, ["ab", "cd", ""]);
        assert!(!stopped);
    }

    proptest! {
        #[test]
        fn pieces_add_up(text in "\\PC{0,40}", cuts in prop::collection::vec(0usize..8, 0..40)) {
            let mut stream = TextStream::new(&[]);
            let (mut rest, mut shown) = (text.as_bytes(), String::new());
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                shown += &stream.push(head);
                rest = tail;
            }
            shown += &stream.push(rest);
            shown += &stream.finish();
            prop_assert_eq!(shown, text);
        }

        #[test]
        fn stops_where_searching_the_whole_text_would(
            text in "[ab狗]{0,30}", stop in "[ab狗]{1,4}", size in 1usize..5,
        ) {
            let mut stream = TextStream::new(std::slice::from_ref(&stop));
            let mut shown = String::new();
            for piece in text.as_bytes().chunks(size) {
                shown += &stream.push(piece);
            }
            shown += &stream.finish();
            let expected = text.split(&stop).next().unwrap_or_default();
            prop_assert_eq!(shown, expected);
            prop_assert_eq!(stream.stopped(), text.contains(&stop));
        }
    }
}
