//! Chinese phrases, simplified characters.

use super::Templates;
use crate::emoji::{Category, Colour, Language};

pub(super) static TEMPLATES: Templates = Templates {
    naming: &[
        "这是什么？",
        "图片里有什么？",
        "图中是什么？",
        "你看到了什么？",
        "请说出图中的东西。",
        "这张图片画的是什么？",
        "你能告诉我这是什么吗？",
    ],
    category: &[
        "这是哪一类东西？",
        "它属于什么类别？",
        "图中的东西是什么类型？",
        "这属于哪一类？",
        "你看到的是哪种东西？",
    ],
    yes_no: &[
        "这是{a_name}吗？",
        "图中是{a_name}吗？",
        "你看到{a_name}了吗？",
        "图片里有{a_name}吗？",
        "你觉得这是{a_name}吗？",
    ],
    choice: &[
        "这是{a_first}还是{a_second}？",
        "图中是{a_first}还是{a_second}？",
        "你看到的是{a_first}还是{a_second}？",
        "图片画的是{a_first}还是{a_second}？",
        "请选择：{a_first}还是{a_second}？",
    ],
    keywords: &[
        "有哪些关键词？",
        "请列出一些关键词。",
        "请给出它的关键词。",
        "哪些词和它有关？",
        "请用关键词描述它。",
    ],
    colour: &[
        "它是什么颜色？",
        "它有什么颜色？",
        "请说出它的颜色。",
        "它的颜色是什么？",
        "这个东西是哪种颜色？",
    ],
    translation: &[
        "{word}用{language}怎么说？",
        "{word}的{language}是什么？",
        "请把{word}翻译成{language}。",
        "{language}里{word}怎么说？",
        "请告诉我{word}的{language}说法。",
    ],
    ground: &[
        "背景是什么颜色？",
        "背景有什么颜色？",
        "请说出背景的颜色。",
        "背景颜色是什么？",
        "它在什么颜色的背景上？",
    ],
    count: &[
        "有几个东西？",
        "你看到几个？",
        "请数一数图中的东西。",
        "图片里有多少个东西？",
        "东西的数量是多少？",
    ],
    left: &[
        "左边是什么？",
        "你在左边看到什么？",
        "请说出左边的东西。",
        "左侧是什么？",
        "哪个东西在另一个的左边？",
    ],
    right: &[
        "右边是什么？",
        "你在右边看到什么？",
        "请说出右边的东西。",
        "右侧是什么？",
        "哪个东西在另一个的右边？",
    ],
    describe: &[
        "请描述这张图片。",
        "请给图片加一个标题。",
        "请为这张图片写一句说明。",
        "你会在图片下面写什么？",
        "请讲讲这张图片。",
    ],
    caption: &[
        "{name}",
        "{name}的图片",
        "这是{name}",
        "图中是{name}",
        "一张{name}的画",
    ],
    pair_caption: &[
        "左边是{a_first}，右边是{a_second}，背景是{ground}",
        "{ground}背景上，{a_first}在{a_second}的左边",
        "{ground}背景上，{a_second}在{a_first}的右边",
        "{ground}背景上有{a_first}和{a_second}",
        "{a_first}和{a_second}，背景是{ground}",
    ],
    count_caption: &[
        "{ground}背景上有{count}个{a_name}",
        "{count}个{a_name}，背景是{ground}",
        "{a_name}，一共{count}个，背景是{ground}",
        "图中有{count}个{a_name}",
        "{count}个一样的{a_name}",
    ],
    description: &[
        "{name}",
        "{name}的图片",
        "这里有{name}",
        "看起来像{name}",
        "图中是{name}",
    ],
    list_separator: "、",
    yes: "是",
    no: "不是",
    numbers: ["一", "二", "三", "四"],
    category_word,
    colour_word,
    language_word,
    with_article: str::to_owned,
};

fn category_word(category: Category) -> &'static str {
    match category {
        Category::Animal => "动物",
        Category::Plant => "植物",
        Category::Fruit => "水果",
        Category::Vegetable => "蔬菜",
        Category::Food => "食物",
        Category::Drink => "饮料",
        Category::Vehicle => "交通工具",
        Category::Building => "建筑",
        Category::Place => "地点",
        Category::Sky => "天空和天气",
        Category::Sport => "运动",
        Category::Game => "游戏",
        Category::Clothing => "服饰",
        Category::Instrument => "乐器",
        Category::Tool => "工具",
        Category::Heart => "心形",
        Category::Shape => "形状",
        Category::Object => "物品",
    }
}

fn colour_word(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "红色",
        Colour::Orange => "橙色",
        Colour::Yellow => "黄色",
        Colour::Green => "绿色",
        Colour::Blue => "蓝色",
        Colour::Purple => "紫色",
        Colour::Pink => "粉色",
        Colour::Brown => "棕色",
        Colour::Grey => "灰色",
        Colour::Black => "黑色",
        Colour::White => "白色",
    }
}

fn language_word(language: Language) -> &'static str {
    match language {
        Language::English => "英文",
        Language::Chinese => "中文",
        Language::ChineseTraditional => "繁体中文",
        Language::German => "德文",
        Language::French => "法文",
        Language::Spanish => "西班牙文",
        Language::Italian => "意大利文",
        Language::Portuguese => "葡萄牙文",
        Language::Japanese => "日文",
        Language::Korean => "韩文",
        Language::Arabic => "阿拉伯文",
        Language::Hindi => "印地文",
        Language::Swahili => "斯瓦希里文",
    }
}
