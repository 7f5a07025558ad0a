//! Arabic phrases. A bare name is right behind a noun ("picture of"), behind a colon or in
//! quotation marks.

use super::Templates;
use crate::emoji::{Category, Colour, Language};

pub(super) static TEMPLATES: Templates = Templates {
    naming: &[
        "ما هذا؟",
        "ماذا يوجد في الصورة؟",
        "ماذا تعرض الصورة؟",
        "ماذا ترى؟",
        "اذكر اسم ما في الصورة.",
        "ما الذي يظهر هنا؟",
    ],
    category: &[
        "ما نوع هذا الشيء؟",
        "إلى أي فئة ينتمي؟",
        "ما نوع الشيء الظاهر هنا؟",
        "إلى أي مجموعة ينتمي هذا؟",
        "أي نوع من الأشياء ترى؟",
    ],
    yes_no: &[
        "هل هذه صورة {a_name}؟",
        "هل ترى صورة {a_name}؟",
        "هل هذا رسم {a_name}؟",
        "هل الاسم «{a_name}» صحيح؟",
        "هل تناسب كلمة «{a_name}» الصورة؟",
    ],
    choice: &[
        "ما هذا: {a_first} أم {a_second}؟",
        "أيهما الصحيح: {a_first} أم {a_second}؟",
        "ماذا ترى: {a_first} أم {a_second}؟",
        "هل هذه صورة {a_first} أم {a_second}؟",
        "اختر: {a_first} أم {a_second}؟",
    ],
    keywords: &[
        "ما الكلمات المناسبة؟",
        "اذكر بعض الكلمات المفتاحية.",
        "أعط كلمات مفتاحية لهذا.",
        "ما الكلمات المرتبطة به؟",
        "صفه بكلمات مفتاحية.",
    ],
    colour: &[
        "ما لونه؟",
        "أي لون له؟",
        "اذكر لونه.",
        "ما هو لونه؟",
        "ما لون هذا الشيء؟",
    ],
    translation: &[
        "كيف نقول «{word}» ب{language}؟",
        "ما مقابل «{word}» في {language}؟",
        "ترجم «{word}» إلى {language}.",
        "ما ترجمة «{word}» إلى {language}؟",
        "قل لي «{word}» ب{language}.",
    ],
    ground: &[
        "ما لون الخلفية؟",
        "أي لون للخلفية؟",
        "اذكر لون الخلفية.",
        "ما هو لون الخلفية؟",
        "على أي لون يظهر؟",
    ],
    count: &[
        "كم عدد الأشياء؟",
        "كم شيئًا ترى؟",
        "عد الأشياء في الصورة.",
        "كم شيئًا تعرض الصورة؟",
        "ما عدد الأشياء؟",
    ],
    left: &[
        "ماذا يوجد على اليسار؟",
        "ماذا ترى على اليسار؟",
        "اذكر ما على اليسار.",
        "ماذا يوجد في الجهة اليسرى؟",
        "أي شيء يقع على يسار الآخر؟",
    ],
    right: &[
        "ماذا يوجد على اليمين؟",
        "ماذا ترى على اليمين؟",
        "اذكر ما على اليمين.",
        "ماذا يوجد في الجهة اليمنى؟",
        "أي شيء يقع على يمين الآخر؟",
    ],
    describe: &[
        "صف الصورة.",
        "أعط عنوانًا للصورة.",
        "اكتب عنوانًا لهذه الصورة.",
        "ماذا تكتب تحت هذه الصورة؟",
        "حدثني عن الصورة.",
    ],
    caption: &[
        "{name}",
        "صورة {name}",
        "هذه صورة {name}",
        "في الصورة: {name}",
        "رسم {name}",
    ],
    pair_caption: &[
        "على اليسار: {a_first}، على اليمين: {a_second}، لون الخلفية: {ground}",
        "{a_first} على يسار {a_second}، لون الخلفية: {ground}",
        "{a_second} على يمين {a_first}، لون الخلفية: {ground}",
        "لون الخلفية: {ground}، في الصورة: {a_first} و{a_second}",
        "{a_first} و{a_second}، ولون الخلفية {ground}",
    ],
    count_caption: &[
        "صورة {a_name}، العدد: {count}، لون الخلفية: {ground}",
        "العدد: {count}، الصورة: {a_name}، لون الخلفية: {ground}",
        "لون الخلفية: {ground}، صورة {a_name}، العدد: {count}",
        "الصورة: {a_name}، العدد: {count}، ولون الخلفية {ground}",
        "الصورة نفسها: {a_name}، العدد: {count}",
    ],
    description: &[
        "{name}",
        "صورة {name}",
        "يظهر هنا: {name}",
        "يشبه هذا: {name}",
        "الكلمة المناسبة: {name}",
    ],
    list_separator: "، ",
    yes: "نعم",
    no: "لا",
    numbers: ["واحد", "اثنان", "ثلاثة", "أربعة"],
    category_word,
    colour_word,
    language_word,
    with_article: str::to_owned,
};

fn category_word(category: Category) -> &'static str {
    match category {
        Category::Animal => "حيوان",
        Category::Plant => "نبات",
        Category::Fruit => "فاكهة",
        Category::Vegetable => "خضار",
        Category::Food => "طعام",
        Category::Drink => "مشروب",
        Category::Vehicle => "مركبة",
        Category::Building => "مبنى",
        Category::Place => "مكان",
        Category::Sky => "السماء والطقس",
        Category::Sport => "رياضة",
        Category::Game => "لعبة",
        Category::Clothing => "ملابس",
        Category::Instrument => "آلة موسيقية",
        Category::Tool => "أداة",
        Category::Heart => "قلب",
        Category::Shape => "شكل",
        Category::Object => "شيء",
    }
}

fn colour_word(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "أحمر",
        Colour::Orange => "برتقالي",
        Colour::Yellow => "أصفر",
        Colour::Green => "أخضر",
        Colour::Blue => "أزرق",
        Colour::Purple => "بنفسجي",
        Colour::Pink => "وردي",
        Colour::Brown => "بني",
        Colour::Grey => "رمادي",
        Colour::Black => "أسود",
        Colour::White => "أبيض",
    }
}

fn language_word(language: Language) -> &'static str {
    match language {
        Language::English => "الإنجليزية",
        Language::Chinese => "الصينية",
        Language::ChineseTraditional => "الصينية التقليدية",
        Language::German => "الألمانية",
        Language::French => "الفرنسية",
        Language::Spanish => "الإسبانية",
        Language::Italian => "الإيطالية",
        Language::Portuguese => "البرتغالية",
        Language::Japanese => "اليابانية",
        Language::Korean => "الكورية",
        Language::Arabic => "العربية",
        Language::Hindi => "الهندية",
        Language::Swahili => "السواحيلية",
    }
}
