//! What the model learns to paint: emoji, and simple shapes in many colours.

use std::num::NonZeroUsize;

use mpm_data::{
    DataError,
    emoji::{
        Colour, EVALUATION_GROUND, EmojiSet, Language, Scene, Split, Style, TaskOptions, Tasks,
        descriptions,
    },
    picture::Picture,
};
use rand::{Rng, RngExt, seq::IndexedRandom};

use crate::shapes::{Shape, draw};

/// The smallest side of a thing that is drawn smaller than the picture, in pixels.
const SMALLEST: u32 = 54;

/// A thing with its names and pictures.
#[derive(Clone, Debug)]
pub struct Thing {
    english: String,
    chinese: String,
    looks: Looks,
}

/// How a thing can look.
#[derive(Clone, Debug)]
enum Looks {
    /// Concepts of the set, each in a style.
    Emoji(Vec<(usize, Style)>),
    /// A shape in a colour.
    Shape(Shape, Colour),
}

/// The things, in a fixed order: their places are the classes of the judge.
pub struct Things {
    set: &'static EmojiSet,
    things: Vec<Thing>,
}

impl Things {
    /// `emoji` things of the set with at least `pictures` training pictures each, taken at
    /// equal distances so that all kinds occur, and all shapes in all colours.
    pub fn new(
        set: &'static EmojiSet,
        emoji: usize,
        pictures: NonZeroUsize,
    ) -> Result<Self, DataError> {
        let tasks = Tasks::new(set, &TaskOptions::default())?;
        let name = |class, language| tasks.name(class, language).to_owned();
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
        let known: Vec<_> = (0..looks.len())
            .filter(|&class| looks[class].len() >= pictures.get())
            .collect();
        let emoji = emoji.min(known.len());
        let chosen = (0..emoji).map(|i| known[i * known.len() / emoji]);
        let mut things: Vec<_> = chosen
            .map(|class| Thing {
                english: name(class, Language::English),
                chinese: name(class, Language::Chinese),
                looks: Looks::Emoji(looks[class].clone()),
            })
            .collect();
        for shape in Shape::ALL {
            for colour in Colour::ALL {
                let word = |language| colour.word(language).unwrap_or_default();
                things.push(Thing {
                    english: format!("{} {}", word(Language::English), shape.english()),
                    chinese: format!("{}的{}", word(Language::Chinese), shape.chinese()),
                    looks: Looks::Shape(shape, colour),
                });
            }
        }
        Ok(Self { set, things })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.things.len()
    }

    /// The name of a thing.
    pub fn name(&self, thing: usize, language: Language) -> &str {
        match language {
            Language::Chinese => &self.things[thing].chinese,
            _ => &self.things[thing].english,
        }
    }

    /// The prompts that ask for a thing, its name first.
    pub fn prompts(&self, thing: usize, language: Language) -> Vec<String> {
        descriptions(self.name(thing, language), language)
    }

    /// Whether a thing is a shape in a colour.
    pub fn is_shape(&self, thing: usize) -> bool {
        matches!(self.things[thing].looks, Looks::Shape(..))
    }

    /// In how many ways a thing was drawn.
    pub fn looks(&self, thing: usize) -> usize {
        match &self.things[thing].looks {
            Looks::Emoji(pairs) => pairs.len(),
            Looks::Shape(..) => 1,
        }
    }

    /// Draws a thing, one look at random, a little moved and scaled, on a ground.
    pub fn draw(
        &self,
        thing: usize,
        ground: [u8; 3],
        rng: &mut impl Rng,
    ) -> Result<Picture, DataError> {
        let size = rng.random_range(SMALLEST..=Scene::SIZE);
        let x = rng.random_range(0..=Scene::SIZE - size);
        let y = rng.random_range(0..=Scene::SIZE - size);
        match &self.things[thing].looks {
            Looks::Shape(shape, colour) => {
                let shade = colour.rgb().map(|level| vary(level, rng));
                let picture = draw(*shape, shade, ground, [x, y, size]);
                Ok(picture)
            }
            Looks::Emoji(pairs) => {
                let &(concept, style) = pairs
                    .choose(rng)
                    .expect("things without pictures were left out");
                let mut scene = Scene::single(concept, style, ground);
                let placed = &mut scene.emoji[0];
                (placed.x, placed.y, placed.size) = (x, y, size);
                self.set.compose(&scene)
            }
        }
    }

    /// Draws a thing as it is painted later: on the ground of all training pictures.
    pub fn draw_to_paint(&self, thing: usize, rng: &mut impl Rng) -> Result<Picture, DataError> {
        self.draw(thing, EVALUATION_GROUND, rng)
    }
}

/// A shade close to a level.
fn vary(level: u8, rng: &mut impl Rng) -> u8 {
    /// As far as a shade keeps the colour's name, see [`Colour::rgb`].
    const SHADE: i16 = 12;
    (i16::from(level) + rng.random_range(-SHADE..=SHADE)).clamp(0, 255) as u8
}
