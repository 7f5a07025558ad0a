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
    // pig nose, paw prints
    "1f43d", "1f43e", // feather, wing
    "1fab6", "1fabd", // shell, spider web
    "1f41a", "1f578", // nests
    "1fab9", "1faba", // bouquet
    "1f490", // baby bottle
    "1f37c", // chopsticks, spoon
    "1f962", "1f944", // compass
    "1f9ed", // brick, rock, wood
    "1f9f1", "1faa8", "1fab5", // tent, barber pole
    "26fa", "1f488", // bus stop, highway, railway track
    "1f68f", "1f6e3", "1f6e4", // oil drum, fuel pump, wheel
    "1f6e2", "26fd", "1f6de", // siren, traffic lights, stop sign, roadblock
    "1f6a8", "1f6a5", "1f6a6", "1f6d1", "1f6a7",
    // anchor, lifebuoy, parachute, seat, satellite
    "2693", "1f6df", "1fa82", "1f4ba", "1f6f0", // thermometer, umbrellas
    "1f321", "1f302", "2602", "2614", "26f1", // snowmen, fire
    "2603", "26c4", "1f525", // fan, comb, lipstick, gem, prayer beads
    "1faad", "1faae", "1f484", "1f48e", "1f4ff",
];
