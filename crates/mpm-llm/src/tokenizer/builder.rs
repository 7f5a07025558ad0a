//! Vocabularies made from texts.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{AddedToken, Trainer};

use super::{CpmBeeTokenizer, Vocabulary};
use crate::LlmError;

/// The special tokens, as the published file begins.
const HEAD: [&str; 11] = [
    "<pad>", "<unk>", "<mask>", "<sep>", "</n>", "</_>", "<s>", "</s>", "<root>", "<ans>",
    "<option>",
];

/// The special token that ends the published file.
const TAIL: &str = "<eod>";

/// Builds a [`Vocabulary`] from texts, the same one for the same texts on every machine.
///
/// The order is that of the published file: special tokens, printable ASCII, the other characters
/// of the texts (the most frequent first), then words and parts of words. These are the merges of
/// byte-pair encoding over characters; words keep the space before them, runs of Chinese or
/// Japanese text count as words, and neither digits nor punctuation join.
///
/// ```
/// use mpm_llm::tokenizer::{CpmBeeTokenizer, VocabularyBuilder};
///
/// # fn main() -> Result<(), mpm_llm::LlmError> {
/// let texts = ["a cat and a cat", "\u{4e00}\u{53ea}\u{732b}\u{548c}\u{4e00}\u{53ea}\u{72d7}"];
/// let vocabulary = VocabularyBuilder::new(130).build(texts)?;
/// let tokenizer = CpmBeeTokenizer::new(vocabulary)?;
/// assert_eq!(tokenizer.encode(" cat \u{4e00}\u{53ea}")?.ids.len(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct VocabularyBuilder {
    size: usize,
    max_characters: Option<usize>,
    min_frequency: u64,
    max_word_len: usize,
    words: BTreeMap<String, u64>,
}

impl VocabularyBuilder {
    /// A builder of a vocabulary with at most `size` tokens, special ones included. It holds fewer
    /// only when the texts have no more words that occur twice.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            max_characters: None,
            min_frequency: 2,
            max_word_len: 16,
            words: BTreeMap::new(),
        }
    }

    /// How many characters beyond ASCII the vocabulary takes at most, the most frequent ones.
    /// Default: half of what special tokens and ASCII leave.
    pub fn with_max_characters(mut self, max_characters: usize) -> Self {
        self.max_characters = Some(max_characters);
        self
    }

    /// How often a word or part of a word must occur to be taken. Default: 2.
    pub fn with_min_frequency(mut self, min_frequency: u64) -> Self {
        self.min_frequency = min_frequency;
        self
    }

    /// The longest word, in code points, its space included. Default: 16.
    pub fn with_max_word_len(mut self, max_word_len: usize) -> Self {
        self.max_word_len = max_word_len;
        self
    }

    /// Counts the words of one text.
    pub fn add_text(&mut self, text: &str) {
        each_word(text, |word| {
            if let Some(count) = self.words.get_mut(word) {
                *count += 1;
            } else {
                self.words.insert(word.to_owned(), 1);
            }
        });
    }

    /// Counts the words of all texts and makes the vocabulary.
    ///
    /// # Errors
    /// As [`VocabularyBuilder::finish`].
    pub fn build<S: AsRef<str>>(
        mut self,
        texts: impl IntoIterator<Item = S>,
    ) -> Result<Vocabulary, LlmError> {
        for text in texts {
            self.add_text(text.as_ref());
        }
        self.finish()
    }

    /// Makes the vocabulary of the texts added so far.
    ///
    /// # Errors
    /// [`LlmError::VocabularySize`] when the size does not even hold special tokens and ASCII.
    pub fn finish(&self) -> Result<Vocabulary, LlmError> {
        let ascii = ('!'..='~').map(|c| c.to_string());
        let mut tokens: Vec<String> = HEAD.into_iter().map(str::to_owned).chain(ascii).collect();
        let needed = tokens.len() + 1;
        let Some(room) = self.size.checked_sub(needed) else {
            return Err(LlmError::VocabularySize {
                size: self.size,
                needed,
            });
        };
        let characters = self.characters(self.max_characters.unwrap_or(room / 2).min(room));
        tokens.extend(characters.iter().map(|c| c.to_string()));

        let mut known: HashSet<String> = tokens.iter().cloned().collect();
        let room = self.size - 1 - tokens.len();
        let merged = self.merges(&characters, room)?;
        // A single character or the space alone may come back as a "merge".
        let new = merged
            .into_iter()
            .filter(|word| word.chars().count() > 1 && known.insert(word.clone()));
        tokens.extend(new.take(room));
        tokens.push(TAIL.to_owned());
        Vocabulary::from_written(tokens.iter().map(String::as_str))
    }

    /// The most frequent characters beyond ASCII; equally frequent ones in code point order.
    fn characters(&self, limit: usize) -> Vec<char> {
        let mut counts: BTreeMap<char, u64> = BTreeMap::new();
        for (word, count) in &self.words {
            for c in word.chars().filter(|&c| !c.is_ascii() && !c.is_control()) {
                *counts.entry(c).or_default() += count;
            }
        }
        let mut characters: Vec<(char, u64)> = counts.into_iter().collect();
        characters.sort_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
        characters.into_iter().take(limit).map(|(c, _)| c).collect()
    }

    /// Words and parts of words in the order in which byte-pair encoding finds them.
    fn merges(&self, characters: &[char], limit: usize) -> Result<Vec<String>, LlmError> {
        let characters: HashSet<char> = characters.iter().copied().collect();
        let known = |c: char| c == ' ' || c.is_ascii_graphic() || characters.contains(&c);
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for (word, count) in &self.words {
            // A character outside the vocabulary parts a word in two.
            for piece in word.split(|c| !known(c)).filter(|p| !p.is_empty()) {
                *counts.entry(piece).or_default() += count;
            }
        }
        let mut alphabet: HashSet<char> = HashSet::new();
        let mut table = Vec::with_capacity(counts.len());
        for (word, count) in counts {
            alphabet.extend(word.chars());
            table.push((word.into(), count));
        }
        let trainer = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(alphabet.len() + limit)
            .min_frequency(self.min_frequency)
            .max_token_length(Some(self.max_word_len))
            .build();
        let mut model = BPE::default();
        trainer
            .do_train(&table.into_iter().collect(), &mut model)
            .map_err(|source| LlmError::VocabularyTraining { source })?;
        let mut merged: Vec<(u32, String)> = model
            .get_vocab()
            .into_iter()
            .map(|(word, id)| (id, word))
            .collect();
        merged.sort_unstable();
        Ok(merged.into_iter().map(|(_, word)| word).collect())
    }
}

/// Trains a [`CpmBeeTokenizer`] from plain texts within a `tokenizers` pipeline.
impl Trainer for VocabularyBuilder {
    type Model = CpmBeeTokenizer;

    fn should_show_progress(&self) -> bool {
        false
    }

    fn train(&self, model: &mut CpmBeeTokenizer) -> tokenizers::Result<Vec<AddedToken>> {
        *model = CpmBeeTokenizer::new(self.finish()?)?;
        // Special tokens are part of the model: its markup finds them.
        Ok(Vec::new())
    }

    fn feed<I, S, F>(&mut self, iterator: I, process: F) -> tokenizers::Result<()>
    where
        I: Iterator<Item = S> + Send,
        S: AsRef<str> + Send,
        F: Fn(&str) -> tokenizers::Result<Vec<String>> + Sync,
    {
        for sequence in iterator {
            for text in process(sequence.as_ref())? {
                self.add_text(&text);
            }
        }
        Ok(())
    }
}

/// Classes of characters that join to words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Letters of scripts that put spaces between words.
    Letter,
    /// Scripts without spaces: Han and kana.
    Han,
    /// Digits, punctuation, symbols, white space: each on its own.
    Single,
}

fn class(c: char) -> Class {
    match c {
        '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => Class::Han,
        // Accents and vowel signs belong to the letter before them.
        '\u{0300}'..='\u{036f}' | '\u{0900}'..='\u{0963}' | '\u{0970}'..='\u{0dff}' => {
            Class::Letter
        }
        _ if c.is_alphabetic() => Class::Letter,
        _ => Class::Single,
    }
}

/// Calls `f` for each word of a text; a word of letters has the space before it.
fn each_word<'a>(text: &'a str, mut f: impl FnMut(&'a str)) {
    let mut start = 0;
    // The class of the open word; none after a single character.
    let mut open: Option<Class> = None;
    for (at, c) in text.char_indices() {
        let class = class(c);
        let after_space = at == start + 1 && &text[start..at] == " ";
        let joins = class != Class::Single
            && (open == Some(class) || (class == Class::Letter && after_space));
        if !joins && at > start {
            f(&text[start..at]);
            start = at;
        }
        open = (class != Class::Single).then_some(class);
    }
    if start < text.len() {
        f(&text[start..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let mut words = Vec::new();
        each_word(text, |word| words.push(word));
        words
    }

    #[test]
    fn words_keep_their_space() {
        assert_eq!(
            words("A cat, 12 \n猫と犬！ x"),
            [
                "A",
                " cat",
                ",",
                " ",
                "1",
                "2",
                " ",
                "\n",
                "猫と犬",
                "！",
                " x",
            ]
        );
        assert_eq!(words("  two"), [" ", " two"]);
        assert!(words("").is_empty());
    }

    #[test]
    fn the_vocabulary_has_the_published_form_and_is_reproducible() {
        let texts = [
            "the cat sat on the mat",
            "一只猫坐在垫子上",
            "一只狗坐在垫子上",
        ];
        let build = || {
            VocabularyBuilder::new(140)
                .build(texts.repeat(3))
                .expect("large enough")
        };
        let vocabulary = build();
        assert_eq!(vocabulary, build());
        assert!(vocabulary.len() <= 140);
        let first: Vec<_> = vocabulary.iter().take(12).map(|(_, t)| t).collect();
        assert_eq!(first[1], "<unk>");
        assert_eq!(first[4..6], ["\n", " "]);
        assert_eq!(first[11], "!");
        assert_eq!(vocabulary.token(vocabulary.len() as u32 - 1), Some("<eod>"));
        assert!(vocabulary.id("一只").is_some());
        let again = Vocabulary::parse(vocabulary.to_file_content().as_bytes());
        assert_eq!(again.expect("valid"), vocabulary);
    }

    #[test]
    fn rare_characters_stay_out() {
        let vocabulary = VocabularyBuilder::new(130)
            .with_max_characters(1)
            .build(["猫猫狗"])
            .expect("large enough");
        assert!(vocabulary.id("猫").is_some());
        assert_eq!(vocabulary.id("狗"), None);
    }

    #[test]
    fn a_size_without_room_is_an_error() {
        assert!(matches!(
            VocabularyBuilder::new(50).build(["a"]),
            Err(LlmError::VocabularySize {
                size: 50,
                needed: 106
            })
        ));
    }

    #[test]
    fn texts_that_are_not_words_do_not_disturb() {
        for text in ["", "\u{0}\u{1}", "<ans>", "</n></_>", "\u{301}", "   "] {
            let vocabulary = VocabularyBuilder::new(200).build([text; 4]);
            assert!(vocabulary.is_ok(), "{text:?}: {vocabulary:?}");
        }
    }
}
