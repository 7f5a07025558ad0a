//! French phrases. Names come without an article, so they stand in quotation marks or
//! behind a colon. A plain space stands before two-part punctuation.

use super::Templates;
use crate::emoji::{Category, Colour, Language};

pub(super) static TEMPLATES: Templates = Templates {
    naming: &[
        "Qu'est-ce que c'est ?",
        "Qu'y a-t-il sur l'image ?",
        "Que montre l'image ?",
        "Que vois-tu ?",
        "Nomme ce qui est sur l'image.",
        "Que voit-on ici ?",
    ],
    category: &[
        "De quel genre de chose s'agit-il ?",
        "À quelle catégorie cela appartient-il ?",
        "Quel type de chose est montré ?",
        "À quel groupe cela appartient-il ?",
        "Quelle sorte de chose vois-tu ?",
    ],
    yes_no: &[
        "Est-ce que cela s'appelle « {a_name} » ?",
        "Le nom « {a_name} » convient-il ?",
        "Le mot « {a_name} » va-t-il avec l'image ?",
        "Est-ce que « {a_name} » est le bon mot ?",
        "Dirais-tu « {a_name} » ?",
    ],
    choice: &[
        "Qu'est-ce que c'est : {a_first} ou {a_second} ?",
        "Que faut-il dire : {a_first} ou {a_second} ?",
        "Que vois-tu : {a_first} ou {a_second} ?",
        "Que montre l'image : {a_first} ou {a_second} ?",
        "Choisis : {a_first} ou {a_second} ?",
    ],
    keywords: &[
        "Quels mots-clés conviennent ?",
        "Cite quelques mots-clés.",
        "Donne des mots-clés.",
        "Quels mots vont avec ?",
        "Décris cela avec des mots-clés.",
    ],
    colour: &[
        "De quelle couleur est-ce ?",
        "Quelle couleur cela a-t-il ?",
        "Dis-moi sa couleur.",
        "Quelle est sa couleur ?",
        "Quelle est la couleur de cette chose ?",
    ],
    translation: &[
        "Comment dit-on « {word} » en {language} ?",
        "Que veut dire « {word} » en {language} ?",
        "Traduis « {word} » en {language}.",
        "Quel est le mot pour « {word} » en {language} ?",
        "Dis-moi « {word} » en {language}.",
    ],
    ground: &[
        "De quelle couleur est le fond ?",
        "Quelle couleur a le fond ?",
        "Dis-moi la couleur du fond.",
        "Quelle est la couleur du fond ?",
        "Sur quelle couleur est-ce montré ?",
    ],
    count: &[
        "Combien d'objets y a-t-il ?",
        "Combien en vois-tu ?",
        "Compte les objets sur l'image.",
        "Combien d'objets l'image montre-t-elle ?",
        "Quel est le nombre d'objets ?",
    ],
    left: &[
        "Qu'y a-t-il à gauche ?",
        "Que vois-tu à gauche ?",
        "Nomme ce qui est à gauche.",
        "Qu'y a-t-il du côté gauche ?",
        "Qu'est-ce qui est à gauche de l'autre ?",
    ],
    right: &[
        "Qu'y a-t-il à droite ?",
        "Que vois-tu à droite ?",
        "Nomme ce qui est à droite.",
        "Qu'y a-t-il du côté droit ?",
        "Qu'est-ce qui est à droite de l'autre ?",
    ],
    describe: &[
        "Décris l'image.",
        "Donne une légende.",
        "Écris une légende pour cette image.",
        "Qu'écrirais-tu sous cette image ?",
        "Parle-moi de l'image.",
    ],
    caption: &[
        "{name}",
        "image : {name}",
        "sur l'image : {name}",
        "l'image montre : {name}",
        "dessin : {name}",
    ],
    pair_caption: &[
        "à gauche : {a_first}, à droite : {a_second}, fond {ground}",
        "{a_first} à gauche, {a_second} à droite, sur fond {ground}",
        "à droite : {a_second}, à gauche : {a_first}, le fond est {ground}",
        "sur fond {ground} : {a_first} et {a_second}",
        "{a_first} et {a_second}, le fond est {ground}",
    ],
    count_caption: &[
        "{a_name}, nombre : {count}, fond {ground}",
        "nombre : {count}, motif : {a_name}, sur fond {ground}",
        "sur fond {ground} : {a_name}, nombre : {count}",
        "motif : {a_name}, nombre : {count}, le fond est {ground}",
        "toujours le même motif : {a_name}, nombre : {count}",
    ],
    description: &[
        "{name}",
        "image : {name}",
        "on voit ici : {name}",
        "cela ressemble à ceci : {name}",
        "le mot juste : {name}",
    ],
    list_separator: ", ",
    yes: "oui",
    no: "non",
    numbers: ["un", "deux", "trois", "quatre"],
    category_word,
    colour_word,
    language_word,
    with_article: str::to_owned,
};

fn category_word(category: Category) -> &'static str {
    match category {
        Category::Animal => "animal",
        Category::Plant => "plante",
        Category::Fruit => "fruit",
        Category::Vegetable => "légume",
        Category::Food => "nourriture",
        Category::Drink => "boisson",
        Category::Vehicle => "véhicule",
        Category::Building => "bâtiment",
        Category::Place => "lieu",
        Category::Sky => "ciel et météo",
        Category::Sport => "sport",
        Category::Game => "jeu",
        Category::Clothing => "vêtement",
        Category::Instrument => "instrument de musique",
        Category::Tool => "outil",
        Category::Heart => "cœur",
        Category::Shape => "forme",
        Category::Object => "objet",
    }
}

fn colour_word(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "rouge",
        Colour::Orange => "orange",
        Colour::Yellow => "jaune",
        Colour::Green => "vert",
        Colour::Blue => "bleu",
        Colour::Purple => "violet",
        Colour::Pink => "rose",
        Colour::Brown => "marron",
        Colour::Grey => "gris",
        Colour::Black => "noir",
        Colour::White => "blanc",
    }
}

fn language_word(language: Language) -> &'static str {
    match language {
        Language::English => "anglais",
        Language::Chinese => "chinois",
        Language::ChineseTraditional => "chinois traditionnel",
        Language::German => "allemand",
        Language::French => "français",
        Language::Spanish => "espagnol",
        Language::Italian => "italien",
        Language::Portuguese => "portugais",
        Language::Japanese => "japonais",
        Language::Korean => "coréen",
        Language::Arabic => "arabe",
        Language::Hindi => "hindi",
        Language::Swahili => "swahili",
    }
}
