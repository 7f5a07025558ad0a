//! How far a word goes.

use super::{begins, is_letter};

/// What follows an apostrophe at the end of a word and becomes a word of its own.
const ENDINGS: [&str; 6] = ["ll", "re", "ve", "s", "m", "d"];

/// An apostrophe and the ending behind it.
pub(super) fn ending_length(text: &[char]) -> Option<usize> {
    let ending = text.strip_prefix(&['\''])?;
    // Years: '90s, '99.
    if let [first, second, ..] = ending
        && first.is_ascii_digit()
        && second.is_ascii_digit()
    {
        let letter = begins(&ending[2..], "s");
        return Some(3 + usize::from(letter));
    }
    let ends = |length: usize| !ending.get(length).is_some_and(char::is_ascii_alphabetic);
    let found = ENDINGS
        .iter()
        .find(|one| begins(ending, one) && ends(one.len()));
    found.map(|one| 1 + one.len())
}

/// How long the word is that a text begins with; 0 if it begins with none.
pub(super) fn word_length(text: &[char], before: char) -> usize {
    let mut length = prefix_length(text, before);
    let start = length;
    let mut is_time = false;
    while let Some(&character) = text.get(length) {
        let next = text.get(length + 1).copied();
        let last = length.checked_sub(1).map(|last| text[last]);
        if is_letter(character) {
            // `10:30am` is a time and a word.
            if is_time && character.is_alphabetic() {
                break;
            }
            length += 1;
            continue;
        }
        let (Some(last), Some(next)) = (last.filter(|_| length > start), next) else {
            break;
        };
        if character == '\'' {
            match apostrophe(&text[start..], length - start) {
                Apostrophe::Joins => length += 1,
                Apostrophe::Splits => break,
                Apostrophe::Not => return length - 1,
            }
        } else if joins(character, last, next) {
            is_time |= character == ':';
            length += 1;
        } else {
            break;
        }
    }
    match length > start {
        true => length,
        false => 0,
    }
}

/// The sign of a number, the point before its digits, and the marks of tags and names.
fn prefix_length(text: &[char], before: char) -> usize {
    let digit = |at: usize| text.get(at).is_some_and(char::is_ascii_digit);
    let letter = |at: usize| text.get(at).is_some_and(|next| next.is_alphabetic());
    match text[0] {
        '+' | '-' if digit(1) && !is_letter(before) => 1,
        '.' if digit(1) => 1,
        '#' | '@' if letter(1) => 1,
        _ => 0,
    }
}

/// Whether a mark holds the characters beside it together.
fn joins(mark: char, last: char, next: char) -> bool {
    if !is_letter(last) || !is_letter(next) {
        return false;
    }
    let digits = last.is_ascii_digit() && next.is_ascii_digit();
    match mark {
        '-' | '_' | '/' | '@' => true,
        '.' => digits || !last.is_ascii_digit(),
        ',' | ':' => digits,
        // AT&T, but not black&white.
        '&' => last.is_uppercase() && next.is_uppercase(),
        _ => false,
    }
}

/// What an apostrophe within a word does.
enum Apostrophe {
    Joins,
    /// The word ends before it.
    Splits,
    /// It is that of `n't`, so the word ends before the `n`.
    Not,
}

/// What the apostrophe at a place of a text does; a word comes before it.
fn apostrophe(text: &[char], at: usize) -> Apostrophe {
    let (word, rest) = text.split_at(at);
    let next_is_ascii = |from: usize| rest.get(from).is_some_and(char::is_ascii_alphabetic);
    if word
        .last()
        .is_some_and(|last| last.eq_ignore_ascii_case(&'n'))
        && begins(&rest[1..], "t")
        && !next_is_ascii(2)
    {
        return match word.len() {
            1 => Apostrophe::Joins,
            _ => Apostrophe::Not,
        };
    }
    // rock'n'roll
    if ending_length(rest).is_some() || begins(rest, "'n'") {
        return Apostrophe::Splits;
    }
    let vowel = |character: &char| "aeiouAEIOU".contains(*character);
    let before_vowel = rest.get(1).is_some_and(vowel);
    match word {
        // o'clock, l'eau, d'une
        ['d' | 'o' | 'l' | 'D' | 'O' | 'L'] if rest.get(1).is_some_and(|next| is_letter(*next)) => {
            Apostrophe::Joins
        }
        // n'est
        ['n'] if next_is_ascii(1) && next_is_ascii(2) => Apostrophe::Joins,
        // hawai'i, qu'il
        [.., last] if (vowel(last) || last.eq_ignore_ascii_case(&'y')) && before_vowel => {
            Apostrophe::Joins
        }
        _ => Apostrophe::Splits,
    }
}
