//! Portuguese phrases, of Brazil as CLDR's names are. Names come without an article, so
//! they stand in quotation marks or behind a colon.

use super::Templates;
use crate::emoji::{Category, Colour, Language};

pub(super) static TEMPLATES: Templates = Templates {
    naming: &[
        "O que é isto?",
        "O que há na imagem?",
        "O que a imagem mostra?",
        "O que você vê?",
        "Diga o nome do que está na imagem.",
        "O que se vê aqui?",
    ],
    category: &[
        "Que tipo de coisa é isto?",
        "A que categoria pertence?",
        "Que tipo de coisa é mostrado?",
        "A que grupo isto pertence?",
        "Que espécie de coisa você vê?",
    ],
    yes_no: &[
        "Isto se chama “{a_name}”?",
        "O nome “{a_name}” está certo?",
        "A palavra “{a_name}” combina com a imagem?",
        "“{a_name}” é a palavra certa?",
        "Você diria que isto é “{a_name}”?",
    ],
    choice: &[
        "O que é isto: {a_first} ou {a_second}?",
        "Qual é o certo: {a_first} ou {a_second}?",
        "O que você vê: {a_first} ou {a_second}?",
        "O que a imagem mostra: {a_first} ou {a_second}?",
        "Escolha: {a_first} ou {a_second}?",
    ],
    keywords: &[
        "Quais palavras-chave combinam?",
        "Liste algumas palavras-chave.",
        "Dê palavras-chave para isto.",
        "Que palavras combinam com isto?",
        "Descreva com palavras-chave.",
    ],
    colour: &[
        "De que cor é?",
        "Que cor tem?",
        "Diga a sua cor.",
        "Qual é a sua cor?",
        "De que cor é esta coisa?",
    ],
    translation: &[
        "Como se diz “{word}” em {language}?",
        "O que é “{word}” em {language}?",
        "Traduza “{word}”. Como se diz em {language}?",
        "Qual é a palavra para “{word}” em {language}?",
        "Diga “{word}” em {language}.",
    ],
    ground: &[
        "De que cor é o fundo?",
        "Que cor o fundo tem?",
        "Diga a cor do fundo.",
        "Qual é a cor do fundo?",
        "Sobre que cor é mostrado?",
    ],
    count: &[
        "Quantos objetos há?",
        "Quantos você vê?",
        "Conte os objetos na imagem.",
        "Quantos objetos a imagem mostra?",
        "Qual é o número de objetos?",
    ],
    left: &[
        "O que há à esquerda?",
        "O que você vê à esquerda?",
        "Diga o que está à esquerda.",
        "O que há no lado esquerdo?",
        "O que está à esquerda do outro?",
    ],
    right: &[
        "O que há à direita?",
        "O que você vê à direita?",
        "Diga o que está à direita.",
        "O que há no lado direito?",
        "O que está à direita do outro?",
    ],
    describe: &[
        "Descreva a imagem.",
        "Dê uma legenda.",
        "Escreva uma legenda para esta imagem.",
        "O que você escreveria embaixo desta imagem?",
        "Fale sobre a imagem.",
    ],
    caption: &[
        "{name}",
        "imagem: {name}",
        "na imagem: {name}",
        "a imagem mostra: {name}",
        "desenho: {name}",
    ],
    pair_caption: &[
        "à esquerda: {a_first}, à direita: {a_second}, fundo {ground}",
        "{a_first} à esquerda e {a_second} à direita, sobre fundo {ground}",
        "à direita: {a_second}, à esquerda: {a_first}, o fundo é {ground}",
        "sobre fundo {ground}: {a_first} e {a_second}",
        "{a_first} e {a_second}, o fundo é {ground}",
    ],
    count_caption: &[
        "{a_name}, quantidade: {count}, fundo {ground}",
        "quantidade: {count}, motivo: {a_name}, sobre fundo {ground}",
        "sobre fundo {ground}: {a_name}, quantidade: {count}",
        "motivo: {a_name}, quantidade: {count}, o fundo é {ground}",
        "sempre o mesmo motivo: {a_name}, quantidade: {count}",
    ],
    description: &[
        "{name}",
        "imagem: {name}",
        "aqui se vê: {name}",
        "isto parece: {name}",
        "a palavra certa: {name}",
    ],
    list_separator: ", ",
    yes: "sim",
    no: "não",
    numbers: ["um", "dois", "três", "quatro"],
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
        Category::Vehicle => "veículo",
        Category::Building => "edifício",
        Category::Place => "lugar",
        Category::Sky => "céu e tempo",
        Category::Sport => "esporte",
        Category::Game => "jogo",
        Category::Clothing => "roupa",
        Category::Instrument => "instrumento musical",
        Category::Tool => "ferramenta",
        Category::Heart => "coração",
        Category::Shape => "forma",
        Category::Object => "objeto",
    }
}

fn colour_word(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "vermelho",
        Colour::Orange => "laranja",
        Colour::Yellow => "amarelo",
        Colour::Green => "verde",
        Colour::Blue => "azul",
        Colour::Purple => "roxo",
        Colour::Pink => "rosa",
        Colour::Brown => "marrom",
        Colour::Grey => "cinza",
        Colour::Black => "preto",
        Colour::White => "branco",
    }
}

fn language_word(language: Language) -> &'static str {
    match language {
        Language::English => "inglês",
        Language::Chinese => "chinês",
        Language::ChineseTraditional => "chinês tradicional",
        Language::German => "alemão",
        Language::French => "francês",
        Language::Spanish => "espanhol",
        Language::Italian => "italiano",
        Language::Portuguese => "português",
        Language::Japanese => "japonês",
        Language::Korean => "coreano",
        Language::Arabic => "árabe",
        Language::Hindi => "hindi",
        Language::Swahili => "suaíli",
    }
}
