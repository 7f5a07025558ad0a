//! Dialogues as the chat template writes them, to train on and to answer.

use std::{collections::BTreeMap, fs};

use mpm_core::pretrained::PretrainedFolder;
use mpm_llm::{
    LlmError,
    dialogue::{Dialogue, DialogueBatch, DialogueTurn, PicturePlace},
    llama::{
        ChatMessage, ChatOptions, ChatTemplate, LlamaBatch, LlamaConfig, LlamaDialogue, LlamaText,
        LlamaTokenizer,
    },
};
use mpm_test_support::own_cases;

const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}\
    {{ '<|turn|>' ~ m.role ~ '\n' ~ m.content ~ '<|end|>' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|turn|>assistant\n' }}{% endif %}";

/// Begins an answer otherwise than it writes a finished one.
const OTHER_BEGINNING: &str = "{{ bos_token }}{% for m in messages %}\
    {{ '<|turn|>' ~ m.role ~ '\n' ~ m.content ~ '<|end|>' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|turn|>say: ' }}{% endif %}";

/// Stands for a picture while a text is cut.
const MARK: char = '\u{10FFFD}';

/// With bytes as letters, and with SentencePiece's pieces.
const KINDS: [&str; 2] = ["letters", "text"];

/// A tokenizer of one of the [`KINDS`] with a template.
pub fn text(kind: &str, template: &str) -> LlamaText {
    let case = &own_cases(&format!("l_tokenizer_{kind}"))[0];
    let json = case.json["tokenizer"].to_string();
    let tokenizer = LlamaTokenizer::from_json(json.as_bytes(), case.size("/size")).unwrap();
    let special = [("bos_token", "<|begin|>"), ("eos_token", "<|end|>")];
    let special: BTreeMap<String, String> = special
        .map(|(key, token)| (key.to_owned(), token.to_owned()))
        .into();
    LlamaText {
        ends: vec![tokenizer.id("<|end|>").unwrap()],
        chat_template: Some(ChatTemplate::new(template, special).unwrap()),
        tokenizer,
    }
}

fn dialogue() -> Dialogue {
    Dialogue {
        picture: PicturePlace::Slots(3),
        turns: vec![DialogueTurn {
            question: "Hello, world!".to_owned(),
            answer: "A dog.".to_owned(),
        }],
        question: "What is it?".to_owned(),
        answer: "A red cat.".to_owned(),
    }
}

/// The messages of a dialogue up to its question.
fn messages(dialogue: &Dialogue) -> Vec<ChatMessage> {
    let turns = dialogue.turns.iter().flat_map(|turn| {
        [
            ChatMessage::new("user", &turn.question),
            ChatMessage::new("assistant", &turn.answer),
        ]
    });
    turns
        .chain([ChatMessage::new("user", &dialogue.question)])
        .collect()
}

fn collate(text: &LlamaText, dialogues: &[Dialogue]) -> DialogueBatch<LlamaBatch> {
    let dialogues = dialogues.iter().map(|d| LlamaDialogue::new(text, d));
    LlamaDialogue::collate(dialogues.collect::<Result<_, _>>().unwrap()).unwrap()
}

/// The text of some ids, as a part of a longer one.
fn part(text: &LlamaText, ids: &[i32]) -> String {
    let bytes = ids.iter().flat_map(|&id| text.tokenizer.bytes_of(id));
    String::from_utf8(bytes.flatten().collect()).unwrap()
}

#[test]
fn a_dialogue_is_the_prompt_that_is_asked_with_its_answer_and_one_end() {
    for kind in KINDS {
        let text = text(kind, TEMPLATE);
        let dialogue = dialogue();
        let options = ChatOptions::default();
        let prompt = text.encode_chat(&messages(&dialogue), 3, &options).unwrap();
        let batch = collate(&text, std::slice::from_ref(&dialogue));
        let ids = &batch.input.ids;
        let answer = ids.strip_prefix(prompt.ids.as_slice()).unwrap();
        let (end, words) = answer.split_last().unwrap();
        assert_eq!(*end, text.ends[0]);
        assert!(!words.contains(end));
        assert_eq!(part(&text, words), "A red cat.");
        assert_eq!(batch.bounds, std::slice::from_ref(&prompt.pictures));

        // It is cut as the template writes it.
        let mut finished = messages(&dialogue);
        finished.push(ChatMessage::new("assistant", &dialogue.answer));
        let options = ChatOptions {
            add_generation_prompt: false,
            ..options
        };
        assert_eq!(text.encode_chat(&finished, 3, &options).unwrap().ids, *ids);

        // What is learnt is the answer and its end.
        let mut targets = vec![-100; prompt.ids.len() - 1];
        targets.extend(answer.iter().map(|&id| i64::from(id)));
        targets.push(-100);
        assert_eq!(batch.targets, targets);
    }
}

#[test]
fn an_answer_follows_the_prompt_however_it_is_written_when_finished() {
    for kind in KINDS {
        let text = text(kind, OTHER_BEGINNING);
        let dialogue = dialogue();
        let options = ChatOptions::default();
        let prompt = text.encode_chat(&messages(&dialogue), 3, &options).unwrap();
        let batch = collate(&text, std::slice::from_ref(&dialogue));
        let answer = batch.input.ids.strip_prefix(prompt.ids.as_slice()).unwrap();
        let (end, words) = answer.split_last().unwrap();
        assert_eq!(*end, text.ends[0]);
        assert_eq!(text.tokenizer.decode(words).unwrap(), "A red cat.");

        let marked = Dialogue {
            answer: format!("A {MARK}red cat."),
            ..dialogue
        };
        assert_eq!(collate(&text, &[marked]).input.ids, batch.input.ids);
    }
}

#[test]
fn words_may_stand_in_the_place_of_the_picture() {
    let text = text("letters", TEMPLATE);
    let described = Dialogue {
        picture: PicturePlace::Text(format!("a red{MARK} cat")),
        ..dialogue()
    };
    let batch = collate(&text, &[described]);
    let mut messages = messages(&dialogue());
    messages[0].content = "a red cat\nHello, world!".to_owned();
    let options = ChatOptions::default();
    let prompt = text.encode_chat(&messages, 0, &options).unwrap();
    assert!(batch.input.ids.starts_with(&prompt.ids));
    assert!(batch.bounds[0].is_empty());
    assert!(prompt.pictures.is_empty());
}

#[test]
fn the_picture_stands_before_the_words_of_the_first_question() {
    for kind in KINDS {
        let text = text(kind, TEMPLATE);
        let mut all = vec![ChatMessage::new("system", "Be brief.")];
        all.extend(messages(&dialogue()));
        let options = ChatOptions::default();
        let chat = text.encode_chat(&all, 3, &options).unwrap();
        let cut = |text: &LlamaText, part: &str| text.tokenizer.encode_rendered(part).unwrap();
        let before = cut(
            &text,
            "<|begin|><|turn|>system\nBe brief.<|end|><|turn|>user\n",
        );
        let behind = cut(
            &text,
            "\nHello, world!<|end|><|turn|>assistant\nA dog.<|end|><|turn|>user\nWhat is it?\
             <|end|><|turn|>assistant\n",
        );
        let slots = before.len()..before.len() + 3;
        assert_eq!(chat.pictures, std::slice::from_ref(&slots));
        assert_eq!(chat.ids[..slots.start], before);
        assert_eq!(chat.ids[slots.end..], behind);
    }
}

#[test]
fn templates_that_lose_the_picture_are_refused() {
    for template in [
        // Leaves out what the user says, or all but the last message, or says it twice.
        "{% for m in messages if m.role != 'user' %}{{ m.content }}{% endfor %}",
        "{{ messages[-1].content }}",
        "{% for m in messages %}{{ m.content ~ m.content }}{% endfor %}",
    ] {
        let text = text("letters", template);
        let error = LlamaDialogue::new(&text, &dialogue()).unwrap_err();
        assert!(matches!(error, LlmError::PictureLost), "{error}");
    }
    let text = text("letters", TEMPLATE);
    let system = [ChatMessage::new("system", "Be brief.")];
    assert!(matches!(
        text.encode_chat(&system, 3, &ChatOptions::default()),
        Err(LlmError::PictureLost)
    ));
}

#[test]
fn what_people_write_is_never_taken_for_a_picture() {
    let text = text("letters", TEMPLATE);
    let encode = |content: &str, slots| {
        let messages = [ChatMessage::new("user", content)];
        text.encode_chat(&messages, slots, &ChatOptions::default())
            .unwrap()
    };
    for slots in [0, 3] {
        let marked = encode(&format!("{MARK}What is{MARK} it?"), slots);
        assert_eq!(marked, encode("What is it?", slots));
    }
}

#[test]
fn batches_are_padded_on_the_right() {
    let text = text("letters", TEMPLATE);
    let short = Dialogue {
        picture: PicturePlace::Empty,
        turns: Vec::new(),
        ..dialogue()
    };
    let alone = collate(&text, std::slice::from_ref(&short));
    let other = collate(&text, &[dialogue()]);
    let batch = collate(&text, &[short, dialogue()]);
    let (len, seq_len) = (alone.input.ids.len(), other.input.ids.len());
    let LlamaBatch { ids, input } = &batch.input;
    assert_eq!([input.batch, input.seq_len], [2, seq_len]);
    assert_eq!(ids[..len], alone.input.ids);
    assert_eq!(ids[seq_len..], other.input.ids);
    assert_eq!(batch.targets[..len], alone.targets);
    assert_eq!(batch.targets[seq_len..], other.targets);
    assert!(
        batch.targets[len..seq_len]
            .iter()
            .all(|&target| target == -100)
    );
    assert!(input.seen[..len].iter().all(|&seen| seen));
    assert!(!input.seen[len..seq_len].contains(&true));
    assert!(batch.bounds[0].is_empty() && batch.bounds[1] == other.bounds[0]);
    assert!(matches!(
        LlamaDialogue::collate(Vec::new()),
        Err(LlmError::EmptyBatch)
    ));
}

#[test]
fn files_hold_all_that_is_needed() {
    for kind in KINDS {
        let text = text(kind, TEMPLATE);
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in text.files().unwrap() {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let config = LlamaConfig {
            vocab_size: text.tokenizer.vocab_size(),
            ..LlamaConfig::tiny()
        };
        let folder = PretrainedFolder::open(folder.path()).unwrap();
        let again = LlamaText::open(&folder, &config).unwrap();
        assert_eq!(again.ends, text.ends);
        let (messages, options) = (messages(&dialogue()), ChatOptions::default());
        let render = |text: &LlamaText| {
            let template = text.chat_template.as_ref().unwrap();
            template.render(&messages, &options).unwrap()
        };
        assert_eq!(render(&again), render(&text));
        let encode = |text: &LlamaText| text.encode_chat(&messages, 3, &options).unwrap();
        assert_eq!(encode(&again), encode(&text));
        for line in ["Hello, world!", "图里有什么？", "<tool> <|turn|>"] {
            assert_eq!(
                again.tokenizer.encode(line).unwrap(),
                text.tokenizer.encode(line).unwrap()
            );
        }
    }
}
