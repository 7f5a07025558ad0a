//! German phrases. Names come without an article, so they stand in quotation marks or
//! behind a colon.

use super::Templates;
use crate::emoji::{Category, Colour, Language};

pub(super) static TEMPLATES: Templates = Templates {
    naming: &[
        "Was ist das?",
        "Was ist auf dem Bild?",
        "Was zeigt das Bild?",
        "Was siehst du?",
        "Nenne, was auf dem Bild ist.",
        "Was ist hier zu sehen?",
    ],
    category: &[
        "Was für eine Art von Ding ist das?",
        "Zu welcher Kategorie gehört es?",
        "Welche Art von Ding ist hier zu sehen?",
        "Zu welcher Gruppe gehört das?",
        "In welche Kategorie passt es?",
    ],
    yes_no: &[
        "Nennt man das „{a_name}“?",
        "Passt der Name „{a_name}“?",
        "Passt das Wort „{a_name}“ zum Bild?",
        "Ist „{a_name}“ hier das richtige Wort?",
        "Würdest du das „{a_name}“ nennen?",
    ],
    choice: &[
        "Was ist das: {a_first} oder {a_second}?",
        "Was passt: {a_first} oder {a_second}?",
        "Was siehst du: {a_first} oder {a_second}?",
        "Was zeigt das Bild: {a_first} oder {a_second}?",
        "Wähle: {a_first} oder {a_second}?",
    ],
    keywords: &[
        "Welche Stichwörter passen?",
        "Nenne einige Stichwörter.",
        "Gib Stichwörter dazu an.",
        "Welche Wörter passen dazu?",
        "Beschreibe es mit Stichwörtern.",
    ],
    colour: &[
        "Welche Farbe hat es?",
        "Was ist seine Farbe?",
        "Nenne seine Farbe.",
        "In welcher Farbe ist es zu sehen?",
        "Welche Farbe hat dieses Ding?",
    ],
    translation: &[
        "Wie sagt man „{word}“ auf {language}?",
        "Was heißt „{word}“ auf {language}?",
        "Übersetze „{word}“. Wie heißt das auf {language}?",
        "Wie lautet das Wort „{word}“ auf {language}?",
        "Sag mir „{word}“ auf {language}.",
    ],
    ground: &[
        "Welche Farbe hat der Hintergrund?",
        "Was ist die Farbe des Hintergrunds?",
        "Nenne die Farbe des Hintergrunds.",
        "Was ist die Hintergrundfarbe?",
        "Vor welcher Farbe ist es zu sehen?",
    ],
    count: &[
        "Wie viele Dinge sind das?",
        "Wie viele siehst du?",
        "Zähle die Dinge auf dem Bild.",
        "Wie viele Dinge zeigt das Bild?",
        "Wie groß ist die Anzahl der Dinge?",
    ],
    left: &[
        "Was ist links?",
        "Was siehst du links?",
        "Nenne, was links ist.",
        "Was ist auf der linken Seite?",
        "Was ist links vom anderen?",
    ],
    right: &[
        "Was ist rechts?",
        "Was siehst du rechts?",
        "Nenne, was rechts ist.",
        "Was ist auf der rechten Seite?",
        "Was ist rechts vom anderen?",
    ],
    describe: &[
        "Beschreibe das Bild.",
        "Gib dem Bild eine Bildunterschrift.",
        "Schreibe eine Bildunterschrift.",
        "Was würdest du unter dieses Bild schreiben?",
        "Erzähle etwas über das Bild.",
    ],
    caption: &[
        "{name}",
        "Bild: {name}",
        "auf dem Bild: {name}",
        "das Bild zeigt: {name}",
        "Zeichnung: {name}",
    ],
    pair_caption: &[
        "links: {a_first}, rechts: {a_second}, Hintergrund: {ground}",
        "{a_first} links von {a_second}, Hintergrund: {ground}",
        "{a_second} rechts von {a_first}, Hintergrund: {ground}",
        "Hintergrund: {ground}, auf dem Bild: {a_first} und {a_second}",
        "{a_first} und {a_second}, der Hintergrund ist {ground}",
    ],
    count_caption: &[
        "{a_name}, Anzahl: {count}, Hintergrund: {ground}",
        "Anzahl: {count}, Motiv: {a_name}, Hintergrund: {ground}",
        "Hintergrund: {ground}, Motiv: {a_name}, Anzahl: {count}",
        "Motiv: {a_name}, Anzahl: {count}, der Hintergrund ist {ground}",
        "immer dasselbe Motiv: {a_name}, Anzahl: {count}",
    ],
    description: &[
        "{name}",
        "Bild: {name}",
        "hier zu sehen: {name}",
        "das sieht aus wie: {name}",
        "das Wort dafür: {name}",
    ],
    list_separator: ", ",
    yes: "ja",
    no: "nein",
    numbers: ["eins", "zwei", "drei", "vier"],
    category_word,
    colour_word,
    language_word,
    with_article: str::to_owned,
};

fn category_word(category: Category) -> &'static str {
    match category {
        Category::Animal => "Tier",
        Category::Plant => "Pflanze",
        Category::Fruit => "Obst",
        Category::Vegetable => "Gemüse",
        Category::Food => "Essen",
        Category::Drink => "Getränk",
        Category::Vehicle => "Fahrzeug",
        Category::Building => "Gebäude",
        Category::Place => "Ort",
        Category::Sky => "Himmel und Wetter",
        Category::Sport => "Sport",
        Category::Game => "Spiel",
        Category::Clothing => "Kleidung",
        Category::Instrument => "Musikinstrument",
        Category::Tool => "Werkzeug",
        Category::Heart => "Herz",
        Category::Shape => "Form",
        Category::Object => "Gegenstand",
    }
}

fn colour_word(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "rot",
        Colour::Orange => "orange",
        Colour::Yellow => "gelb",
        Colour::Green => "grün",
        Colour::Blue => "blau",
        Colour::Purple => "lila",
        Colour::Pink => "rosa",
        Colour::Brown => "braun",
        Colour::Grey => "grau",
        Colour::Black => "schwarz",
        Colour::White => "weiß",
    }
}

fn language_word(language: Language) -> &'static str {
    match language {
        Language::English => "Englisch",
        Language::Chinese => "Chinesisch",
        Language::ChineseTraditional => "traditionellem Chinesisch",
        Language::German => "Deutsch",
        Language::French => "Französisch",
        Language::Spanish => "Spanisch",
        Language::Italian => "Italienisch",
        Language::Portuguese => "Portugiesisch",
        Language::Japanese => "Japanisch",
        Language::Korean => "Koreanisch",
        Language::Arabic => "Arabisch",
        Language::Hindi => "Hindi",
        Language::Swahili => "Suaheli",
    }
}
