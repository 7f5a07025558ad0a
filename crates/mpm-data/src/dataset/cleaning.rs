//! What is wrong with captions from the web, and what is asked for them.

use std::collections::BTreeMap;

use rand::{Rng, seq::IndexedRandom};
use serde::{Deserialize, Serialize};

use super::{Caption, Dialogue, DialogueTurn, Example, ExampleText, Flaw};

/// Separates captions that say the same.
const ALTERNATIVES: &str = "<cap_sep>";

/// What stands for names in Conceptual Captions and others.
const PERSON: &str = "<PERSON>";

/// Beginnings of tags that betray a piece of a web page.
const TAGS: [&str; 2] = ["<img", "<a href"];

/// How captions become texts to train on.
///
/// Reference: `clean_text` and `check_text_valid` in VisCPM's `finetune/dataset/itembuilder.py`,
/// with the sizes used there as defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaptionCleaning {
    /// A caption with fewer words is dropped, unless it has Chinese characters, which are not
    /// separated into words.
    pub min_words: usize,
    /// Of the regions of a picture of Visual Genome, those of more than this many pixels in
    /// width and height are taken, or else the one with the most words.
    pub min_region: u32,
}

impl Default for CaptionCleaning {
    /// 4 words, 160 pixels.
    fn default() -> Self {
        Self {
            min_words: 4,
            min_region: 160,
        }
    }
}

/// A region of a picture, as Visual Genome describes it.
#[derive(Deserialize)]
struct Region {
    phrase: String,
    width: f64,
    height: f64,
}

impl CaptionCleaning {
    /// The text of a caption; where there are several to choose from, `rng` chooses. `None` for
    /// one that is no caption.
    pub fn clean(&self, caption: &str, rng: &mut impl Rng) -> Option<String> {
        let text = caption.replace(PERSON, "");
        let alternatives: Vec<_> = text.split(ALTERNATIVES).collect();
        let chosen = alternatives.choose(rng)?.trim();
        let phrase = self.phrase(chosen, rng);
        let text = phrase.as_deref().unwrap_or(chosen).trim();
        let enough = contains_chinese(text) || text.split_whitespace().count() >= self.min_words;
        let web_page = TAGS.iter().any(|tag| text.contains(tag));
        (enough && !text.is_empty() && !web_page).then(|| text.to_owned())
    }

    /// The phrase of a region, if the text is a list of them.
    fn phrase(&self, text: &str, rng: &mut impl Rng) -> Option<String> {
        if !(text.starts_with("[{") && text.ends_with("}]")) {
            return None;
        }
        let regions: Vec<Region> = serde_json::from_str(text).ok()?;
        let min = f64::from(self.min_region);
        let large: Vec<_> = regions
            .iter()
            .filter(|region| region.width > min && region.height > min)
            .collect();
        let words = |region: &&Region| region.phrase.split_whitespace().count();
        let region = large
            .choose(rng)
            .copied()
            .or_else(|| regions.iter().max_by_key(words));
        region.map(|region| region.phrase.clone())
    }

    /// Cleans the captions of an example and drops those that are none; conversations stay.
    ///
    /// # Errors
    /// [`Flaw::Missing`] when no caption is left.
    pub fn apply(&self, example: &mut Example, rng: &mut impl Rng) -> Result<(), Flaw> {
        if let ExampleText::Captions(captions) = &mut example.text {
            captions.retain_mut(|caption| match self.clean(&caption.text, rng) {
                Some(text) => {
                    caption.text = text;
                    true
                }
                None => false,
            });
            if captions.is_empty() {
                return Err(Flaw::Missing {
                    what: "usable caption",
                });
            }
        }
        Ok(())
    }
}

/// Whether a text has characters of Chinese (or of Japanese, which shares them).
fn contains_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// Questions that captions answer, by language (ISO 639-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaptionPrompts(pub BTreeMap<String, Vec<String>>);

/// The language of prompts where there are none in the caption's.
const FALLBACK: &str = "en";

impl Default for CaptionPrompts {
    /// Several wordings in English and Chinese.
    fn default() -> Self {
        let english = [
            "Say in one sentence what the picture shows.",
            "What can be seen here? Answer briefly.",
            "Write a short caption for this picture.",
            "In a few words, what is in the photo?",
            "Sum up what this image shows.",
            "Give a brief description of this picture.",
        ];
        let chinese = [
            "用一句话说说图里有什么。",
            "请简短地描述这张图片。",
            "这张图片上是什么？请简要回答。",
            "请给这张图配一句说明。",
            "概括一下图中的内容。",
            "这张照片拍的是什么？",
        ];
        let languages = [("en", english), ("zh", chinese)].into_iter();
        Self(
            languages
                .map(|(language, prompts)| (language.to_owned(), prompts.map(str::to_owned).into()))
                .collect(),
        )
    }
}

impl CaptionPrompts {
    /// A prompt in the language of a caption, or in English where there is none. A caption whose
    /// language is not known is taken for Chinese if it has its characters.
    pub fn choose(&self, caption: &Caption, rng: &mut impl Rng) -> Option<&str> {
        let guessed = match contains_chinese(&caption.text) {
            true => "zh",
            false => FALLBACK,
        };
        let language = caption.language.as_deref().unwrap_or(guessed);
        let prompts = self.0.get(language).or_else(|| self.0.get(FALLBACK))?;
        prompts.choose(rng).map(String::as_str)
    }

    /// The example's conversation, or a prompt with one of its captions as the answer. `None`
    /// without a prompt for it.
    pub fn dialogue(&self, text: &ExampleText, rng: &mut impl Rng) -> Option<Dialogue> {
        match text {
            ExampleText::Dialogue(dialogue) => Some(dialogue.clone()),
            ExampleText::Captions(captions) => {
                let caption = captions.choose(rng)?;
                Some(Dialogue {
                    language: caption.language.clone(),
                    turns: vec![DialogueTurn {
                        question: self.choose(caption, rng)?.to_owned(),
                        answer: caption.text.clone(),
                    }],
                })
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// What a caption can become.
    fn cleaned(caption: &str) -> HashSet<Option<String>> {
        let seeds = 0..64;
        seeds
            .map(|seed| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                CaptionCleaning::default().clean(caption, &mut rng)
            })
            .collect()
    }

    fn set<const N: usize>(texts: [&str; N]) -> HashSet<Option<String>> {
        texts.map(|text| Some(text.to_owned())).into()
    }

    #[test]
    fn captions_are_cleaned_as_in_the_reference() {
        assert_eq!(
            cleaned("a dog on grass<cap_sep>one dog is playing"),
            set(["a dog on grass", "one dog is playing"])
        );
        assert_eq!(
            cleaned("<PERSON> walks a dog home "),
            set(["walks a dog home"])
        );
        assert_eq!(cleaned("狗"), set(["狗"]));
        for dropped in [
            "a brown dog",
            "",
            "  ",
            "see <img src=x> for the dog",
            "go to <a href=x>this page</a>",
        ] {
            assert_eq!(cleaned(dropped), [None].into(), "{dropped}");
        }
    }

    #[test]
    fn regions_of_visual_genome_give_the_phrases_of_large_ones() {
        let region =
            |phrase, side| format!(r#"{{"phrase":"{phrase}","width":{side},"height":{side}}}"#);
        let list = |regions: &[String]| format!("[{}]", regions.join(","));
        let (small, first, second) = (
            region("a very small dog sits there", 160),
            region("a dog on grass", 161),
            region("a cat on grass", 300),
        );
        assert_eq!(
            cleaned(&list(&[small.clone(), first, second])),
            set(["a dog on grass", "a cat on grass"])
        );
        assert_eq!(
            cleaned(&list(&[region("a dog", 5), small])),
            set(["a very small dog sits there"])
        );
        // What only looks like a list stays as it is.
        assert_eq!(cleaned("[{this is no list}]"), set(["[{this is no list}]"]));
    }

    #[test]
    fn prompts_are_in_the_language_of_the_caption() {
        let prompts = CaptionPrompts::default();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (language, caption, own) in [
            (None, "a dog", &prompts.0["en"]),
            (None, "一只狗", &prompts.0["zh"]),
            (Some("zh"), "OK", &prompts.0["zh"]),
            // There are none in Swahili.
            (Some("sw"), "mbwa", &prompts.0["en"]),
        ] {
            let text = ExampleText::Captions(vec![Caption {
                language: language.map(str::to_owned),
                text: caption.into(),
            }]);
            let asked: HashSet<String> = (0..99)
                .map(|_| {
                    let turn = prompts.dialogue(&text, &mut rng).unwrap().turns.remove(0);
                    assert_eq!(turn.answer, caption);
                    turn.question
                })
                .collect();
            assert_eq!(asked, own.iter().cloned().collect());
        }
    }

    proptest! {
        #[test]
        fn no_caption_makes_cleaning_panic(caption in r#"(\[\{)?[<>a-z 狗"{}:]{0,40}(<cap_sep>.{0,9})?(\}\])?"#) {
            for text in cleaned(&caption).into_iter().flatten() {
                prop_assert!(!text.trim().is_empty());
                prop_assert!(!text.contains(PERSON));
            }
        }
    }
}
