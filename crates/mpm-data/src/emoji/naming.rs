//! Clean names: what to answer when asked "What is this?".

use std::collections::{BTreeMap, HashMap};

use super::naming_cldr::{cldr_name, cleaned, folded};
use super::naming_table::{EXCLUDED, NAMES, RANKING};
use super::{Concept, Language};

/// Names of more words (in English) are descriptions, not names.
const MAX_ENGLISH_WORDS: usize = 4;

/// Names of more characters (in Chinese) are descriptions, not names.
const MAX_CHINESE_CHARS: usize = 7;

/// Concepts that share a name, and the name in each language.
///
/// English and Chinese names are distinct between classes and checked by hand;
/// the others are CLDR's, cleaned by rule, and absent where that leaves none or
/// two classes would share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameClass {
    concepts: Vec<usize>,
    names: BTreeMap<Language, String>,
    accepted: BTreeMap<Language, Vec<String>>,
}

impl NameClass {
    /// The concepts of that name, in the set's order; never empty.
    #[must_use]
    pub fn concepts(&self) -> &[usize] {
        &self.concepts
    }

    /// The name. English and simplified Chinese always have one.
    #[must_use]
    pub fn name(&self, language: Language) -> Option<&str> {
        self.names.get(&language).map(String::as_str)
    }

    /// Whether there is a name in each of the languages.
    #[must_use]
    pub fn is_named_in(&self, languages: &[Language]) -> bool {
        languages
            .iter()
            .all(|language| self.names.contains_key(language))
    }

    /// All answers that count as right: the name, and CLDR's own names of the
    /// concepts.
    #[must_use]
    pub fn accepted(&self, language: Language) -> &[String] {
        self.accepted.get(&language).map_or(&[], Vec::as_slice)
    }

    /// Whether an answer names this class: the case of letters, an English
    /// article, and a full stop at the end do not matter.
    #[must_use]
    pub fn accepts(&self, answer: &str, language: Language) -> bool {
        let answer = plain(answer);
        self.accepted(language)
            .iter()
            .any(|name| plain(name) == answer)
    }
}

/// An answer without what does not matter.
fn plain(text: &str) -> String {
    let text = text.trim().trim_end_matches(['.', '。']).to_lowercase();
    ["a ", "an ", "the "]
        .iter()
        .find_map(|article| text.strip_prefix(article))
        .unwrap_or(&text)
        .to_owned()
}

/// The name classes of a set, in the order in which they are best learnt.
#[derive(Clone, Debug)]
pub struct Naming {
    classes: Vec<NameClass>,
    of_concept: HashMap<usize, usize>,
}

impl Naming {
    /// Cleans the names of all concepts.
    pub(super) fn new(concepts: &[Concept]) -> Self {
        let mut by_names: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        for (index, concept) in concepts.iter().enumerate() {
            if let Some(names) = names_by_hand_or_rule(concept) {
                by_names.entry(names).or_default().push(index);
            }
        }
        let mut groups: Vec<_> = by_names.into_iter().collect();
        groups.sort_by_key(|(_, members)| {
            let first = members[0];
            let subgroup = concepts[first].subgroup.as_str();
            let rank = RANKING.iter().position(|known| *known == subgroup);
            (rank.unwrap_or(RANKING.len()), first)
        });
        let mut classes: Vec<_> = groups
            .into_iter()
            .map(|((english, chinese), members)| class(concepts, members, english, chinese))
            .collect();
        for language in Language::ALL {
            drop_shared_names(&mut classes, language);
        }
        // A name that another class shares in English or Chinese would make
        // both answers wrong half of the time.
        classes.retain(|class| {
            class.name(Language::English).is_some() && class.name(Language::Chinese).is_some()
        });
        let of_concept = classes
            .iter()
            .enumerate()
            .flat_map(|(number, class)| class.concepts.iter().map(move |&index| (index, number)))
            .collect();
        Self {
            classes,
            of_concept,
        }
    }

    /// All classes, the ones to learn first at the front.
    #[must_use]
    pub fn classes(&self) -> &[NameClass] {
        &self.classes
    }

    /// The first `count` classes: animals, food, vehicles, everyday objects,
    /// then the rest. All of them where there are fewer.
    #[must_use]
    pub fn naming_concepts(&self, count: usize) -> &[NameClass] {
        &self.classes[..count.min(self.classes.len())]
    }

    /// The classes that have a name in each of the languages, in the order of
    /// [`classes`](Self::classes).
    pub fn named_in<'a>(
        &'a self,
        languages: &'a [Language],
    ) -> impl Iterator<Item = &'a NameClass> {
        let classes = self.classes.iter();
        classes.filter(|class| class.is_named_in(languages))
    }

    /// Replaces names in a language, by the English ones.
    pub(super) fn rename(&mut self, language: Language, names: &HashMap<String, String>) {
        for class in &mut self.classes {
            if let Some(name) = names.get(&class.names[&Language::English]) {
                class.names.insert(language, name.clone());
                class.accepted.insert(language, vec![name.clone()]);
            }
        }
    }

    /// The class of a concept, if it has a clean name.
    #[must_use]
    pub fn class_of(&self, concept: usize) -> Option<&NameClass> {
        self.of_concept
            .get(&concept)
            .map(|&number| &self.classes[number])
    }
}

/// English and Chinese name of a concept, unless it is excluded.
fn names_by_hand_or_rule(concept: &Concept) -> Option<(String, String)> {
    let id = concept.id.as_str();
    if EXCLUDED.iter().any(|(_, ids)| ids.contains(&id)) {
        return None;
    }
    if let Some((_, english, chinese)) = NAMES.iter().find(|row| row.0 == id) {
        return Some(((*english).to_owned(), (*chinese).to_owned()));
    }
    let english = cleaned(&concept.texts.get(&Language::English)?.name);
    let chinese = cleaned(&concept.texts.get(&Language::Chinese)?.name);
    let short = english.split_whitespace().count() <= MAX_ENGLISH_WORDS
        && chinese.chars().count() <= MAX_CHINESE_CHARS;
    short.then_some((english, chinese))
}

fn class(concepts: &[Concept], members: Vec<usize>, english: String, chinese: String) -> NameClass {
    // Of dog and dog face, the one that CLDR calls "dog" knows the word for it
    // in the other languages.
    let model = members
        .iter()
        .copied()
        .find(|&index| concepts[index].texts[&Language::English].name == english)
        .unwrap_or(members[0]);
    let model = &concepts[model];
    let mut names: BTreeMap<_, _> = Language::ALL
        .into_iter()
        .filter_map(|language| Some((language, cldr_name(model, language, &english)?)))
        .collect();
    names.insert(Language::English, english);
    names.insert(Language::Chinese, chinese);
    let accepted = names
        .iter()
        .map(|(&language, name)| {
            let mut accepted = vec![name.clone()];
            for &index in &members {
                if let Some(published) = concepts[index].texts.get(&language) {
                    accepted.push(published.name.clone());
                }
            }
            accepted.sort();
            accepted.dedup();
            (language, accepted)
        })
        .collect();
    NameClass {
        concepts: members,
        names,
        accepted,
    }
}

/// Takes the name in one language from all classes that share it.
fn drop_shared_names(classes: &mut [NameClass], language: Language) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for class in classes.iter() {
        if let Some(name) = class.name(language) {
            *counts.entry(folded(name)).or_default() += 1;
        }
    }
    for class in classes {
        class
            .names
            .retain(|&of, name| of != language || counts[&folded(name)] == 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_concept_is_named_twice_or_named_and_excluded() {
        let named = NAMES.iter().map(|row| row.0);
        let excluded = EXCLUDED.iter().flat_map(|(_, ids)| ids.iter().copied());
        let mut ids: Vec<_> = named.chain(excluded).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
