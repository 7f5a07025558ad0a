//! English phrases.

use super::Templates;
use crate::emoji::{Category, Colour, Language};

pub(super) static TEMPLATES: Templates = Templates {
    naming: &[
        "What is this?",
        "What is in the picture?",
        "What does the picture show?",
        "What do you see?",
        "Name the thing in the picture.",
        "What is shown here?",
        "Can you tell me what this is?",
    ],
    category: &[
        "What kind of thing is this?",
        "Which category does it belong to?",
        "What type of thing is shown?",
        "To which group does this belong?",
        "What sort of thing do you see?",
    ],
    yes_no: &[
        "Is this {a_name}?",
        "Does the picture show {a_name}?",
        "Do you see {a_name}?",
        "Is {a_name} shown here?",
        "Would you say that this is {a_name}?",
    ],
    choice: &[
        "Is this {a_first} or {a_second}?",
        "Which is it, {a_first} or {a_second}?",
        "What do you see, {a_first} or {a_second}?",
        "Does the picture show {a_first} or {a_second}?",
        "Choose: {a_first} or {a_second}?",
    ],
    keywords: &[
        "Which keywords fit?",
        "List some keywords.",
        "Give keywords for this.",
        "What words go with it?",
        "Describe it with keywords.",
    ],
    colour: &[
        "What colour is it?",
        "Which colour does it have?",
        "Tell me its colour.",
        "What is its colour?",
        "Which colour is this thing?",
    ],
    translation: &[
        "How do you say {word} in {language}?",
        "What is {word} in {language}?",
        "Translate {word} into {language}.",
        "What is the {language} word for {word}?",
        "Tell me the {language} for {word}.",
    ],
    ground: &[
        "What colour is the background?",
        "Which colour does the background have?",
        "Tell me the colour of the background.",
        "What is the background colour?",
        "On which colour is it shown?",
    ],
    count: &[
        "How many things are there?",
        "How many do you see?",
        "Count the things in the picture.",
        "How many things does the picture show?",
        "What is the number of things?",
    ],
    left: &[
        "What is on the left?",
        "What do you see on the left?",
        "Name the thing on the left.",
        "What is on the left side?",
        "Which thing is left of the other?",
    ],
    right: &[
        "What is on the right?",
        "What do you see on the right?",
        "Name the thing on the right.",
        "What is on the right side?",
        "Which thing is right of the other?",
    ],
    describe: &[
        "Describe the picture.",
        "Give a caption.",
        "Write a caption for this picture.",
        "What would you write under this picture?",
        "Tell me about the picture.",
    ],
    caption: &[
        "{name}",
        "{a_name}",
        "a picture of {a_name}",
        "this is {a_name}",
        "the picture shows {a_name}",
        "a drawing of {a_name}",
    ],
    pair_caption: &[
        "{a_first} on the left and {a_second} on the right, on a {ground} background",
        "{a_first} left of {a_second} on a {ground} background",
        "{a_second} right of {a_first} on a {ground} background",
        "on a {ground} background: {a_first} and {a_second}",
        "{a_first} and {a_second}, the background is {ground}",
    ],
    count_caption: &[
        "{count} pictures of {a_name} on a {ground} background",
        "{count} times {a_name} on a {ground} background",
        "{a_name}, {count} times, the background is {ground}",
        "on a {ground} background: {count} times {a_name}",
        "the same thing {count} times: {a_name}",
    ],
    description: &[
        "{name}",
        "{a_name}",
        "a picture of {a_name}",
        "there is {a_name}",
        "it looks like {a_name}",
    ],
    list_separator: ", ",
    yes: "yes",
    no: "no",
    numbers: ["one", "two", "three", "four"],
    category_word,
    colour_word,
    language_word,
    with_article,
};

fn category_word(category: Category) -> &'static str {
    match category {
        Category::Animal => "animal",
        Category::Plant => "plant",
        Category::Fruit => "fruit",
        Category::Vegetable => "vegetable",
        Category::Food => "food",
        Category::Drink => "drink",
        Category::Vehicle => "vehicle",
        Category::Building => "building",
        Category::Place => "place",
        Category::Sky => "sky and weather",
        Category::Sport => "sport",
        Category::Game => "game",
        Category::Clothing => "clothing",
        Category::Instrument => "musical instrument",
        Category::Tool => "tool",
        Category::Heart => "heart",
        Category::Shape => "shape",
        Category::Object => "object",
    }
}

fn colour_word(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "red",
        Colour::Orange => "orange",
        Colour::Yellow => "yellow",
        Colour::Green => "green",
        Colour::Blue => "blue",
        Colour::Purple => "purple",
        Colour::Pink => "pink",
        Colour::Brown => "brown",
        Colour::Grey => "grey",
        Colour::Black => "black",
        Colour::White => "white",
    }
}

fn language_word(language: Language) -> &'static str {
    match language {
        Language::English => "English",
        Language::Chinese => "Chinese",
        Language::ChineseTraditional => "traditional Chinese",
        Language::German => "German",
        Language::French => "French",
        Language::Spanish => "Spanish",
        Language::Italian => "Italian",
        Language::Portuguese => "Portuguese",
        Language::Japanese => "Japanese",
        Language::Korean => "Korean",
        Language::Arabic => "Arabic",
        Language::Hindi => "Hindi",
        Language::Swahili => "Swahili",
    }
}

/// Names that take no article: masses, plurals that do not end in s, sports,
/// and proper names.
const NO_ARTICLE: &[&str] = &[
    "American football",
    "DNA",
    "Mount Fuji",
    "Saturn",
    "Tokyo Tower",
    "bacon",
    "badminton",
    "beer",
    "blood",
    "bowling",
    "bread",
    "broccoli",
    "bubble tea",
    "butter",
    "camping",
    "canned food",
    "champagne",
    "cheese",
    "chocolate",
    "coffee",
    "coral",
    "corn",
    "curry rice",
    "custard",
    "dango",
    "dice",
    "field hockey",
    "film",
    "fire",
    "fog",
    "fondue",
    "french fries",
    "fried shrimp",
    "garlic",
    "ginger",
    "golf",
    "honey",
    "ice",
    "ice cream",
    "ice hockey",
    "lacrosse",
    "lightning",
    "lotion",
    "mate",
    "meat on bone",
    "milk",
    "money with wings",
    "oden",
    "ping pong",
    "popcorn",
    "rain",
    "rice",
    "rugby",
    "sake",
    "salad",
    "salt",
    "shaved ice",
    "snow",
    "soap",
    "spaghetti",
    "steak",
    "sushi",
    "tea",
    "tennis",
    "toilet paper",
    "whisky",
    "wine",
    "wood",
    "thread",
    "yarn",
];

/// Names of one thing that end in s all the same.
const SINGULAR_IN_S: &[&str] = &[
    "abacus",
    "bus",
    "cactus",
    "compass",
    "dress",
    "hibiscus",
    "hippopotamus",
    "hourglass",
    "lotus",
    "magnifying glass",
    "minibus",
    "octopus",
    "rhinoceros",
    "trolleybus",
];

fn with_article(name: &str) -> String {
    let plural = name.ends_with('s') && !SINGULAR_IN_S.contains(&name);
    if plural || NO_ARTICLE.contains(&name) {
        return name.to_owned();
    }
    if matches!(
        name,
        "Kaaba" | "Statue of Liberty" | "globe" | "milky way" | "sun"
    ) {
        return format!("the {name}");
    }
    // Spelled with a vowel but spoken with "you", or the other way round.
    let vowel = name.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O']);
    let spoken = match name {
        "unicorn" => false,
        "SUV" | "X-ray" | "hourglass" => true,
        _ => vowel,
    };
    let article = if spoken { "an" } else { "a" };
    format!("{article} {name}")
}
