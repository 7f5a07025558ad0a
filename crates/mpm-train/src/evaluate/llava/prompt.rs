//! What a judge is told.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{Case, Instance};

/// The language in which the judge is addressed. Questions and answers stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JudgeLanguage {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

/// The wording in one language.
struct Wording {
    opening: &'static str,
    captions: &'static str,
    boxes: &'static str,
    question: &'static str,
    /// The reference's answer, and the model's.
    answers: [&'static str; 2],
    ends: [&'static str; 2],
    /// What to judge by, and how to reply.
    task: &'static str,
}

const ENGLISH: Wording = Wording {
    opening: "Two systems were shown a picture and asked a question about it. You cannot see the \
              picture. What is known about it is written below.",
    captions: "What people say is in the picture",
    boxes: "Things in the picture, each with its left, top, right and bottom edge as parts of the \
            picture's width and height",
    question: "The question",
    answers: ["Answer A", "Answer B"],
    ends: ["end of answer A", "end of answer B"],
    task: "Grade both answers. Ask of each: is it true of this picture, does it answer what was \
           asked, does it help the person who asked, does it go into as much detail as the \
           question calls for? The order of the answers is arbitrary and their length alone is no \
           merit. Answers may be in any language.\n\
           Begin your reply with a line that has nothing but two numbers from 1 (useless) to 10 \
           (could not be better), first the grade of answer A, then that of answer B, with a space \
           between them. Give your reasons from the next line on.",
};

const CHINESE: Wording = Wording {
    opening: "有两个系统看了同一张图片，并回答了关于它的同一个问题。你看不到这张图片，下面列出的是\
              关于图片的已知信息。",
    captions: "人们对图片的描述",
    boxes: "图片中的物体，以及各物体左、上、右、下边缘的位置（以图片宽高的比例表示）",
    question: "问题",
    answers: ["回答甲", "回答乙"],
    ends: ["回答甲到此为止", "回答乙到此为止"],
    task: "请给这两个回答打分。逐一考虑：内容是否符合这张图片，是否回答了所问，对提问者是否有帮助，\
           详细程度是否与问题相称。两个回答的先后顺序是任意的，篇幅长本身不算优点，使用哪种语言也不\
           影响分数。\n\
           回复的第一行只写两个数字，范围从1（毫无用处）到10（无可挑剔），先写回答甲的分数，再写回答\
           乙的分数，中间用空格隔开。从第二行起说明理由。",
};

/// The prompt for a case: the reference's answer is the first one, the model's the second. The
/// wording is not LLaVA's own.
pub fn judge_prompt(case: &Case, language: JudgeLanguage) -> String {
    let wording = match language {
        JudgeLanguage::English => &ENGLISH,
        JudgeLanguage::Chinese => &CHINESE,
    };
    let mut prompt = wording.opening.to_owned();
    let mut part = |title: &str, text: &str| {
        // Writing to a string does not fail.
        let _ = write!(prompt, "\n\n## {title}\n{text}");
    };
    if !case.context.captions.is_empty() {
        part(wording.captions, &case.context.captions.join("\n"));
    }
    if !case.context.instances.is_empty() {
        let boxes = case.context.instances.iter().map(describe);
        part(wording.boxes, &boxes.collect::<Vec<_>>().join("\n"));
    }
    part(wording.question, &case.question.text);
    let titles = wording.answers.iter().zip(wording.ends);
    for ((title, end), answer) in titles.zip([&case.reference, &case.answer]) {
        // Answers may have titles of their own, so each is closed, too.
        part(title, &format!("{answer}\n({end})"));
    }
    prompt.push_str("\n\n");
    prompt.push_str(wording.task);
    prompt
}

fn describe(instance: &Instance) -> String {
    let edges = instance.bbox.map(|edge| format!("{edge:.3}"));
    format!("{}: {}", instance.category, edges.join(" "))
}
