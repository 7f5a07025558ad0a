//! The test of LLaVA with judges that answer, fail, write nonsense and go away.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]
#![cfg(unix)]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    num::NonZeroU32,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use mpm_data::translate::LineFileError;
use mpm_train::evaluate::llava::{
    AnswerJudge, Case, ChatEndpoint, ChatOptions, CommandJudge, JudgeCache, JudgeError,
    JudgeLanguage, JudgeOptions, LlavaError, LlavaReport, judge_cases, judge_prompt, read_cases,
};
use serde_json::{Value, json};
use tempfile::tempdir;

/// Long enough for a busy machine, and never waited for where all goes well.
const PATIENT: Duration = Duration::from_secs(20);

/// The layouts of LLaVA's files, with a context of the test in the wild.
const QUESTIONS: &str = r#"
{"question_id": 0, "image": "a.jpg", "text": "What is it?", "category": "conv"}
{"question_id": 1, "image": "a.jpg", "text": "Describe it.", "category": "detail"}
{"question_id": 2, "image": "b.jpg", "text": "这是什么？", "category": "conv"}
"#;
const CONTEXTS: &str = r#"
{"id": "a", "image": "a.jpg", "captions": ["A cat.", "A black cat."], "instances": [{"category": "cat", "bbox": [0.1, 0.25, 0.5, 1.0]}]}
{"id": "b", "image": "b.jpg", "caption": "A strawberry."}
{"id": "c", "image": "c.jpg", "captions": []}
"#;
const REFERENCES: &str = r#"
{"question_id": 0, "text": "A cat.", "category": "conv"}
{"question_id": 1, "text": "A black cat lies there.", "category": "detail"}
{"question_id": 2, "text": "草莓", "category": "conv"}
"#;
const ANSWERS: &str = r#"
{"question_id": 2, "prompt": "x", "text": "苹果", "answer_id": "z", "model_id": "m", "metadata": {}}
{"question_id": 0, "prompt": "x", "text": "A dog.", "answer_id": "x", "model_id": "m", "metadata": {}}
{"question_id": 1, "prompt": "x", "text": "It is a cat.", "answer_id": "y", "model_id": "m", "metadata": {}}
"#;

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    file
}

fn read(folder: &Path, answers: &str) -> Result<Vec<Case>, LlavaError> {
    read_cases(
        &write(folder, "questions.jsonl", QUESTIONS),
        &write(folder, "contexts.jsonl", CONTEXTS),
        &write(folder, "references.jsonl", REFERENCES),
        &write(folder, "answers.jsonl", answers),
    )
}

fn some_cases() -> Vec<Case> {
    let folder = tempdir().unwrap();
    read(folder.path(), ANSWERS).unwrap()
}

fn options(rounds: u32, give_up: u32) -> JudgeOptions {
    JudgeOptions {
        rounds: NonZeroU32::new(rounds).unwrap(),
        give_up: NonZeroU32::new(give_up).unwrap(),
        pause_s: 0.0,
        ..JudgeOptions::default()
    }
}

/// Has all cases judged, with the cache in a folder.
fn judge(
    folder: &Path,
    judge: &mut dyn AnswerJudge,
    options: &JudgeOptions,
) -> Result<LlavaReport, LlavaError> {
    let mut cache = JudgeCache::open(&folder.join("cache.jsonl")).unwrap();
    judge_cases(&some_cases(), judge, &mut cache, options, &mut |_| {})
}

/// Replies by a function of the prompt, and counts.
struct Scripted<F> {
    reply: F,
    asked: usize,
}

impl<F: FnMut(usize, &str) -> Result<String, JudgeError>> AnswerJudge for Scripted<F> {
    fn name(&self) -> &str {
        "scripted"
    }

    fn reply(&mut self, prompt: &str) -> Result<String, JudgeError> {
        self.asked += 1;
        (self.reply)(self.asked, prompt)
    }
}

fn scripted<F: FnMut(usize, &str) -> Result<String, JudgeError>>(reply: F) -> Scripted<F> {
    Scripted { reply, asked: 0 }
}

#[test]
fn files_are_put_together_by_their_numbers_and_pictures() {
    let cases = some_cases();
    let ids: Vec<_> = cases.iter().map(|case| case.question.question_id).collect();
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(cases[0].answer, "A dog.");
    assert_eq!(cases[1].context.instances[0].category, "cat");
    assert_eq!(cases[2].context.captions, ["A strawberry."]);
    assert_eq!((&*cases[2].reference, &*cases[2].answer), ("草莓", "苹果"));
}

#[test]
fn files_that_do_not_fit_are_refused_with_all_that_lacks() {
    let folder = tempdir().unwrap();
    let some = r#"{"question_id": 1, "text": "x"}"#;
    let error = read(folder.path(), some).unwrap_err().to_string();
    assert_eq!(error, "question 0 has no answer; question 2 has no answer");
    let error = read(folder.path(), &[some, some].join("\n"))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "the answer to question 1 is there twice");
    let error = read(folder.path(), "\n{\"question_id\": 1}")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("answers.jsonl, line 2: missing field `text`"),
        "{error}"
    );
    let nothing = folder.path().join("nothing.jsonl");
    let error = read_cases(&nothing, &nothing, &nothing, &nothing).unwrap_err();
    assert!(matches!(error, LlavaError::Read { .. }), "{error}");
    let empty = write(folder.path(), "empty.jsonl", "");
    let error = read_cases(&empty, &empty, &empty, &empty).unwrap_err();
    assert!(matches!(error, LlavaError::NoQuestions), "{error}");
}

#[test]
fn a_prompt_has_all_parts_in_either_language() {
    let cases = some_cases();
    let parts = [
        "A black cat.",
        "cat: 0.100 0.250 0.500 1.000",
        "What is it?",
        "A cat.",
        "A dog.",
    ];
    for language in [JudgeLanguage::English, JudgeLanguage::Chinese] {
        let prompt = judge_prompt(&cases[0], language);
        let mut rest = prompt.as_str();
        for part in parts {
            let at = rest
                .find(part)
                .unwrap_or_else(|| panic!("{part} in {prompt}"));
            rest = &rest[at + part.len()..];
        }
    }
    let chinese = judge_prompt(&cases[0], JudgeLanguage::Chinese);
    assert!(
        chinese.contains("## 回答甲\nA cat.\n(回答甲到此为止)"),
        "{chinese}"
    );
    let english = judge_prompt(&cases[2], JudgeLanguage::English);
    assert!(
        english.contains("## Answer B\n苹果\n(end of answer B)"),
        "{english}"
    );
    assert!(!english.contains("Things in the picture"), "{english}");
}

#[test]
fn scores_become_parts_of_the_reference_by_category() {
    let folder = tempdir().unwrap();
    let mut scores = ["8 4", "10, 9\nVery good.", "2 4"].into_iter();
    let mut model = scripted(|_, _| Ok(scores.next().unwrap().to_owned()));
    let report = judge(folder.path(), &mut model, &options(1, 1)).unwrap();
    let categories = report.categories();
    assert_eq!(categories["conv"].relative(), Some(80.0));
    assert_eq!(categories["detail"].relative(), Some(90.0));
    assert_eq!(report.all().relative(), Some(85.0));
    assert_eq!(report.judgements[1].reply, "10, 9\nVery good.");
    let table = "\
category questions reference     model  relative
conv             2      5.00      4.00    80.0 %
detail           1     10.00      9.00    90.0 %
all              3      6.67      5.67    85.0 %
";
    assert_eq!(report.to_string(), table);
    let stored = serde_json::to_string(&report).unwrap();
    assert_eq!(
        serde_json::from_str::<LlavaReport>(&stored).unwrap(),
        report
    );
}

#[test]
fn a_run_goes_on_where_it_was() {
    let folder = tempdir().unwrap();
    // The first question has a reply, then the judge is gone.
    let mut gone = scripted(|asked, _| match asked {
        1 => Ok("8 8".into()),
        _ => Err(JudgeError::Service(
            mpm_data::translate::ServiceError::Read(std::io::ErrorKind::BrokenPipe.into()),
        )),
    });
    let error = judge(folder.path(), &mut gone, &options(3, 2)).unwrap_err();
    let LlavaError::Silent { silent, report, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((silent, gone.asked), (2, 3));
    assert_eq!((report.judgements.len(), report.failures.len()), (1, 2));
    // Half a line, as a kill leaves it.
    let cache = folder.path().join("cache.jsonl");
    fs::OpenOptions::new()
        .append(true)
        .open(&cache)
        .unwrap()
        .write_all(b"{\"judge\":")
        .unwrap();
    let mut model = scripted(|_, _| Ok("8 4".into()));
    let report = judge(folder.path(), &mut model, &options(1, 1)).unwrap();
    assert_eq!((model.asked, report.judgements.len()), (2, 3));
    assert_eq!(report.all().relative(), Some(100.0 * 16.0 / 24.0));
    // All is at hand now. Another language is another prompt.
    let report = judge(folder.path(), &mut model, &options(1, 1)).unwrap();
    assert_eq!((model.asked, report.failures.len()), (2, 0));
    let chinese = JudgeOptions {
        language: JudgeLanguage::Chinese,
        ..options(1, 1)
    };
    judge(folder.path(), &mut model, &chinese).unwrap();
    assert_eq!(model.asked, 5);
}

#[test]
fn replies_without_scores_are_asked_for_again_and_listed() {
    let folder = tempdir().unwrap();
    let mut model = scripted(|asked, prompt| match asked {
        _ if prompt.contains("Describe it.") => Ok("I cannot see the picture.".into()),
        1 => Ok("0 11".into()),
        _ => Ok("5 5".into()),
    });
    let report = judge(folder.path(), &mut model, &options(2, 1)).unwrap();
    assert_eq!(model.asked, 5);
    assert_eq!(report.all().questions, 2);
    assert_eq!(report.failures[0].question_id, 1);
    let reason = &report.failures[0].reason;
    assert!(
        reason.ends_with("not with `I cannot see the picture.`"),
        "{reason}"
    );
    assert!(
        report.to_string().ends_with("1 questions have no scores\n"),
        "{report}"
    );
    let kept = fs::read_to_string(folder.path().join("cache.jsonl")).unwrap();
    assert_eq!(kept.lines().count(), 2);
}

#[test]
fn one_run_at_a_time_writes_to_a_cache() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("folder/cache.jsonl");
    let _open = JudgeCache::open(&file).unwrap();
    let again = JudgeCache::open(&file);
    assert!(
        matches!(again, Err(LineFileError::InUse { .. })),
        "{again:?}"
    );
    let options = JudgeOptions {
        pause_s: -1.0,
        ..options(1, 1)
    };
    let error = judge(
        folder.path(),
        &mut scripted(|_, _| Ok("1 1".into())),
        &options,
    );
    assert!(matches!(error, Err(LlavaError::Pause { .. })), "{error:?}");
}

/// A request as the endpoint had it: its header in lower case, and its body.
fn receive(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut header = String::new();
    while !header.ends_with("\r\n\r\n") {
        reader.read_line(&mut header).unwrap();
    }
    let header = header.to_lowercase();
    let length = header
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.unwrap().trim().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    (header, serde_json::from_slice(&body).unwrap())
}

/// Answers one request a connection, each with a status and a body.
fn serve(answers: Vec<(&'static str, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://{}/v1/chat/completions",
        listener.local_addr().unwrap()
    );
    thread::spawn(move || {
        for ((status, body), stream) in answers.into_iter().zip(listener.incoming()) {
            let mut stream = stream.unwrap();
            let (header, request) = receive(&stream);
            assert!(header.contains("authorization: bearer key\r\n"), "{header}");
            assert!(
                header.contains("content-type: application/json\r\n"),
                "{header}"
            );
            assert_eq!(request["model"], "judge-1");
            assert_eq!(request["temperature"], 0.2);
            assert_eq!(request["messages"][0]["role"], "user");
            let prompt = request["messages"][0]["content"].as_str().unwrap();
            assert!(prompt.contains("## The question"), "{prompt}");
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
            write!(stream, "{head}Connection: close\r\n\r\n{body}").unwrap();
        }
    });
    url
}

fn completion(content: Value) -> String {
    let message = json!({"role": "assistant", "content": content});
    // Over several lines, as some servers send it.
    serde_json::to_string_pretty(&json!({"id": "x", "choices": [{"message": message}]})).unwrap()
}

#[test]
fn an_endpoint_judges() {
    let folder = tempdir().unwrap();
    let url = serve(vec![
        (
            "200 OK",
            completion("9 6\nAnswer B names the wrong animal.".into()),
        ),
        ("429 Too Many Requests", "slow down".into()),
        ("200 OK", completion("6 6".into())),
        ("200 OK", completion("3 3".into())),
    ]);
    let options_of_chat = ChatOptions {
        headers: BTreeMap::from([("Authorization".into(), "Bearer key".into())]),
        ..ChatOptions::default()
    };
    let mut model = ChatEndpoint::new(url, "judge-1", options_of_chat);
    let report = judge(folder.path(), &mut model, &options(2, 2)).unwrap();
    assert_eq!((&*report.judge, report.failures.len()), ("judge-1", 0));
    assert_eq!(report.all().relative(), Some(100.0 * 15.0 / 18.0));
}

#[test]
fn an_endpoint_that_says_nothing_useful_is_an_error() {
    let url = serve(vec![
        ("200 OK", completion(Value::Null)),
        ("200 OK", "{\"choices\": []}".into()),
        ("200 OK", "<html>".into()),
        (
            "200 OK",
            format!("{{\"x\": \"{}\"}}", "y\n".repeat(1 << 20)),
        ),
        ("401 Unauthorized", "who are you?".into()),
    ]);
    let options_of_chat = ChatOptions {
        headers: BTreeMap::from([("Authorization".into(), "Bearer key".into())]),
        ..ChatOptions::default()
    };
    let mut model = ChatEndpoint::new(url, "judge-1", options_of_chat);
    let prompt = judge_prompt(&some_cases()[0], JudgeLanguage::English);
    let reasons = [
        "no content",
        "no content",
        "cannot be read (expected value",
        "longer than 1048576 bytes",
        "status 401: who are you?",
    ];
    for reason in reasons {
        let error = model.reply(&prompt).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_command_judges() {
    let folder = tempdir().unwrap();
    // The id is the fourth part between quotes. A process for each line, because some versions of
    // awk read their input in blocks.
    let command = r#"echo noise >&2; while read -r line; do printf '{"id":"%s","reply":"7 5\\nwhy"}\n' "$(printf '%s\n' "$line" | cut -d'"' -f4)"; done"#;
    let mut model = CommandJudge::new(command, "command", PATIENT);
    let report = judge(folder.path(), &mut model, &options(1, 1)).unwrap();
    assert_eq!(report.judgements.len(), 3, "{report:?}");
    assert_eq!(report.judgements[0].reply, "7 5\nwhy");
}

#[test]
fn a_command_may_fail() {
    let cases: [(&str, &str); 5] = [
        (
            r#"read -r line; echo '{"id":"0","reply":"1 1"}'; exit 3"#,
            "ended before",
        ),
        (
            r#"read -r line; echo '{"id":"1","error":"no memory"}'"#,
            "reports: no memory",
        ),
        (r#"read -r line; echo '{"id":"1"}'"#, "needs either"),
        ("read -r line; echo; echo nonsense", "nonsense"),
        (
            r#"read -r line; yes '{"id":"0","reply":"1 1"}'"#,
            "only other lines",
        ),
    ];
    for (command, reason) in cases {
        let error = CommandJudge::new(command, "command", PATIENT).reply("prompt");
        let error = error.unwrap_err().to_string();
        assert!(error.contains(reason), "{command}: {error}");
    }
}
