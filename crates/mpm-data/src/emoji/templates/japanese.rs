//! Japanese phrases.

use super::Templates;
use crate::emoji::{Category, Colour, Language};

pub(super) static TEMPLATES: Templates = Templates {
    naming: &[
        "これは何ですか？",
        "絵の中に何がありますか？",
        "この絵は何を表していますか？",
        "何が見えますか？",
        "絵にあるものの名前を言ってください。",
        "ここには何が描かれていますか？",
    ],
    category: &[
        "これはどんな種類のものですか？",
        "どの分類に入りますか？",
        "どのような種類のものが描かれていますか？",
        "これは何の仲間ですか？",
        "どんな種類のものが見えますか？",
    ],
    yes_no: &[
        "これは{a_name}ですか？",
        "この絵は{a_name}ですか？",
        "{a_name}が見えますか？",
        "ここに{a_name}が描かれていますか？",
        "これは{a_name}だと思いますか？",
    ],
    choice: &[
        "これは{a_first}ですか、{a_second}ですか？",
        "{a_first}と{a_second}のどちらですか？",
        "見えるのは{a_first}ですか、{a_second}ですか？",
        "絵に描かれているのは{a_first}ですか、{a_second}ですか？",
        "選んでください：{a_first}か{a_second}か？",
    ],
    keywords: &[
        "どんなキーワードが合いますか？",
        "キーワードをいくつか挙げてください。",
        "これのキーワードを教えてください。",
        "どんな言葉が関係しますか？",
        "キーワードで説明してください。",
    ],
    colour: &[
        "これは何色ですか？",
        "どんな色をしていますか？",
        "色を教えてください。",
        "これの色は何ですか？",
        "このものは何色をしていますか？",
    ],
    translation: &[
        "「{word}」は{language}で何と言いますか？",
        "{language}で「{word}」は何ですか？",
        "「{word}」を{language}に訳してください。",
        "「{word}」にあたる{language}の言葉は何ですか？",
        "「{word}」の{language}を教えてください。",
    ],
    ground: &[
        "背景は何色ですか？",
        "背景はどんな色をしていますか？",
        "背景の色を教えてください。",
        "背景の色は何ですか？",
        "何色の上に描かれていますか？",
    ],
    count: &[
        "いくつありますか？",
        "いくつ見えますか？",
        "絵の中のものを数えてください。",
        "絵にはいくつ描かれていますか？",
        "ものの数はいくつですか？",
    ],
    left: &[
        "左には何がありますか？",
        "左に何が見えますか？",
        "左にあるものの名前を言ってください。",
        "左側は何ですか？",
        "もう一つの左にあるのは何ですか？",
    ],
    right: &[
        "右には何がありますか？",
        "右に何が見えますか？",
        "右にあるものの名前を言ってください。",
        "右側は何ですか？",
        "もう一つの右にあるのは何ですか？",
    ],
    describe: &[
        "絵を説明してください。",
        "絵に題をつけてください。",
        "この絵の説明文を書いてください。",
        "この絵の下に何と書きますか？",
        "この絵について話してください。",
    ],
    caption: &[
        "{name}",
        "{name}の絵",
        "これは{name}です",
        "{name}が描かれています",
        "絵の中のもの：{name}",
    ],
    pair_caption: &[
        "左に{a_first}、右に{a_second}、背景は{ground}",
        "{a_second}の左に{a_first}、背景の色は{ground}",
        "{a_first}の右に{a_second}、背景の色は{ground}",
        "背景は{ground}、{a_first}と{a_second}の絵",
        "{a_first}と{a_second}、背景は{ground}",
    ],
    count_caption: &[
        "{a_name}の絵が{count}、背景は{ground}",
        "背景は{ground}、{a_name}の絵が{count}",
        "{a_name}の絵、数は{count}、背景の色は{ground}",
        "同じ{a_name}の絵が{count}",
        "数は{count}、{a_name}の絵、背景は{ground}",
    ],
    description: &[
        "{name}",
        "{name}の絵",
        "ここに{name}があります",
        "{name}のように見えます",
        "これは{name}というものです",
    ],
    list_separator: "、",
    yes: "はい",
    no: "いいえ",
    numbers: ["一つ", "二つ", "三つ", "四つ"],
    category_word,
    colour_word,
    language_word,
    with_article: str::to_owned,
};

fn category_word(category: Category) -> &'static str {
    match category {
        Category::Animal => "動物",
        Category::Plant => "植物",
        Category::Fruit => "果物",
        Category::Vegetable => "野菜",
        Category::Food => "食べ物",
        Category::Drink => "飲み物",
        Category::Vehicle => "乗り物",
        Category::Building => "建物",
        Category::Place => "場所",
        Category::Sky => "空と天気",
        Category::Sport => "スポーツ",
        Category::Game => "ゲーム",
        Category::Clothing => "衣類",
        Category::Instrument => "楽器",
        Category::Tool => "道具",
        Category::Heart => "ハート",
        Category::Shape => "形",
        Category::Object => "物",
    }
}

fn colour_word(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "赤",
        Colour::Orange => "オレンジ色",
        Colour::Yellow => "黄色",
        Colour::Green => "緑",
        Colour::Blue => "青",
        Colour::Purple => "紫",
        Colour::Pink => "ピンク",
        Colour::Brown => "茶色",
        Colour::Grey => "灰色",
        Colour::Black => "黒",
        Colour::White => "白",
    }
}

fn language_word(language: Language) -> &'static str {
    match language {
        Language::English => "英語",
        Language::Chinese => "中国語",
        Language::ChineseTraditional => "中国語の繁体字",
        Language::German => "ドイツ語",
        Language::French => "フランス語",
        Language::Spanish => "スペイン語",
        Language::Italian => "イタリア語",
        Language::Portuguese => "ポルトガル語",
        Language::Japanese => "日本語",
        Language::Korean => "韓国語",
        Language::Arabic => "アラビア語",
        Language::Hindi => "ヒンディー語",
        Language::Swahili => "スワヒリ語",
    }
}
