//! Swahili phrases. There are no articles; words that would have to agree with the class of
//! a name refer to its picture instead.

use super::Templates;
use crate::emoji::{Category, Colour, Language};

pub(super) static TEMPLATES: Templates = Templates {
    naming: &[
        "Hii ni nini?",
        "Kuna nini kwenye picha?",
        "Picha inaonyesha nini?",
        "Unaona nini?",
        "Taja kilicho kwenye picha.",
        "Ni nini kinachoonekana hapa?",
    ],
    category: &[
        "Hiki ni kitu cha aina gani?",
        "Kiko katika kundi gani?",
        "Picha inaonyesha kitu cha aina gani?",
        "Hiki ni cha kundi gani?",
        "Unaona kitu cha aina gani?",
    ],
    yes_no: &[
        "Je, hii ni picha ya {a_name}?",
        "Je, picha inaonyesha {a_name}?",
        "Je, unaona {a_name}?",
        "Je, kuna {a_name} hapa?",
        "Je, ungesema kuwa hii ni picha ya {a_name}?",
    ],
    choice: &[
        "Je, hii ni picha ya {a_first} au {a_second}?",
        "Ni ipi sahihi: {a_first} au {a_second}?",
        "Unaona nini: {a_first} au {a_second}?",
        "Picha inaonyesha nini: {a_first} au {a_second}?",
        "Chagua: {a_first} au {a_second}?",
    ],
    keywords: &[
        "Maneno muhimu ni yapi?",
        "Taja maneno muhimu.",
        "Toa maneno muhimu ya kitu hiki.",
        "Ni maneno gani yanahusiana nacho?",
        "Kieleze kwa maneno muhimu.",
    ],
    colour: &[
        "Ni cha rangi gani?",
        "Kina rangi gani?",
        "Taja rangi yake.",
        "Rangi yake ni ipi?",
        "Kitu hiki kina rangi gani?",
    ],
    translation: &[
        "Unasemaje “{word}” kwa {language}?",
        "“{word}” ni nini kwa {language}?",
        "Tafsiri “{word}” kwa {language}.",
        "Neno la “{word}” kwa {language} ni lipi?",
        "Niambie “{word}” kwa {language}.",
    ],
    ground: &[
        "Mandharinyuma ni ya rangi gani?",
        "Mandharinyuma ina rangi gani?",
        "Taja rangi ya mandharinyuma.",
        "Rangi ya mandharinyuma ni ipi?",
        "Inaonekana juu ya rangi gani?",
    ],
    count: &[
        "Kuna vitu vingapi?",
        "Unaona vingapi?",
        "Hesabu vitu kwenye picha.",
        "Picha inaonyesha vitu vingapi?",
        "Idadi ya vitu ni ngapi?",
    ],
    left: &[
        "Kuna nini upande wa kushoto?",
        "Unaona nini upande wa kushoto?",
        "Taja kilicho upande wa kushoto.",
        "Upande wa kushoto una nini?",
        "Ni kipi kilicho kushoto kwa kingine?",
    ],
    right: &[
        "Kuna nini upande wa kulia?",
        "Unaona nini upande wa kulia?",
        "Taja kilicho upande wa kulia.",
        "Upande wa kulia una nini?",
        "Ni kipi kilicho kulia kwa kingine?",
    ],
    describe: &[
        "Eleza picha hii.",
        "Toa maelezo mafupi ya picha.",
        "Andika maelezo ya picha hii.",
        "Ungeandika nini chini ya picha hii?",
        "Niambie kuhusu picha hii.",
    ],
    caption: &[
        "{name}",
        "picha ya {name}",
        "hii ni picha ya {name}",
        "picha inaonyesha {name}",
        "mchoro wa {name}",
    ],
    pair_caption: &[
        "kushoto: {a_first}, kulia: {a_second}, rangi ya mandharinyuma: {ground}",
        "{a_first} upande wa kushoto na {a_second} upande wa kulia, rangi ya mandharinyuma ni {ground}",
        "{a_second} upande wa kulia wa {a_first}, rangi ya mandharinyuma: {ground}",
        "picha ya {a_first} na {a_second}, rangi ya mandharinyuma ni {ground}",
        "rangi ya mandharinyuma: {ground}, kuna {a_first} na {a_second}",
    ],
    count_caption: &[
        "picha ya {a_name}, idadi: {count}, rangi ya mandharinyuma: {ground}",
        "idadi: {count}, picha ya {a_name}, rangi ya mandharinyuma ni {ground}",
        "rangi ya mandharinyuma: {ground}, picha ya {a_name}, idadi: {count}",
        "{a_name}, idadi: {count}, rangi ya mandharinyuma ni {ground}",
        "picha ileile ya {a_name}, idadi: {count}",
    ],
    description: &[
        "{name}",
        "picha ya {name}",
        "hapa kuna {name}",
        "inafanana na {name}",
        "neno lake ni: {name}",
    ],
    list_separator: ", ",
    yes: "ndiyo",
    no: "hapana",
    numbers: ["moja", "mbili", "tatu", "nne"],
    category_word,
    colour_word,
    language_word,
    with_article: str::to_owned,
};

fn category_word(category: Category) -> &'static str {
    match category {
        Category::Animal => "mnyama",
        Category::Plant => "mmea",
        Category::Fruit => "tunda",
        Category::Vegetable => "mboga",
        Category::Food => "chakula",
        Category::Drink => "kinywaji",
        Category::Vehicle => "chombo cha usafiri",
        Category::Building => "jengo",
        Category::Place => "mahali",
        Category::Sky => "anga na hali ya hewa",
        Category::Sport => "spoti",
        Category::Game => "mchezo",
        Category::Clothing => "mavazi",
        Category::Instrument => "ala ya muziki",
        Category::Tool => "zana",
        Category::Heart => "moyo",
        Category::Shape => "umbo",
        Category::Object => "kitu",
    }
}

fn colour_word(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "nyekundu",
        Colour::Orange => "chungwa",
        Colour::Yellow => "manjano",
        Colour::Green => "kijani",
        Colour::Blue => "bluu",
        Colour::Purple => "zambarau",
        Colour::Pink => "waridi",
        Colour::Brown => "kahawia",
        Colour::Grey => "kijivu",
        Colour::Black => "nyeusi",
        Colour::White => "nyeupe",
    }
}

fn language_word(language: Language) -> &'static str {
    match language {
        Language::English => "Kiingereza",
        Language::Chinese => "Kichina",
        Language::ChineseTraditional => "Kichina cha jadi",
        Language::German => "Kijerumani",
        Language::French => "Kifaransa",
        Language::Spanish => "Kihispania",
        Language::Italian => "Kiitaliano",
        Language::Portuguese => "Kireno",
        Language::Japanese => "Kijapani",
        Language::Korean => "Kikorea",
        Language::Arabic => "Kiarabu",
        Language::Hindi => "Kihindi",
        Language::Swahili => "Kiswahili",
    }
}
