//! Ids for tokens that are not in the vocabulary.

use std::collections::HashMap;

/// Texts with ids after the vocabulary's: unknown words and instances of special tokens.
///
/// Entries keep the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtTable {
    entries: Vec<(i32, String)>,
    index_by_id: HashMap<i32, usize>,
    id_by_text: HashMap<String, i32>,
}

impl ExtTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The text of an id.
    pub fn get(&self, id: i32) -> Option<&str> {
        let index = *self.index_by_id.get(&id)?;
        self.entries.get(index).map(|(_, text)| text.as_str())
    }

    /// The id of a text.
    pub fn id(&self, text: &str) -> Option<i32> {
        self.id_by_text.get(text).copied()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries in their order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &str)> {
        self.entries.iter().map(|(id, text)| (*id, text.as_str()))
    }

    /// Sets the text of an id; a text that the id had before is replaced.
    pub fn insert(&mut self, id: i32, text: impl Into<String>) {
        let text = text.into();
        self.id_by_text.insert(text.clone(), id);
        match self.index_by_id.get(&id) {
            Some(&index) => {
                let old = std::mem::replace(&mut self.entries[index].1, text);
                if self.id_by_text.get(&old) == Some(&id) && self.entries[index].1 != old {
                    self.id_by_text.remove(&old);
                }
            }
            None => {
                self.index_by_id.insert(id, self.entries.len());
                self.entries.push((id, text));
            }
        }
    }

    /// The id of a text, a new one after the vocabulary where it has none.
    pub(crate) fn id_or_insert(&mut self, text: &str, vocab_size: usize) -> i32 {
        if let Some(id) = self.id(text) {
            return id;
        }
        let mut id = (vocab_size + self.id_by_text.len()) as i32;
        // A table with gaps may hold that id already.
        while self.index_by_id.contains_key(&id) {
            id += 1;
        }
        self.insert(id, text);
        id
    }

    /// Forgets all but the first `len` entries.
    pub(crate) fn truncate(&mut self, len: usize) {
        for (id, text) in self.entries.drain(len.min(self.entries.len())..) {
            self.index_by_id.remove(&id);
            self.id_by_text.remove(&text);
        }
    }
}

impl<S: Into<String>> FromIterator<(i32, S)> for ExtTable {
    fn from_iter<I: IntoIterator<Item = (i32, S)>>(entries: I) -> Self {
        let mut table = Self::new();
        for (id, text) in entries {
            table.insert(id, text);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_ids_follow_the_vocabulary_and_avoid_taken_ones() {
        let mut table = ExtTable::from_iter([(12, "a")]);
        assert_eq!(table.id_or_insert("b", 10), 11);
        assert_eq!(table.id_or_insert("c", 10), 13);
        assert_eq!(table.id_or_insert("b", 10), 11);
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn insert_replaces_the_text_of_an_id() {
        let mut table = ExtTable::from_iter([(12, "a"), (12, "b")]);
        assert_eq!((table.get(12), table.id("a")), (Some("b"), None));
        table.insert(12, "b");
        assert_eq!(table.id("b"), Some(12));
    }

    #[test]
    fn truncate_forgets_the_newest() {
        let mut table = ExtTable::from_iter([(12, "a"), (13, "b")]);
        table.truncate(1);
        assert_eq!((table.get(13), table.id("b"), table.len()), (None, None, 1));
    }
}
