//! Spanish phrases. Names come without an article, so they stand in quotation marks or
//! behind a colon.

use super::Templates;
use crate::emoji::{Category, Colour, Language};

pub(super) static TEMPLATES: Templates = Templates {
    naming: &[
        "¿Qué es esto?",
        "¿Qué hay en la imagen?",
        "¿Qué muestra la imagen?",
        "¿Qué ves?",
        "Nombra lo que hay en la imagen.",
        "¿Qué se ve aquí?",
    ],
    category: &[
        "¿Qué clase de cosa es esto?",
        "¿A qué categoría pertenece?",
        "¿Qué tipo de cosa se muestra?",
        "¿A qué grupo pertenece esto?",
        "¿Qué tipo de cosa ves?",
    ],
    yes_no: &[
        "¿Se llama esto «{a_name}»?",
        "¿Es correcto el nombre «{a_name}»?",
        "¿Va la palabra «{a_name}» con la imagen?",
        "¿Es «{a_name}» la palabra correcta?",
        "¿Dirías que esto es «{a_name}»?",
    ],
    choice: &[
        "¿Qué es esto: {a_first} o {a_second}?",
        "¿Qué es lo correcto: {a_first} o {a_second}?",
        "¿Qué ves: {a_first} o {a_second}?",
        "¿Qué muestra la imagen: {a_first} o {a_second}?",
        "Elige: ¿{a_first} o {a_second}?",
    ],
    keywords: &[
        "¿Qué palabras clave encajan?",
        "Enumera algunas palabras clave.",
        "Da palabras clave para esto.",
        "¿Qué palabras van con esto?",
        "Descríbelo con palabras clave.",
    ],
    colour: &[
        "¿De qué color es?",
        "¿Qué color tiene?",
        "Dime su color.",
        "¿Cuál es su color?",
        "¿De qué color es esta cosa?",
    ],
    translation: &[
        "¿Cómo se dice «{word}» en {language}?",
        "¿Qué es «{word}» en {language}?",
        "Traduce «{word}». ¿Cómo se dice en {language}?",
        "¿Cuál es la palabra para «{word}» en {language}?",
        "Dime «{word}» en {language}.",
    ],
    ground: &[
        "¿De qué color es el fondo?",
        "¿Qué color tiene el fondo?",
        "Dime el color del fondo.",
        "¿Cuál es el color del fondo?",
        "¿Sobre qué color se muestra?",
    ],
    count: &[
        "¿Cuántos objetos hay?",
        "¿Cuántos ves?",
        "Cuenta los objetos de la imagen.",
        "¿Cuántos objetos muestra la imagen?",
        "¿Cuál es el número de objetos?",
    ],
    left: &[
        "¿Qué hay a la izquierda?",
        "¿Qué ves a la izquierda?",
        "Nombra lo que está a la izquierda.",
        "¿Qué hay en el lado izquierdo?",
        "¿Qué está a la izquierda de lo otro?",
    ],
    right: &[
        "¿Qué hay a la derecha?",
        "¿Qué ves a la derecha?",
        "Nombra lo que está a la derecha.",
        "¿Qué hay en el lado derecho?",
        "¿Qué está a la derecha de lo otro?",
    ],
    describe: &[
        "Describe la imagen.",
        "Da un título a la imagen.",
        "Escribe un título para esta imagen.",
        "¿Qué escribirías debajo de esta imagen?",
        "Háblame de la imagen.",
    ],
    caption: &[
        "{name}",
        "imagen: {name}",
        "en la imagen: {name}",
        "la imagen muestra: {name}",
        "dibujo: {name}",
    ],
    pair_caption: &[
        "a la izquierda: {a_first}, a la derecha: {a_second}, fondo {ground}",
        "{a_first} a la izquierda y {a_second} a la derecha, sobre fondo {ground}",
        "a la derecha: {a_second}, a la izquierda: {a_first}, el fondo es {ground}",
        "sobre fondo {ground}: {a_first} con {a_second}",
        "{a_first} con {a_second}, el fondo es {ground}",
    ],
    count_caption: &[
        "{a_name}, cantidad: {count}, fondo {ground}",
        "cantidad: {count}, motivo: {a_name}, sobre fondo {ground}",
        "sobre fondo {ground}: {a_name}, cantidad: {count}",
        "motivo: {a_name}, cantidad: {count}, el fondo es {ground}",
        "siempre el mismo motivo: {a_name}, cantidad: {count}",
    ],
    description: &[
        "{name}",
        "imagen: {name}",
        "aquí se ve: {name}",
        "esto parece: {name}",
        "la palabra es: {name}",
    ],
    list_separator: ", ",
    yes: "sí",
    no: "no",
    numbers: ["uno", "dos", "tres", "cuatro"],
    category_word,
    colour_word,
    language_word,
    with_article: str::to_owned,
};

fn category_word(category: Category) -> &'static str {
    match category {
        Category::Animal => "animal",
        Category::Plant => "planta",
        Category::Fruit => "fruta",
        Category::Vegetable => "verdura",
        Category::Food => "comida",
        Category::Drink => "bebida",
        Category::Vehicle => "vehículo",
        Category::Building => "edificio",
        Category::Place => "lugar",
        Category::Sky => "cielo y tiempo",
        Category::Sport => "deporte",
        Category::Game => "juego",
        Category::Clothing => "ropa",
        Category::Instrument => "instrumento musical",
        Category::Tool => "herramienta",
        Category::Heart => "corazón",
        Category::Shape => "forma",
        Category::Object => "objeto",
    }
}

fn colour_word(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "rojo",
        Colour::Orange => "naranja",
        Colour::Yellow => "amarillo",
        Colour::Green => "verde",
        Colour::Blue => "azul",
        Colour::Purple => "morado",
        Colour::Pink => "rosa",
        Colour::Brown => "marrón",
        Colour::Grey => "gris",
        Colour::Black => "negro",
        Colour::White => "blanco",
    }
}

fn language_word(language: Language) -> &'static str {
    match language {
        Language::English => "inglés",
        Language::Chinese => "chino",
        Language::ChineseTraditional => "chino tradicional",
        Language::German => "alemán",
        Language::French => "francés",
        Language::Spanish => "español",
        Language::Italian => "italiano",
        Language::Portuguese => "portugués",
        Language::Japanese => "japonés",
        Language::Korean => "coreano",
        Language::Arabic => "árabe",
        Language::Hindi => "hindi",
        Language::Swahili => "suajili",
    }
}
