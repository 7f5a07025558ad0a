//! What the npm packages hold: concepts, words and drawings.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{ConceptFile, FORMAT, at};
use crate::DataError;
use crate::emoji::concept::{Concept, ConceptText};
use crate::emoji::{Category, EmojiError, Language, Style};

/// The emojibase groups that are taken whole.
const GROUPS: [&str; 5] = [
    "animals-nature",
    "food-drink",
    "travel-places",
    "activities",
    "objects",
];

/// The emojibase subgroups that are taken from other groups.
const SUBGROUPS: [&str; 2] = ["heart", "geometric"];

/// A concept is taken when all of these styles draw it: they are the complete
/// ones, so that every concept has three designs at least.
const COMPLETE_STYLES: [Style; 3] = [Style::Noto, Style::Twemoji, Style::FluentFlat];

/// A drawing that the set takes.
pub(super) struct Drawing {
    /// The concept's id
    pub concept: String,
    pub style: Style,
    /// The icon's name in its package
    pub icon: String,
    /// A whole SVG document
    pub svg: String,
}

/// The packages, parsed.
pub(super) struct Packages {
    folder: PathBuf,
    emoji: Vec<EmojibaseEmoji>,
    groups: EmojibaseGroups,
    unicode_names: HashMap<String, String>,
    icons: Vec<(Style, IconSet)>,
    /// Annotations by emoji without variation selectors
    annotations: BTreeMap<Language, HashMap<String, Annotation>>,
}

#[derive(Deserialize)]
struct EmojibaseEmoji {
    hexcode: String,
    emoji: String,
    label: String,
    group: Option<u32>,
    subgroup: Option<u32>,
    #[serde(default)]
    order: u32,
}

#[derive(Deserialize)]
struct EmojibaseGroups {
    groups: HashMap<u32, String>,
    subgroups: HashMap<u32, String>,
}

#[derive(Deserialize)]
struct IconSet {
    icons: HashMap<String, Icon>,
    #[serde(default)]
    aliases: HashMap<String, Alias>,
    #[serde(default = "iconify_default_side")]
    width: f32,
    #[serde(default = "iconify_default_side")]
    height: f32,
    /// `chars.json`: icon by code points
    #[serde(skip)]
    chars: HashMap<String, String>,
}

fn iconify_default_side() -> f32 {
    16.0
}

#[derive(Deserialize)]
struct Icon {
    body: String,
    width: Option<f32>,
    height: Option<f32>,
    #[serde(default)]
    left: f32,
    #[serde(default)]
    top: f32,
}

/// Another name of an icon. Those that also turn or mirror it have further
/// fields and are not used: none of the concepts needs one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainAlias {
    parent: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Alias {
    Plain(PlainAlias),
    Changed(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    default: Vec<String>,
    #[serde(default)]
    tts: Vec<String>,
}

impl Packages {
    /// Reads what is needed of the packages in a `node_modules` folder.
    pub(super) fn open(folder: &Path) -> Result<Self, DataError> {
        let icons = Style::ALL
            .iter()
            .map(|&style| {
                let package = folder.join(style.package());
                let mut set: IconSet = read(&package.join("icons.json"))?;
                set.chars = read(&package.join("chars.json"))?;
                Ok((style, set))
            })
            .collect::<Result<_, DataError>>()?;
        let annotations = Language::ALL
            .iter()
            .map(|&language| Ok((language, annotations(folder, language)?)))
            .collect::<Result<_, DataError>>()?;
        Ok(Self {
            emoji: read(&folder.join("emojibase-data/en/data.json"))?,
            groups: read(&folder.join("emojibase-data/meta/groups.json"))?,
            unicode_names: read(&folder.join("emojibase-data/meta/unicode-names.json"))?,
            icons,
            annotations,
            folder: folder.to_owned(),
        })
    }

    /// The concepts with their words, and a drawing for each of their styles.
    pub(super) fn concepts(&self) -> Result<(ConceptFile, Vec<Drawing>), DataError> {
        let mut emoji: Vec<_> = self.emoji.iter().collect();
        emoji.sort_by_key(|emoji| emoji.order);
        let mut concepts = Vec::new();
        let mut drawings = Vec::new();
        for emoji in emoji {
            let Some((group, subgroup)) = self.place(emoji) else {
                continue;
            };
            let id = id_of(&emoji.hexcode);
            let found: Vec<_> = self
                .icons
                .iter()
                .filter_map(|(style, set)| {
                    let icon = self.icon_name(*style, set, emoji)?;
                    let svg = set.svg(&icon)?;
                    let concept = id.clone();
                    let style = *style;
                    Some(Drawing {
                        concept,
                        style,
                        icon,
                        svg,
                    })
                })
                .collect();
            let styles: Vec<_> = found.iter().map(|drawing| drawing.style).collect();
            let texts = self.texts(&emoji.emoji);
            if !COMPLETE_STYLES.iter().all(|style| styles.contains(style))
                || texts.len() < Language::ALL.len()
            {
                continue;
            }
            drawings.extend(found);
            concepts.push(Concept {
                id,
                emoji: emoji.emoji.clone(),
                group: group.to_owned(),
                subgroup: subgroup.to_owned(),
                styles,
                texts,
            });
        }
        if concepts.is_empty() {
            let needed = "all complete styles draw and all languages name";
            return Err(at(&self.folder, EmojiError::NothingFound { needed }));
        }
        let labels = Language::ALL
            .iter()
            .map(|&language| Ok((language, self.labels(language)?)))
            .collect::<Result<_, DataError>>()?;
        let format = FORMAT;
        Ok((
            ConceptFile {
                format,
                labels,
                concepts,
            },
            drawings,
        ))
    }

    /// Group and subgroup, if the set takes that part of emojibase.
    fn place(&self, emoji: &EmojibaseEmoji) -> Option<(&str, &str)> {
        let group = self.groups.groups.get(&emoji.group?)?.as_str();
        let subgroup = self.groups.subgroups.get(&emoji.subgroup?)?.as_str();
        (GROUPS.contains(&group) || SUBGROUPS.contains(&subgroup)).then_some((group, subgroup))
    }

    /// The name of the icon that draws an emoji.
    ///
    /// By code points where `chars.json` knows them; otherwise by the slug of
    /// the CLDR name or of the Unicode name. FxEmoji's slugs have no hyphens.
    fn icon_name(&self, style: Style, set: &IconSet, emoji: &EmojibaseEmoji) -> Option<String> {
        if let Some(name) = set.chars.get(&id_of(&emoji.hexcode)) {
            return Some(name.clone());
        }
        let separator = if style == Style::FxEmoji { "" } else { "-" };
        [Some(&emoji.label), self.unicode_names.get(&emoji.hexcode)]
            .into_iter()
            .flatten()
            .map(|name| slug(name, separator))
            .find(|slug| set.icons.contains_key(slug) || set.aliases.contains_key(slug))
    }

    /// Name and keywords in each language that has them.
    fn texts(&self, emoji: &str) -> BTreeMap<Language, ConceptText> {
        let key = without_selectors(emoji);
        let text = |annotation: &Annotation| {
            let name = annotation.tts.first()?.clone();
            let mut keywords = annotation.default.clone();
            keywords.retain(|keyword| *keyword != name);
            Some(ConceptText { name, keywords })
        };
        self.annotations
            .iter()
            .filter_map(|(&language, all)| Some((language, text(all.get(&key)?)?)))
            .collect()
    }

    /// The CLDR character labels that categories use.
    fn labels(&self, language: Language) -> Result<BTreeMap<String, String>, DataError> {
        let path = self.folder.join(format!(
            "cldr-misc-full/main/{language}/characterLabels.json"
        ));
        let file: CldrLabels = read(&path)?;
        let mut labels: BTreeMap<_, _> = file
            .main
            .into_values()
            .flat_map(|locale| locale.character_labels)
            .collect();
        labels.retain(|key, _| {
            Category::ALL
                .iter()
                .any(|category| category.cldr_label() == Some(key))
        });
        Ok(labels)
    }
}

#[derive(Deserialize)]
struct CldrLabels {
    main: HashMap<String, CldrLocaleLabels>,
}

#[derive(Deserialize)]
struct CldrLocaleLabels {
    #[serde(rename = "characterLabels")]
    character_labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct CldrAnnotations {
    annotations: HashMap<String, Annotation>,
}

impl IconSet {
    /// A whole SVG document of an icon.
    fn svg(&self, name: &str) -> Option<String> {
        let icon = match (self.icons.get(name), self.aliases.get(name)) {
            (Some(icon), _) => icon,
            (None, Some(Alias::Plain(alias))) => self.icons.get(&alias.parent)?,
            _ => return None,
        };
        let (left, top) = (icon.left, icon.top);
        let width = icon.width.unwrap_or(self.width);
        let height = icon.height.unwrap_or(self.height);
        Some(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" \
             xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"64\" height=\"64\" \
             viewBox=\"{left} {top} {width} {height}\">{}</svg>",
            icon.body
        ))
    }
}

/// CLDR's annotations of a language, the derived ones included.
fn annotations(
    folder: &Path,
    language: Language,
) -> Result<HashMap<String, Annotation>, DataError> {
    let mut all = HashMap::new();
    for (package, key) in [
        ("cldr-annotations-derived-full", "annotationsDerived"),
        ("cldr-annotations-full", "annotations"),
    ] {
        let path = folder.join(format!("{package}/{key}/{language}/annotations.json"));
        let mut file: HashMap<String, CldrAnnotations> = read(&path)?;
        let annotations = file.remove(key).map(|file| file.annotations);
        for (emoji, annotation) in annotations.unwrap_or_default() {
            all.insert(without_selectors(&emoji), annotation);
        }
    }
    Ok(all)
}

/// The id of a concept: emojibase's hexcode in lower case, without selectors.
fn id_of(hexcode: &str) -> String {
    let points: Vec<_> = hexcode
        .split('-')
        .filter(|point| *point != "FE0F")
        .collect();
    points.join("-").to_lowercase()
}

/// Emoji data disagree on U+FE0F, so it is left out of comparisons.
fn without_selectors(emoji: &str) -> String {
    emoji.replace('\u{fe0f}', "")
}

/// `Mrs. Claus’ piñata` → `mrs-claus-pinata`.
fn slug(name: &str, separator: &str) -> String {
    let plain = name
        .to_lowercase()
        .replace(['’', '\''], "")
        .replace('ñ', "n");
    let words: Vec<_> = plain
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(separator)
}

/// Reads a JSON file of a package.
fn read<T: DeserializeOwned>(path: &Path) -> Result<T, DataError> {
    let bytes = std::fs::read(path).map_err(|e| {
        let source = match e.kind() {
            ErrorKind::NotFound => EmojiError::MissingPackage(e),
            _ => EmojiError::Read(e),
        };
        at(path, source)
    })?;
    serde_json::from_slice(&bytes).map_err(|e| at(path, EmojiError::Json(e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_those_of_the_packages() {
        assert_eq!(slug("woman’s hat", "-"), "womans-hat");
        assert_eq!(slug("piñata", "-"), "pinata");
        assert_eq!(slug("T-Rex", "-"), "t-rex");
        assert_eq!(slug("ADMISSION TICKETS", ""), "admissiontickets");
    }

    #[test]
    fn ids_have_no_selectors() {
        assert_eq!(id_of("1F43B-200D-2744-FE0F"), "1f43b-200d-2744");
    }

    #[test]
    fn icons_that_mirror_another_are_not_taken() {
        let set: IconSet = serde_json::from_str(
            r#"{"icons": {"left": {"body": "<g/>"}},
                "aliases": {"right": {"parent": "left", "hFlip": true},
                            "west": {"parent": "left"}}}"#,
        )
        .expect("the JSON above is an icon set");
        assert!(set.svg("west").is_some_and(|svg| svg.contains("<g/>")));
        assert_eq!(set.svg("right"), None);
        assert_eq!(set.svg("up"), None);
    }
}
