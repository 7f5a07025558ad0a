//! What kind of thing a concept is.

use serde::{Deserialize, Serialize};

/// The kind of thing that a concept is, derived from emojibase's subgroups.
///
/// Finer than CLDR's character labels where one word helps a learner more
/// (fruit, vehicle), so only some have a CLDR label in every language:
/// [`Category::cldr_label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Category {
    /// Mammals, birds, fish, insects and the like
    Animal,
    /// Flowers, trees, leaves
    Plant,
    /// Fruit
    Fruit,
    /// Vegetables
    Vegetable,
    /// Dishes, bread, sweets
    Food,
    /// Drinks and what they come in
    Drink,
    /// What carries people on land, on water and in the air
    Vehicle,
    /// Houses and public buildings
    Building,
    /// Landscapes and other places
    Place,
    /// Sun, moon, stars, clouds
    Sky,
    /// Sports and what they are played with
    Sport,
    /// Games and toys
    Game,
    /// Clothes, shoes, bags, jewellery
    Clothing,
    /// Musical instruments
    Instrument,
    /// Tools
    Tool,
    /// Hearts
    Heart,
    /// Circles, squares, triangles
    Shape,
    /// Everything else that can be picked up
    Object,
}

impl Category {
    /// Every category, in the order of the enum.
    pub const ALL: [Self; 18] = [
        Self::Animal,
        Self::Plant,
        Self::Fruit,
        Self::Vegetable,
        Self::Food,
        Self::Drink,
        Self::Vehicle,
        Self::Building,
        Self::Place,
        Self::Sky,
        Self::Sport,
        Self::Game,
        Self::Clothing,
        Self::Instrument,
        Self::Tool,
        Self::Heart,
        Self::Shape,
        Self::Object,
    ];

    /// The category of a concept in an emojibase subgroup such as `animal-bird`.
    ///
    /// A few concepts are not what their subgroup says (the stop sign sits among
    /// the vehicles): those are objects.
    pub(super) fn of(subgroup: &str, id: &str) -> Self {
        if NOT_OF_THEIR_SUBGROUP.contains(&id) {
            return Self::Object;
        }
        match subgroup {
            "animal-mammal" | "animal-bird" | "animal-amphibian" | "animal-reptile"
            | "animal-marine" | "animal-bug" => Self::Animal,
            "plant-flower" | "plant-other" => Self::Plant,
            "food-fruit" => Self::Fruit,
            "food-vegetable" => Self::Vegetable,
            "food-prepared" | "food-asian" | "food-sweet" => Self::Food,
            "drink" => Self::Drink,
            "transport-ground" | "transport-water" | "transport-air" => Self::Vehicle,
            "place-building" | "place-religious" => Self::Building,
            "place-map" | "place-geographic" | "place-other" => Self::Place,
            "sky-weather" => Self::Sky,
            "sport" => Self::Sport,
            "game" => Self::Game,
            "clothing" => Self::Clothing,
            "musical-instrument" => Self::Instrument,
            "tool" => Self::Tool,
            "heart" => Self::Heart,
            "geometric" => Self::Shape,
            _ => Self::Object,
        }
    }

    /// The key of the CLDR character label that says the same, where there is one.
    #[must_use]
    pub fn cldr_label(self) -> Option<&'static str> {
        match self {
            Self::Animal => Some("animal"),
            Self::Plant => Some("plant"),
            Self::Fruit | Self::Vegetable | Self::Food | Self::Drink => Some("food_drink"),
            Self::Building => Some("building"),
            Self::Place => Some("place"),
            Self::Vehicle => Some("travel"),
            Self::Sky => Some("weather"),
            Self::Sport => Some("sport"),
            Self::Game => Some("activities"),
            Self::Instrument => Some("musical_symbols"),
            Self::Heart => Some("heart"),
            Self::Shape => Some("geometric_shapes"),
            Self::Clothing | Self::Tool | Self::Object => Some("objects"),
        }
    }
}

/// Ids of concepts that are merely near what their subgroup is about.
const NOT_OF_THEIR_SUBGROUP: &[&str] = &[
    "1f43d", // pig nose
    "1f43e", // paw prints
    "1fab6", // feather
    "1fabd", // wing
    "1f41a", // spiral shell
    "1f578", // spider web
    "1fab9", // empty nest
    "1faba", // nest with eggs
    "1f490", // bouquet
    "1f37c", // baby bottle
    "1f962", // chopsticks
    "1f944", // spoon
    "1f9ed", // compass
    "1f9f1", // brick
    "1faa8", // rock
    "1fab5", // wood
    "26fa",  // tent
    "1f488", // barber pole
    "1f68f", // bus stop
    "1f6e3", // motorway
    "1f6e4", // railway track
    "1f6e2", // oil drum
    "26fd",  // fuel pump
    "1f6de", // wheel
    "1f6a8", // siren
    "1f6a5", // horizontal traffic light
    "1f6a6", // vertical traffic light
    "1f6d1", // stop sign
    "1f6a7", // construction sign
    "2693",  // anchor
    "1f6df", // ring buoy
    "1fa82", // parachute
    "1f4ba", // seat
    "1f6f0", // satellite
    "1f321", // thermometer
    "1f302", // closed umbrella
    "2602",  // umbrella
    "2614",  // umbrella with rain drops
    "26f1",  // umbrella on ground
    "2603",  // snowman
    "26c4",  // snowman without snow
    "1f525", // fire
    "1faad", // folding hand fan
    "1faae", // hair pick
    "1f484", // lipstick
    "1f48e", // gem stone
    "1f4ff", // prayer beads
];
