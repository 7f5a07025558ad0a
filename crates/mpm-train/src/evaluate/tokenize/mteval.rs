//! The words of `mteval-v13a`, as `sacrebleu/tokenizers/tokenizer_13a.py` has them.

use super::split;

/// What stands for a character in texts that were XML once, in the order in which it is undone.
const ENTITIES: [(&str, &str); 4] = [
    ("&quot;", "\""),
    ("&amp;", "&"),
    ("&lt;", "<"),
    ("&gt;", ">"),
];

/// The words of a text.
pub(super) fn tokenize(text: &str) -> Vec<String> {
    let mut text = text.replace("<skipped>", "");
    // A word that was cut at the end of a line.
    text = text.replace("-\n", "");
    text = text.replace('\n', " ");
    for (entity, character) in ENTITIES {
        text = text.replace(entity, character);
    }
    split_marks(&format!(" {text} "))
}

/// Sets marks apart, and full stops, commas and dashes where no number holds them.
pub(super) fn split_marks(text: &str) -> Vec<String> {
    let mut apart = String::with_capacity(2 * text.len());
    for character in text.chars() {
        match is_mark(character) {
            true => apart.extend([' ', character, ' ']),
            false => apart.push(character),
        }
    }
    // Three passes, because what one of them inserts is what the next one sees beside a mark.
    let apart = rewrite(&apart, |first, second| match second {
        '.' | ',' if !first.is_ascii_digit() => Some([first, ' ', second, ' ']),
        _ => None,
    });
    let apart = rewrite(&apart, |first, second| match first {
        '.' | ',' if !second.is_ascii_digit() => Some([' ', first, ' ', second]),
        _ => None,
    });
    let apart = rewrite(&apart, |first, second| match second {
        '-' if first.is_ascii_digit() => Some([first, ' ', '-', ' ']),
        _ => None,
    });
    split(&apart)
}

/// Replaces pairs of neighbours from left to right; a character takes part in one pair only.
fn rewrite(text: &str, replace: impl Fn(char, char) -> Option<[char; 4]>) -> String {
    let mut rewritten = String::with_capacity(2 * text.len());
    let mut characters = text.chars().peekable();
    while let Some(first) = characters.next() {
        match characters.peek().and_then(|second| replace(first, *second)) {
            Some(replaced) => {
                rewritten.extend(replaced);
                characters.next();
            }
            None => rewritten.push(first),
        }
    }
    rewritten
}

/// ASCII's marks, all but the apostrophe, full stop, comma and dash.
fn is_mark(character: char) -> bool {
    character.is_ascii_punctuation() && !['\'', ',', '-', '.'].contains(&character)
}
