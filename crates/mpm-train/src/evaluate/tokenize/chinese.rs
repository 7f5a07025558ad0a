//! Chinese and Japanese characters as words, as `sacrebleu/tokenizers/tokenizer_zh.py` has them.

use std::ops::RangeInclusive;

use super::{is_space, mteval};

/// Sacrebleu's ranges. The first is what two of its ranges of five hexadecimal digits come to in
/// Python, where `\u20000` is U+2000 and a zero: extension B of the ideographs is not in it, but
/// quotation marks, dashes, arrows and mathematical signs are.
const CHINESE: [RangeInclusive<char>; 19] = [
    '\u{2001}'..='\u{2a6d}',
    '\u{2e80}'..='\u{2eff}',
    '\u{2f00}'..='\u{2fdf}',
    '\u{2ff0}'..='\u{2fff}',
    '\u{3000}'..='\u{303f}',
    '\u{3100}'..='\u{312f}',
    '\u{31a0}'..='\u{31bf}',
    '\u{31c0}'..='\u{31ef}',
    '\u{3200}'..='\u{32ff}',
    '\u{3300}'..='\u{33ff}',
    '\u{3400}'..='\u{4db5}',
    '\u{4e00}'..='\u{9fa5}',
    '\u{9fa6}'..='\u{9fbb}',
    '\u{f900}'..='\u{fa2d}',
    '\u{fa30}'..='\u{fa6a}',
    '\u{fa70}'..='\u{fad9}',
    '\u{fe10}'..='\u{fe1f}',
    '\u{fe30}'..='\u{fe4f}',
    '\u{ff00}'..='\u{ffef}',
];

/// Hiragana, katakana and its phonetic extensions.
const KANA: [RangeInclusive<char>; 2] = ['\u{3040}'..='\u{30ff}', '\u{31f0}'..='\u{31ff}'];

/// Whether sacrebleu takes a character for a Chinese one.
pub(super) fn is_chinese(character: char) -> bool {
    CHINESE.iter().any(|range| range.contains(&character))
}

/// The same, and kana.
pub(super) fn is_chinese_or_kana(character: char) -> bool {
    is_chinese(character) || KANA.iter().any(|range| range.contains(&character))
}

/// The words of a text, of which some characters are words of their own.
pub(super) fn tokenize(text: &str, is_word: fn(char) -> bool) -> Vec<String> {
    let mut apart = String::with_capacity(2 * text.len());
    for character in text.trim_matches(is_space).chars() {
        match is_word(character) {
            true => apart.extend([' ', character, ' ']),
            false => apart.push(character),
        }
    }
    mteval::split_marks(&apart)
}
