//! What the model learns to paint: emoji, among them simple shapes in many colours.

use emoji_training::{BoxError, sample_rng};
use mpm_data::{
    DataError,
    emoji::{
        Category, Colour, EVALUATION_GROUND, EmojiSet, Language, Scene, Split, Style, TaskOptions,
        Tasks,
    },
    picture::Picture,
};
use rand::{Rng, RngExt, seq::IndexedRandom};

use crate::recipe::Recipe;

/// The smallest side of a thing that is drawn smaller than the picture, in pixels.
const SMALLEST: u32 = 54;

/// How often a thing is asked for by nothing but its name.
const BARE_SHARE: f64 = 0.3;

/// A thing with its pictures.
#[derive(Clone, Debug)]
struct Thing {
    /// Its place among the names of the set.
    class: usize,
    is_shape: bool,
    /// Concepts of the set, each in a style.
    looks: Vec<Look>,
    /// Those of them that are painted.
    painted: Vec<Look>,
}

/// A concept of the set in a style.
type Look = (usize, Style);

/// The things, in a fixed order: their places are the classes of the judge.
pub struct Things {
    set: &'static EmojiSet,
    /// Describes things in English.
    tasks: Tasks<'static>,
    things: Vec<Thing>,
}

impl Things {
    /// `emoji` of the first `names` names with at least `pictures_per_thing` training pictures
    /// each, taken at equal distances so that all kinds occur, and all hearts and shapes of one
    /// colour.
    pub(crate) fn new(set: &'static EmojiSet, recipe: &Recipe) -> Result<Self, DataError> {
        let options = TaskOptions {
            named_in: match recipe.named_everywhere {
                true => recipe.languages.clone(),
                false => Vec::new(),
            },
            description_languages: vec![Language::English],
            ..TaskOptions::default()
        };
        let pictures = recipe.pictures_per_thing.get();
        let tasks = Tasks::new(set, &options)?;
        let mut looks = vec![Vec::new(); tasks.classes().len()];
        for (concept, style) in set.pairs() {
            let class = tasks
                .classes()
                .iter()
                .position(|class| class.concepts().contains(&concept));
            if let Some(class) = class
                && set.split(concept, style)? == Split::Train
            {
                looks[class].push((concept, style));
            }
        }
        let is_shape = |class: usize| {
            let concept = tasks.classes()[class].concepts()[0];
            let category = set.concepts()[concept].category();
            matches!(category, Category::Heart | Category::Shape)
                && Colour::of_name(tasks.name(class, Language::English)).is_some()
        };
        let (shapes, others): (Vec<_>, Vec<_>) = (0..looks.len())
            .filter(|&class| !looks[class].is_empty())
            .partition(|&class| is_shape(class));
        let known: Vec<_> = others
            .into_iter()
            .filter(|&class| class < recipe.names && looks[class].len() >= pictures)
            .collect();
        let emoji = recipe.emoji.min(known.len());
        let chosen = (0..emoji).map(|i| known[i * known.len() / emoji]);
        let shapes = shapes.into_iter().filter(|_| recipe.shapes);
        let thing = |class: usize| {
            let looks = &looks[class];
            let in_style = |style: &Style| looks.iter().find(|look| look.1 == *style);
            let preferred = recipe.styles.iter().find_map(in_style);
            Thing {
                class,
                is_shape: is_shape(class),
                looks: looks.clone(),
                painted: preferred.map_or_else(|| looks.clone(), |look| vec![*look]),
            }
        };
        let things = chosen.chain(shapes).map(thing).collect();
        Ok(Self { set, tasks, things })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.things.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    /// The name of a thing, in English where the language has none.
    pub fn name(&self, thing: usize, language: Language) -> &'static str {
        self.tasks.name(self.things[thing].class, language)
    }

    /// Whether the language has a name for a thing.
    pub fn is_named_in(&self, thing: usize, language: Language) -> bool {
        let class = self.tasks.classes()[self.things[thing].class];
        class.is_named_in(&[language])
    }

    /// A prompt of the trainer for a thing, in English: its name, alone or in a phrase, or its
    /// name among keywords.
    pub fn prompt(&self, thing: usize, seed: u64, index: u64) -> String {
        match sample_rng(!seed, index).random_bool(BARE_SHARE) {
            true => self.name(thing, Language::English).to_owned(),
            false => {
                let class = self.things[thing].class;
                self.tasks.description(class, seed, index)
            }
        }
    }

    /// Whether a thing is a heart or a shape of one colour.
    pub fn is_shape(&self, thing: usize) -> bool {
        self.things[thing].is_shape
    }

    /// In how many styles a thing is painted.
    pub fn painted_looks(&self, thing: usize) -> usize {
        self.things[thing].painted.len()
    }

    /// Draws a thing in any of its styles, a little moved and scaled, on a ground.
    ///
    /// # Errors
    /// [`DataError::Emoji`] for a damaged set.
    pub fn draw(
        &self,
        thing: usize,
        ground: [u8; 3],
        rng: &mut impl Rng,
    ) -> Result<Picture, DataError> {
        self.draw_one_of(&self.things[thing].looks, ground, rng)
    }

    fn draw_one_of(
        &self,
        looks: &[Look],
        ground: [u8; 3],
        rng: &mut impl Rng,
    ) -> Result<Picture, DataError> {
        let size = rng.random_range(SMALLEST..=Scene::SIZE);
        let x = rng.random_range(0..=Scene::SIZE - size);
        let y = rng.random_range(0..=Scene::SIZE - size);
        let &(concept, style) = looks
            .choose(rng)
            .expect("things without pictures were left out");
        let mut scene = Scene::single(concept, style, ground);
        let placed = &mut scene.emoji[0];
        (placed.x, placed.y, placed.size) = (x, y, size);
        self.set.compose(&scene)
    }

    /// Draws a thing as it is painted later: in the recipe's style, on the ground of all training
    /// pictures, `size` pixels wide and high.
    ///
    /// # Errors
    /// As [`draw`](Self::draw), and for a size of 0.
    pub fn draw_to_paint(
        &self,
        thing: usize,
        size: usize,
        rng: &mut impl Rng,
    ) -> Result<Picture, BoxError> {
        let looks = &self.things[thing].painted;
        resized(self.draw_one_of(looks, EVALUATION_GROUND, rng)?, size)
    }
}

/// A picture of `size` pixels along each side.
pub fn resized(picture: Picture, size: usize) -> Result<Picture, BoxError> {
    let side = u32::try_from(size)
        .ok()
        .and_then(std::num::NonZeroU32::new)
        .ok_or("the size of pictures must be positive")?;
    Ok(match picture.width() == side.get() {
        true => picture,
        false => picture.resize(side, side),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use std::path::Path;

    use super::*;

    #[test]
    fn a_thing_is_painted_in_the_first_style_that_it_has() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let set = EmojiSet::open(folder.join("../build-emoji-set/emoji.tar.zst")).unwrap();
        let set: &'static EmojiSet = Box::leak(Box::new(set));
        let mut recipe = Recipe::read(None).unwrap();
        recipe.styles = Vec::new();
        let every = recipe.things(set).unwrap();
        assert!(
            every
                .things
                .iter()
                .all(|thing| thing.painted == thing.looks)
        );

        recipe.styles = vec![Style::NotoV1, Style::Twemoji];
        let preferred = recipe.things(set).unwrap();
        assert_eq!(preferred.len(), every.len());
        let mut counts = [0; 3];
        for thing in &preferred.things {
            let look = |style| thing.looks.iter().find(|look| look.1 == style);
            let (case, expected) = match (look(Style::NotoV1), look(Style::Twemoji)) {
                (Some(look), _) => (0, vec![*look]),
                (None, Some(look)) => (1, vec![*look]),
                (None, None) => (2, thing.looks.clone()),
            };
            assert_eq!(thing.painted, expected);
            counts[case] += 1;
        }
        assert!(counts[..2].iter().all(|&count| count > 0), "{counts:?}");
    }
}
