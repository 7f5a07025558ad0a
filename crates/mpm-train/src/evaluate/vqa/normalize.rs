//! The form in which VQA compares answers.

use super::contractions::expand;

/// What becomes a space, or nothing.
const PUNCTUATION: [char; 21] = [
    ';', '/', '[', ']', '"', '{', '}', '(', ')', '=', '+', '\\', '_', '-', '>', '<', '@', '`', ',',
    '?', '!',
];
/// How many full stops are taken out at most. The original hands a flag of regular expressions
/// over where their number belongs.
const FULL_STOPS: usize = 32;
/// Words that do not count.
const ARTICLES: [&str; 3] = ["a", "an", "the"];
/// Words for numbers, which become digits.
const NUMBERS: [(&str, &str); 12] = [
    ("none", "0"),
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
];

/// The form in which VQA compares answers: lower case, no articles, digits for the numbers up to
/// ten, contractions with their apostrophes.
///
/// A mark of punctuation goes where the answer has it beside a space, and becomes a space
/// otherwise; in an answer with a number such as `1,000`, all of them go. Full stops stay before
/// digits.
pub fn vqa_normalize(answer: &str) -> String {
    let text = without_full_stops(&without_punctuation(answer)).to_lowercase();
    let words = text.split_whitespace().map(|word| {
        let number = NUMBERS.iter().find(|(name, _)| *name == word);
        number.map_or(word, |(_, digits)| digits)
    });
    let words = words.filter(|word| !ARTICLES.contains(word));
    words.map(expand).collect::<Vec<_>>().join(" ")
}

fn without_punctuation(answer: &str) -> String {
    let characters: Vec<char> = answer.chars().collect();
    let has_number = characters
        .windows(3)
        .any(|run| run[0].is_ascii_digit() && run[1] == ',' && run[2].is_ascii_digit());
    let beside_space = |mark: char| {
        let pair = |pair: &[char]| pair == [mark, ' '] || pair == [' ', mark];
        characters.windows(2).any(pair)
    };
    let keep = |character: &char| match PUNCTUATION.contains(character) {
        true if has_number || beside_space(*character) => None,
        true => Some(' '),
        false => Some(*character),
    };
    characters.iter().filter_map(keep).collect()
}

fn without_full_stops(text: &str) -> String {
    let mut left = FULL_STOPS;
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let before_digit = characters.peek().is_some_and(char::is_ascii_digit);
        if character == '.' && !before_digit && left > 0 {
            left -= 1;
        } else {
            kept.push(character);
        }
    }
    kept
}
