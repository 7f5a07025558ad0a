//! The words of the Penn treebank, as pycocoevalcap has them: those of the Stanford tokenizer
//! (`PTBTokenizer -preserveLines -lowerCase`, version 3.4.1) without some marks.
//!
//! What the Stanford tokenizer makes of smileys, telephone numbers, mark-up with attributes and
//! fractions with a whole number is left out: captions have none of them.

mod known;
mod marks;
mod word;

use known::{first_of_two, keeps_full_stop, with_apostrophe};
use marks::take_mark;
use word::{ending_length, word_length};

/// What pycocoevalcap drops. Its list has the brackets in capitals, so that these never fit the
/// words in lower case: `-lrb-` stays.
const DROPPED: [&str; 13] = [
    "''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";",
];

/// The words of a text.
pub(super) fn tokenize(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().map(fold).collect();
    let mut words = Vec::new();
    let mut rest = text.as_slice();
    let mut before = ' ';
    while let Some(&first) = rest.first() {
        let length = match first.is_whitespace() {
            true => 1,
            false => take(rest, before, &mut words),
        };
        before = rest[length - 1];
        rest = &rest[length..];
    }
    words.retain(|word| !DROPPED.contains(&word.as_str()));
    words
}

/// One of the marks that mean the same.
fn fold(character: char) -> char {
    match character {
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{201c}' | '\u{201d}' | '«' | '»' | '‹' | '›' => '"',
        '\u{2010}' | '\u{2011}' => '-',
        '\u{2013}' => '—',
        _ => character,
    }
}

/// Takes the word, or the mark, that a text begins with; returns its length in the text, which is
/// at least 1.
fn take(text: &[char], before: char, words: &mut Vec<String>) -> usize {
    let length = address_length(text).or_else(|| tag_length(text));
    let length = length.or_else(|| ending_length(text));
    if let Some(length) = length {
        return take_run(text, length, words);
    }
    let known = with_apostrophe(text);
    match known.unwrap_or_else(|| word_length(text, before)) {
        0 => take_mark(text, words),
        length => take_word(text, length, words),
    }
}

/// A word, and the full stop behind it if that is part of it.
fn take_word(text: &[char], length: usize, words: &mut Vec<String>) -> usize {
    let word = lower(&text[..length]);
    if let Some(first) = first_of_two(&word) {
        words.extend([&word[..first], &word[first..]].map(str::to_owned));
        return length;
    }
    let before_number = text[length..]
        .get(1..3)
        .is_some_and(|next| next[0] == ' ' && next[1].is_ascii_digit());
    if text.get(length) == Some(&'.') && keeps_full_stop(&word, before_number) {
        words.push(word + ".");
        return length + 1;
    }
    words.push(word);
    length
}

/// An address of a page, up to the white space, without marks at its end.
fn address_length(text: &[char]) -> Option<usize> {
    if !begins(text, "http://") && !begins(text, "https://") {
        return None;
    }
    let end = text.iter().position(|character| character.is_whitespace());
    let address = &text[..end.unwrap_or(text.len())];
    let last = address
        .iter()
        .rposition(|character| is_letter(*character) || *character == '/');
    last.map(|last| last + 1)
}

/// A tag without attributes, such as `<b>`, `</b>` or `<image>`.
fn tag_length(text: &[char]) -> Option<usize> {
    let name = text.strip_prefix(&['<'])?;
    let name = name.strip_prefix(&['/']).unwrap_or(name);
    let length = name.iter().position(|character| !is_letter(*character))?;
    (length > 0 && name[0].is_alphabetic() && name[length] == '>')
        .then(|| text.len() - name.len() + length + 1)
}

fn take_run(text: &[char], length: usize, words: &mut Vec<String>) -> usize {
    words.push(lower(&text[..length]));
    length
}

fn lower(text: &[char]) -> String {
    text.iter().collect::<String>().to_lowercase()
}

/// Whether a text begins with one in lower case.
fn begins(text: &[char], start: &str) -> bool {
    let mut text = text.iter();
    let mut start = start.chars();
    start.all(|one| {
        text.next()
            .is_some_and(|next| next.eq_ignore_ascii_case(&one))
    })
}

/// What words consist of.
fn is_letter(character: char) -> bool {
    character < '\u{10000}' && character.is_alphabetic() || character.is_ascii_digit()
}
