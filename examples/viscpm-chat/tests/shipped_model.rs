//! The model that ships with the repository, from a picture file to an answer.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{ops::ControlFlow, path::Path};

use burn::backend::Flex;
use mpm_core::{
    streaming::{LayerList, StreamedLayers},
    weights::LoadOptions,
};
use mpm_data::picture::Picture;
use viscpm_chat::{ChatModel, ChatSession};

/// Picture, question, answer. The pictures are of the training split: what the
/// model makes of new ones is measured by its evaluation, not by a test.
const QUESTIONS: &[(&str, &str, &str)] = &[
    ("strawberry.png", "What is this?", "strawberry"),
    ("strawberry.png", "这是什么？", "草莓"),
    ("rocket.png", "What is this?", "rocket"),
    ("rocket.png", "这是什么？", "火箭"),
    ("strawberry.png", "Was ist das?", "Erdbeere"),
    ("strawberry.png", "Qu'est-ce que c'est ?", "fraise"),
    ("strawberry.png", "¿Qué es esto?", "fresa"),
    ("strawberry.png", "Che cos'è questo?", "fragola"),
    ("strawberry.png", "O que é isto?", "morango"),
    ("strawberry.png", "Is this a dog?", "no"),
    ("strawberry.png", "这是草莓吗？", "是"),
    ("rocket.png", "这是草莓吗？", "不是"),
    ("rocket.png", "What kind of thing is this?", "vehicle"),
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn model() -> ChatModel<Flex> {
    let folder = root().join("models/viscpm-chat-emoji");
    ChatModel::open(folder, &Default::default(), &LoadOptions::default()).unwrap()
}

#[test]
fn the_shipped_model_answers_in_the_language_of_the_question() {
    let model = model();
    for (picture, question, expected) in QUESTIONS {
        let picture = Picture::open(root().join("docs/images").join(picture)).unwrap();
        let mut session = ChatSession::new(&model).unwrap();
        session.show(&picture).unwrap();
        let mut streamed = String::new();
        let answer = session
            .ask(question, &model.config.decoding, |text| {
                streamed.push_str(text);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(&answer.answer, expected, "{question}");
        assert_eq!(streamed, answer.answer);
        assert_eq!(answer.finish, "eos");
    }
}

#[test]
fn a_turn_may_change_the_language() {
    let model = model();
    let mut session = ChatSession::new(&model).unwrap();
    let picture = root().join("docs/images/strawberry.png");
    session.show(&Picture::open(picture).unwrap()).unwrap();
    for (question, expected) in [
        ("What is this?", "strawberry"),
        ("这是什么？", "草莓"),
        ("What is this?", "strawberry"),
    ] {
        let params = &model.config.decoding;
        let answer = session.ask(question, params, |_| ControlFlow::Continue(()));
        assert_eq!(answer.unwrap().answer, expected, "{question}");
    }
}

#[test]
fn it_answers_alike_where_layers_wait_in_the_file() {
    let folder = root().join("models/viscpm-chat-emoji");
    let open = |limit| {
        let options = LoadOptions {
            memory_limit: Some(limit),
            ..LoadOptions::default()
        };
        ChatModel::<Flex>::open(&folder, &Default::default(), &options)
    };
    // 402.1 MB are kept for what is computed.
    let mut model = open(408_300_000).unwrap();
    let LayerList { count, waiting, .. } = model.model.layer_list();
    assert_eq!(waiting.len(), count);
    let mut session = ChatSession::new(&model).unwrap();
    let (picture, question, expected) = QUESTIONS[0];
    let picture = Picture::open(root().join("docs/images").join(picture)).unwrap();
    session.show(&picture).unwrap();
    let params = &model.config.decoding;
    let answer = session.ask(question, params, |_| ControlFlow::Continue(()));
    assert_eq!(answer.unwrap().answer, expected);

    let error = open(400_000_000).unwrap_err().to_string();
    assert!(error.contains("allow more memory"), "{error}");
}

#[test]
fn the_shipped_files_are_small() {
    let folder = root().join("models/viscpm-chat-emoji");
    let bytes: u64 = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes <= 25 << 20, "{bytes} bytes");
}
