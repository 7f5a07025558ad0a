//! What is looked for in answers.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use serde::{Deserialize, Serialize};

use super::KeywordScore;
use crate::evaluate::MetricError;

/// A thing and what it is called, in one language or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyword {
    /// The name by which it is expected.
    pub name: String,
    /// What else an answer may say, plurals and inflected forms included: words are compared as
    /// they are.
    #[serde(default)]
    pub synonyms: Vec<String>,
}

impl Keyword {
    /// A keyword and its synonyms.
    pub fn new<S: Into<String>>(
        name: impl Into<String>,
        synonyms: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            name: name.into(),
            synonyms: synonyms.into_iter().map(Into::into).collect(),
        }
    }
}

/// All keywords that are looked for.
///
/// Case and the width of characters do not count. In scripts with spaces a name is found as whole
/// words only (`cat` is not in `caterpillar`), in Chinese and Japanese anywhere. Where several
/// names begin at a place the longest one is meant: a `hot dog` is no `dog`, and `斑马` no `马`, as
/// long as the longer one is in the vocabulary, too.
#[derive(Debug, Clone)]
pub struct KeywordVocabulary {
    keywords: Vec<Keyword>,
    /// By their first character, the longest first.
    names: HashMap<char, Vec<Name>>,
}

/// What something is called.
#[derive(Debug, Clone)]
struct Name {
    characters: Vec<char>,
    /// The numbers of the keywords that are called so.
    owners: Vec<usize>,
}

impl KeywordVocabulary {
    /// A vocabulary. Keywords may share a synonym: it counts for those of them that are expected,
    /// and for the first one otherwise.
    ///
    /// # Errors
    /// [`MetricError::EmptyKeyword`], [`MetricError::DuplicateKeyword`].
    pub fn new(keywords: Vec<Keyword>) -> Result<Self, MetricError> {
        let mut own = HashSet::new();
        let mut owners: HashMap<Vec<char>, Vec<usize>> = HashMap::new();
        for (index, keyword) in keywords.iter().enumerate() {
            if !own.insert(keyword.name.as_str()) {
                let name = keyword.name.clone();
                return Err(MetricError::DuplicateKeyword { name });
            }
            for name in std::iter::once(&keyword.name).chain(&keyword.synonyms) {
                let folded = fold(name);
                if !folded.iter().any(|character| character.is_alphanumeric()) {
                    let name = name.clone();
                    return Err(MetricError::EmptyKeyword { index, name });
                }
                let owners = owners.entry(folded).or_default();
                if !owners.contains(&index) {
                    owners.push(index);
                }
            }
        }
        let mut names: HashMap<char, Vec<Name>> = HashMap::new();
        for (characters, owners) in owners {
            let names = names.entry(characters[0]).or_default();
            names.push(Name { characters, owners });
        }
        for names in names.values_mut() {
            names.sort_by_key(|name| Reverse(name.characters.len()));
        }
        Ok(Self { keywords, names })
    }

    /// The score of an answer from which the named keywords are expected.
    ///
    /// # Errors
    /// [`MetricError::UnknownKeyword`] if one of them is not in the vocabulary by its name.
    pub fn score<S: AsRef<str>>(
        &self,
        answer: &str,
        expected: &[S],
    ) -> Result<KeywordScore, MetricError> {
        let expected = expected.iter().map(|name| self.index(name.as_ref()));
        let expected = expected.collect::<Result<HashSet<_>, _>>()?;
        let mut named = HashSet::new();
        for owners in self.find(answer) {
            let meant: Vec<_> = owners
                .iter()
                .filter(|owner| expected.contains(owner))
                .collect();
            match meant.is_empty() {
                true => named.extend(owners.first()),
                false => named.extend(meant),
            }
        }
        let hits = named.intersection(&expected).count();
        Ok(KeywordScore {
            hits,
            false_alarms: named.len() - hits,
            misses: expected.len() - hits,
        })
    }

    /// The names of the keywords that an answer may mean, in the order of the vocabulary.
    pub fn named(&self, answer: &str) -> Vec<&str> {
        let found: HashSet<_> = self.find(answer).into_iter().flatten().collect();
        let keywords = self.keywords.iter().enumerate();
        let named = keywords.filter(|(index, _)| found.contains(index));
        named.map(|(_, keyword)| keyword.name.as_str()).collect()
    }

    fn index(&self, name: &str) -> Result<usize, MetricError> {
        let found = self
            .keywords
            .iter()
            .position(|keyword| keyword.name == name);
        found.ok_or_else(|| {
            let names = self.keywords.iter().map(|keyword| keyword.name.as_str());
            let nearest = names.min_by_key(|other| strsim::levenshtein(name, other));
            MetricError::UnknownKeyword {
                name: name.to_owned(),
                nearest: nearest.map(str::to_owned),
            }
        })
    }

    /// The owners of each name in an answer, from left to right.
    fn find(&self, answer: &str) -> Vec<&[usize]> {
        let answer = fold(answer);
        let (mut at, mut found) = (0, Vec::new());
        while at < answer.len() {
            let names = self.names.get(&answer[at]).into_iter().flatten();
            let mut names = names.filter(|name| is_at(&answer, at, &name.characters));
            match names.next() {
                Some(name) => {
                    found.push(name.owners.as_slice());
                    at += name.characters.len();
                }
                None => at += 1,
            }
        }
        found
    }
}

/// Whether a name stands at a place, with no word going on beyond its ends.
fn is_at(answer: &[char], at: usize, name: &[char]) -> bool {
    let end = at + name.len();
    answer[at..].starts_with(name)
        && !(at > 0 && is_one_word(answer[at - 1], answer[at]))
        && !(end < answer.len() && is_one_word(answer[end - 1], answer[end]))
}

/// Whether two neighbours are of one word.
fn is_one_word(first: char, second: char) -> bool {
    let of_word = |character: char| {
        // Accents may be characters of their own.
        let accent = ('\u{300}'..='\u{36f}').contains(&character);
        accent || character.is_alphanumeric() && !has_no_spaces(character)
    };
    of_word(first) && of_word(second)
}

/// Whether a character is of a script that puts no spaces between words: ideographs, kana.
fn has_no_spaces(character: char) -> bool {
    matches!(character, '\u{3005}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

/// Lower case, full-width forms as ASCII, one space wherever there is white space.
fn fold(text: &str) -> Vec<char> {
    let narrow = text.chars().map(|character| match character {
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(character as u32 - 0xff01 + 0x21).unwrap_or(character)
        }
        '\u{2019}' => '\'',
        _ => character,
    });
    let lower = narrow.collect::<String>().to_lowercase();
    let words: Vec<_> = lower.split_whitespace().collect();
    words.join(" ").chars().collect()
}
