//! Italian phrases. Names come without an article, so they stand in quotation marks or
//! behind a colon.

use super::Templates;
use crate::emoji::{Category, Colour, Language};

pub(super) static TEMPLATES: Templates = Templates {
    naming: &[
        "Che cos'è questo?",
        "Che cosa c'è nell'immagine?",
        "Che cosa mostra l'immagine?",
        "Che cosa vedi?",
        "Di' il nome di ciò che è nell'immagine.",
        "Che cosa si vede qui?",
    ],
    category: &[
        "Che genere di cosa è questa?",
        "A quale categoria appartiene?",
        "Che tipo di cosa è mostrato?",
        "A quale gruppo appartiene?",
        "Che tipo di cosa vedi?",
    ],
    yes_no: &[
        "Questo si chiama «{a_name}»?",
        "Il nome «{a_name}» è giusto?",
        "La parola «{a_name}» va bene per l'immagine?",
        "«{a_name}» è la parola giusta?",
        "Diresti che si tratta di «{a_name}»?",
    ],
    choice: &[
        "Che cos'è: {a_first} o {a_second}?",
        "Quale va bene: {a_first} o {a_second}?",
        "Che cosa vedi: {a_first} o {a_second}?",
        "Che cosa mostra l'immagine: {a_first} o {a_second}?",
        "Scegli: {a_first} o {a_second}?",
    ],
    keywords: &[
        "Quali parole chiave sono adatte?",
        "Elenca alcune parole chiave.",
        "Indica delle parole chiave.",
        "Quali parole vanno bene?",
        "Descrivilo con parole chiave.",
    ],
    colour: &[
        "Di che colore è?",
        "Che colore ha?",
        "Dimmi il suo colore.",
        "Qual è il suo colore?",
        "Di che colore è questa cosa?",
    ],
    translation: &[
        "Come si dice «{word}» in {language}?",
        "Che cos'è «{word}» in {language}?",
        "Traduci «{word}» in {language}.",
        "Qual è la parola per «{word}» in {language}?",
        "Dimmi «{word}» in {language}.",
    ],
    ground: &[
        "Di che colore è lo sfondo?",
        "Che colore ha lo sfondo?",
        "Dimmi il colore dello sfondo.",
        "Qual è il colore dello sfondo?",
        "Su quale colore è mostrato?",
    ],
    count: &[
        "Quanti oggetti ci sono?",
        "Quanti ne vedi?",
        "Conta gli oggetti nell'immagine.",
        "Quanti oggetti mostra l'immagine?",
        "Qual è il numero degli oggetti?",
    ],
    left: &[
        "Che cosa c'è a sinistra?",
        "Che cosa vedi a sinistra?",
        "Di' che cosa si trova a sinistra.",
        "Che cosa c'è sul lato sinistro?",
        "Che cosa sta a sinistra dell'altro?",
    ],
    right: &[
        "Che cosa c'è a destra?",
        "Che cosa vedi a destra?",
        "Di' che cosa si trova a destra.",
        "Che cosa c'è sul lato destro?",
        "Che cosa sta a destra dell'altro?",
    ],
    describe: &[
        "Descrivi l'immagine.",
        "Dai una didascalia.",
        "Scrivi una didascalia per questa immagine.",
        "Che cosa scriveresti sotto questa immagine?",
        "Parlami dell'immagine.",
    ],
    caption: &[
        "{name}",
        "immagine: {name}",
        "nell'immagine: {name}",
        "l'immagine mostra: {name}",
        "disegno: {name}",
    ],
    pair_caption: &[
        "a sinistra: {a_first}, a destra: {a_second}, sfondo {ground}",
        "{a_first} a sinistra e {a_second} a destra, su sfondo {ground}",
        "a destra: {a_second}, a sinistra: {a_first}, lo sfondo è {ground}",
        "su sfondo {ground}: {a_first} e {a_second}",
        "{a_first} e {a_second}, lo sfondo è {ground}",
    ],
    count_caption: &[
        "{a_name}, quantità: {count}, sfondo {ground}",
        "quantità: {count}, soggetto: {a_name}, su sfondo {ground}",
        "su sfondo {ground}: {a_name}, quantità: {count}",
        "soggetto: {a_name}, quantità: {count}, lo sfondo è {ground}",
        "sempre lo stesso soggetto: {a_name}, quantità: {count}",
    ],
    description: &[
        "{name}",
        "immagine: {name}",
        "qui si vede: {name}",
        "sembra questo: {name}",
        "la parola giusta: {name}",
    ],
    list_separator: ", ",
    yes: "sì",
    no: "no",
    numbers: ["uno", "due", "tre", "quattro"],
    category_word,
    colour_word,
    language_word,
    with_article: str::to_owned,
};

fn category_word(category: Category) -> &'static str {
    match category {
        Category::Animal => "animale",
        Category::Plant => "pianta",
        Category::Fruit => "frutta",
        Category::Vegetable => "verdura",
        Category::Food => "cibo",
        Category::Drink => "bevanda",
        Category::Vehicle => "veicolo",
        Category::Building => "edificio",
        Category::Place => "luogo",
        Category::Sky => "cielo e tempo",
        Category::Sport => "sport",
        Category::Game => "gioco",
        Category::Clothing => "abbigliamento",
        Category::Instrument => "strumento musicale",
        Category::Tool => "attrezzo",
        Category::Heart => "cuore",
        Category::Shape => "forma",
        Category::Object => "oggetto",
    }
}

fn colour_word(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "rosso",
        Colour::Orange => "arancione",
        Colour::Yellow => "giallo",
        Colour::Green => "verde",
        Colour::Blue => "blu",
        Colour::Purple => "viola",
        Colour::Pink => "rosa",
        Colour::Brown => "marrone",
        Colour::Grey => "grigio",
        Colour::Black => "nero",
        Colour::White => "bianco",
    }
}

fn language_word(language: Language) -> &'static str {
    match language {
        Language::English => "inglese",
        Language::Chinese => "cinese",
        Language::ChineseTraditional => "cinese tradizionale",
        Language::German => "tedesco",
        Language::French => "francese",
        Language::Spanish => "spagnolo",
        Language::Italian => "italiano",
        Language::Portuguese => "portoghese",
        Language::Japanese => "giapponese",
        Language::Korean => "coreano",
        Language::Arabic => "arabo",
        Language::Hindi => "hindi",
        Language::Swahili => "swahili",
    }
}
