//! Translation of data sets by commands and endpoints, and by ones that fail.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]
#![cfg(unix)]

mod common;

use std::{
    collections::{BTreeMap, HashSet},
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    num::{NonZeroU32, NonZeroUsize},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use common::{config, picture, texts, write};
use mpm_data::{
    DataError,
    dataset::{DatasetConfig, DatasetFormat, Example, PictureSource},
    picture::PictureLimits,
    translate::{
        AskOptions, CommandService, HttpService, ServiceConfig, TranslatedDataset,
        TranslationCache, TranslationConfig, TranslationError, TranslationReport,
        translate_dataset, translate_texts,
    },
};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// Long enough for a busy machine, and never waited for where all goes well.
const PATIENT: Duration = Duration::from_secs(20);
/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(300);

/// Turns the text of each request into capitals. A process for each line, because some versions
/// of awk read their input in blocks.
const CAPITALS: &str = r#"while read -r line; do printf '%s\n' "$line" | awk -F'"' '{ printf "{\"id\":\"%s\",\"translation\":\"%s\"}\n", $4, toupper($8) }'; done"#;
/// Reports an error for each request.
const ERRORS: &str = r#"while read -r line; do printf '%s\n' "$line" | awk -F'"' '{ printf "{\"id\":\"%s\",\"error\":\"no\"}\n", $4 }'; done"#;

fn options(batch: usize, rounds: u32, give_up: u32) -> AskOptions {
    AskOptions {
        batch: NonZeroUsize::new(batch).unwrap(),
        rounds: NonZeroU32::new(rounds).unwrap(),
        pause_s: 0.0,
        give_up: NonZeroU32::new(give_up).unwrap(),
    }
}

/// Asks a command for texts.
fn ask(
    folder: &Path,
    command: &str,
    timeout: Duration,
    texts: &[&str],
    options: &AskOptions,
) -> (
    Result<TranslationReport, TranslationError>,
    TranslationCache,
) {
    let mut cache = TranslationCache::open(&folder.join("cache.jsonl"), "en", "de").unwrap();
    let mut service = CommandService::new(command, timeout);
    let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
    let result = translate_texts(&texts, &mut service, &mut cache, options, &mut |_| {});
    (result, cache)
}

fn reasons(report: &TranslationReport) -> Vec<&str> {
    let failures = report.failures.iter();
    failures.map(|failure| failure.reason.as_str()).collect()
}

#[test]
fn a_command_answers_batch_after_batch() {
    let folder = tempdir().unwrap();
    // Has a line for each time that the command was started.
    let started = folder.path().join("started");
    let command = format!("echo x >> '{}'; {CAPITALS}", started.display());
    let names: Vec<_> = (0..10).map(|n| format!("cat {n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let (report, cache) = ask(folder.path(), &command, PATIENT, &names, &options(3, 1, 1));
    let report = report.unwrap();
    assert_eq!((report.translated, report.exchanges), (10, 4));
    assert_eq!(cache.get("cat 7"), Some("CAT 7"));
    assert_eq!(fs::read_to_string(&started).unwrap(), "x\n");
    drop(cache);

    // All is at hand now, so nothing is started.
    let (report, _) = ask(folder.path(), &command, PATIENT, &names, &options(3, 1, 1));
    assert_eq!(
        (report.as_ref().unwrap().cached, report.unwrap().exchanges),
        (10, 0)
    );
    assert_eq!(fs::read_to_string(&started).unwrap(), "x\n");
}

#[test]
fn what_a_command_said_before_it_died_is_kept_and_it_is_started_again() {
    let folder = tempdir().unwrap();
    let command = format!("head -n 1 | {CAPITALS}; echo out of memory >&2; exit 3");
    let (report, cache) = ask(
        folder.path(),
        &command,
        PATIENT,
        &["a", "b", "c"],
        &options(3, 2, 2),
    );
    let report = report.unwrap();
    assert_eq!(
        (report.translated, report.exchanges, report.broken),
        (2, 2, 2)
    );
    assert_eq!((cache.get("a"), cache.get("b")), (Some("A"), Some("B")));
    assert_eq!(report.failures[0].text.as_deref(), Some("c"));
    let reason = reasons(&report)[0];
    assert!(
        reason.contains("out of memory") && reason.contains('3'),
        "{reason}"
    );
}

#[test]
fn a_command_that_says_nothing_is_ended_and_given_up() {
    let folder = tempdir().unwrap();
    let start = Instant::now();
    // What the shell starts in the background holds the pipes open.
    let command = "sleep 1000 & sleep 1000; true";
    let (report, _) = ask(
        folder.path(),
        command,
        SHORT,
        &["a", "b"],
        &options(1, 9, 2),
    );
    let error = report.unwrap_err();
    assert!(start.elapsed() < PATIENT);
    match error {
        TranslationError::Silent { silent, report, .. } => {
            assert_eq!((silent, report.failed(), report.broken), (2, 2, 2));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn bad_replies_are_counted_and_listed() {
    let folder = tempdir().unwrap();
    let command = r#"while read -r line; do
        echo 'not json'
        echo '{"id":"77","translation":"who"}'
        echo '{"id":"1","translation":""}'
        echo '{"id":"2","error":"too rude"}'
        echo '{"id":"2","translation":"late"}'
        echo '{"id":"3","translation":"drei"}'
    done"#;
    let texts = ["one", "two", "three"];
    let (report, cache) = ask(folder.path(), command, PATIENT, &texts, &options(3, 1, 1));
    let report = report.unwrap();
    let faults = report.faults;
    assert_eq!(
        (faults.malformed, faults.unknown_id, faults.duplicate_id),
        (1, 1, 1)
    );
    assert_eq!(
        (faults.empty, faults.reported, report.translated),
        (1, 1, 1)
    );
    assert_eq!(cache.get("three"), Some("drei"));
    let path = folder.path().join("failures.jsonl");
    report.write_failures(&path).unwrap();
    let lines = fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!(lines[0]["reply"], "not json");
    assert_eq!(
        lines[4],
        json!({"text": "two", "reason": "the service reports: too rude"})
    );
}

#[test]
fn a_line_without_end_is_cut_short() {
    let folder = tempdir().unwrap();
    let command = "tr '\\0' x < /dev/zero";
    let (report, _) = ask(folder.path(), command, PATIENT, &["a"], &options(1, 1, 2));
    let report = report.unwrap();
    assert!(reasons(&report)[0].contains("longer"), "{report:?}");
}

#[test]
fn nonsense_without_end_is_left() {
    let folder = tempdir().unwrap();
    let (report, _) = ask(folder.path(), "yes", PATIENT, &["a"], &options(1, 1, 2));
    let report = report.unwrap();
    assert_eq!((report.translated, report.failed()), (0, 1));
    assert!(report.faults.malformed > 1000 && report.failures.len() < 1000);
}

#[test]
fn empty_lines_without_end_are_left() {
    let folder = tempdir().unwrap();
    let (report, _) = ask(folder.path(), "yes ''", PATIENT, &["a"], &options(1, 1, 2));
    assert_eq!(report.unwrap().failed(), 1);
}

#[test]
fn a_whole_last_line_gets_its_end() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("cache.jsonl");
    let entry = json!({"source": "en", "target": "de", "text": "dog", "translation": "Hund"});
    fs::write(&path, entry.to_string()).unwrap();
    let cache = TranslationCache::open(&path, "en", "de").unwrap();
    assert_eq!((cache.get("dog"), cache.damaged()), (Some("Hund"), 0));
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{entry}\n"));
}

#[test]
fn half_a_line_of_a_killed_run_is_taken_off() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("cache.jsonl");
    let line = |text: &str| {
        let entry = json!({"source": "en", "target": "de", "text": text, "translation": "x"});
        format!("{entry}\n")
    };
    let half = &line("half")[..30];
    fs::write(&path, line("whole") + "damaged\n" + half).unwrap();
    let (report, cache) = ask(
        folder.path(),
        CAPITALS,
        PATIENT,
        &["whole", "half"],
        &options(8, 1, 1),
    );
    let report = report.unwrap();
    assert_eq!(
        (report.cached, report.translated, cache.damaged()),
        (1, 1, 1)
    );
    drop(cache);
    let cache = TranslationCache::open(&path, "en", "de").unwrap();
    assert_eq!((cache.len(), cache.get("half")), (2, Some("HALF")));
    assert_eq!(cache.damaged(), 1);
    match TranslationCache::open(&path, "en", "de") {
        Err(TranslationError::InUse { .. }) => {}
        other => panic!("{other:?}"),
    }
    drop(cache);
    assert!(
        TranslationCache::open(&path, "de", "en")
            .unwrap()
            .is_empty()
    );
}

/// How the server of a test answers a request.
#[derive(Clone, Copy)]
enum Answer {
    Capitals,
    Status500,
    WrongJson,
    Slow,
    BreaksOff,
}

/// Answers one request a connection.
fn serve(answers: Vec<Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/translate", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (answer, stream) in answers.into_iter().zip(listener.incoming()) {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut length, mut key) = (0, false);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim().to_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                key |= line == "x-key: secret";
                if line.is_empty() {
                    break;
                }
            }
            assert!(key);
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mut lines = String::new();
            for line in body
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
            {
                let request: Value = serde_json::from_slice(line).unwrap();
                let text = request["text"].as_str().unwrap().to_uppercase();
                let reply = json!({"id": request["id"], "translation": text});
                // In the opposite order.
                lines = format!("{reply}\n{lines}");
            }
            let (status, body, length) = match answer {
                Answer::Capitals => ("200 OK", lines.clone(), lines.len()),
                Answer::Status500 => ("500 Error", "no memory".to_owned(), 9),
                Answer::WrongJson => ("200 OK", "[]\n".to_owned(), 3),
                Answer::BreaksOff => ("200 OK", lines.clone(), lines.len() + 100),
                Answer::Slow => {
                    thread::sleep(SHORT * 3);
                    ("200 OK", lines.clone(), lines.len())
                }
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
            let reply = format!("{head}Connection: close\r\n\r\n{body}");
            // The client of a slow answer is gone.
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    url
}

fn ask_endpoint(
    answers: Vec<Answer>,
    texts: &[&str],
    options: &AskOptions,
) -> (Result<TranslationReport, TranslationError>, TempDir) {
    let folder = tempdir().unwrap();
    let mut cache = TranslationCache::open(&folder.path().join("c"), "en", "de").unwrap();
    let headers = BTreeMap::from([("X-Key".to_owned(), "secret".to_owned())]);
    let timeout = match answers.iter().any(|answer| matches!(answer, Answer::Slow)) {
        true => SHORT,
        false => PATIENT,
    };
    let mut service = HttpService::new(serve(answers), headers, timeout);
    let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
    let result = translate_texts(&texts, &mut service, &mut cache, options, &mut |_| {});
    (result, folder)
}

#[test]
fn an_endpoint_answers_and_is_asked_again_after_failures() {
    let answers = vec![Answer::Status500, Answer::WrongJson, Answer::Capitals];
    let (report, _folder) = ask_endpoint(answers, &["a", "b"], &options(2, 3, 3));
    let report = report.unwrap();
    assert_eq!(
        (report.translated, report.exchanges, report.broken),
        (2, 3, 1)
    );
    assert_eq!(report.faults.malformed, 1);
    assert_eq!(report.failed(), 0);
}

#[test]
fn an_endpoint_that_fails_says_why() {
    for (answer, part) in [
        (Answer::Status500, "500: no memory"),
        (Answer::Slow, "timeout"),
    ] {
        let (report, _folder) = ask_endpoint(vec![answer], &["a"], &options(2, 1, 1));
        match report.unwrap_err() {
            TranslationError::Silent { last, report, .. } => {
                assert!(last.contains(part), "{last}");
                assert_eq!(report.failed(), 1);
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn lines_before_a_break_of_the_connection_count() {
    // The first batch is answered completely before the break; the second is asked for anew.
    let answers = vec![Answer::BreaksOff, Answer::Capitals];
    let (report, _folder) = ask_endpoint(answers, &["a", "b", "c"], &options(2, 1, 1));
    assert_eq!(report.unwrap().translated, 3);
}

fn translation(folder: &Path, dataset: DatasetConfig, command: &str) -> TranslationConfig {
    TranslationConfig {
        dataset,
        source: "en".into(),
        target: "de".into(),
        output: folder.join("out"),
        cache: folder.join("cache"),
        limit: None,
        seed: 1,
        service: ServiceConfig::Command {
            command: command.into(),
            timeout_s: PATIENT.as_secs_f64(),
        },
        ask: options(4, 1, 1),
    }
}

fn run(config: &TranslationConfig) -> Result<TranslatedDataset, DataError> {
    let mut service = config.service.open().unwrap();
    translate_dataset(config, service.as_mut(), &mut |_| {})
}

fn examples(dataset: &DatasetConfig) -> Vec<Example> {
    let examples = dataset.open(&dataset.files[0]).unwrap();
    examples.map(Result::unwrap).collect()
}

#[test]
fn conversations_are_read_back_with_their_pictures() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("a.png"), picture()).unwrap();
    let list = json!([
        {"image": "a.png", "conversations": [
            {"from": "human", "value": "<image>\nwhat is it?"}, {"from": "gpt", "value": "a cat"},
            {"from": "human", "value": "where?"}, {"from": "gpt", "value": "bad"},
        ]},
        {"image": ["a.png", "a.png"], "conversations": [
            {"from": "human", "value": "<image><image>"}, {"from": "gpt", "value": "two cats"},
        ]},
        {"image": "a.png", "conversations": [{"from": "gpt", "value": "alone"}]},
    ]);
    let file = write(folder.path(), "a.json", list.to_string().as_bytes());
    let command = format!("{CAPITALS} | sed -u 's/\"translation\":\"BAD\"/\"error\":\"bad\"/'");
    let mut config = translation(
        folder.path(),
        config(DatasetFormat::Llava, &[file]),
        &command,
    );
    let done = run(&config).unwrap();
    assert_eq!((done.examples, done.untranslated, done.unusable), (1, 1, 1));
    assert_eq!(done.report.faults.reported, 1);
    let read = examples(&done.dataset);
    assert_eq!(read.len(), 1);
    assert_eq!(texts(&read[0]), [["", "TWO CATS"]]);
    assert_eq!(done.dataset.language.as_deref(), Some("de"));
    assert_eq!(read[0].pictures.len(), 2);
    read[0].pictures[0]
        .decode(&PictureLimits::default())
        .unwrap();
    let failures = fs::read_to_string(config.cache.join("failures.jsonl")).unwrap();
    assert!(failures.contains("\"text\":\"bad\""), "{failures}");

    let saved = fs::read(config.output.join("dataset.json")).unwrap();
    let saved: DatasetConfig = serde_json::from_slice(&saved).unwrap();
    assert_eq!(saved, done.dataset);
    assert!(matches!(
        run(&config).unwrap_err(),
        DataError::Translation(TranslationError::Exists { .. })
    ));

    // The next run asks for the missing text alone.
    config.output = folder.path().join("again");
    config.service = ServiceConfig::Command {
        command: CAPITALS.into(),
        timeout_s: PATIENT.as_secs_f64(),
    };
    let done = run(&config).unwrap();
    assert_eq!((done.report.cached, done.report.translated), (4, 1));
    let read = examples(&done.dataset);
    assert_eq!(
        texts(&read[0]),
        [["WHAT IS IT?", "A CAT"], ["WHERE?", "BAD"]]
    );
}

#[test]
fn embedded_pictures_are_written_once() {
    let folder = tempdir().unwrap();
    let line = |answer: &str| {
        let pictures = [BASE64_STANDARD.encode(picture())];
        json!({"instruction": "say", "inputs": "", "outputs": answer, "image_base64_str": pictures})
    };
    let lines = format!("{}\n{}\n", line("one"), line("two"));
    let file = write(folder.path(), "a.jsonl", lines.as_bytes());
    let config = translation(
        folder.path(),
        config(DatasetFormat::M3it, &[file]),
        CAPITALS,
    );
    let done = run(&config).unwrap();
    let read = examples(&done.dataset);
    assert_eq!(texts(&read[1]), [["SAY", "TWO"]]);
    let pictures: Vec<_> = fs::read_dir(config.output.join("pictures"))
        .unwrap()
        .collect();
    assert_eq!(pictures.len(), 1);
    for example in &read {
        match &example.pictures[0] {
            PictureSource::File(path) => assert_eq!(fs::read(path).unwrap(), picture()),
            other => panic!("{other:?}"),
        }
    }
}

/// Captions `text 0`, … and one that is Chinese.
fn captions(folder: &Path, count: usize) -> PathBuf {
    let mut lines = String::new();
    for n in 0..count {
        let caption = json!({"image": format!("{n}.png"), "caption": format!("text {n}")});
        lines += &format!("{caption}\n");
    }
    lines += "{\"image\": \"z.png\", \"zh\": \"字\"}\n";
    write(folder, "captions.jsonl", lines.as_bytes())
}

#[test]
fn a_larger_limit_contains_a_smaller_one() {
    let folder = tempdir().unwrap();
    let file = captions(folder.path(), 40);
    let mut dataset = config(DatasetFormat::JsonLines, &[file]);
    dataset
        .columns
        .translations
        .insert("zh".into(), "zh".into());
    let mut config = translation(folder.path(), dataset, CAPITALS);
    let mut chosen = Vec::new();
    for limit in [5, 12, 100] {
        config.limit = NonZeroUsize::new(limit);
        config.output = folder.path().join(limit.to_string());
        let done = run(&config).unwrap();
        assert_eq!(done.other_language, 1);
        let read = examples(&done.dataset);
        assert_eq!(read.len(), limit.min(40));
        let texts: HashSet<_> = read
            .iter()
            .map(|example| texts(example)[0][1].to_owned())
            .collect();
        chosen.push(texts);
    }
    assert!(chosen[0].is_subset(&chosen[1]) && chosen[1].is_subset(&chosen[2]));
    config.seed = 2;
    config.limit = NonZeroUsize::new(5);
    config.output = folder.path().join("other seed");
    let other: HashSet<_> = examples(&run(&config).unwrap().dataset)
        .iter()
        .map(|example| texts(example)[0][1].to_owned())
        .collect();
    assert_ne!(other, chosen[0]);
}

#[test]
fn a_folder_may_be_named_with_a_slash_at_its_end() {
    let folder = tempdir().unwrap();
    let file = captions(folder.path(), 2);
    let dataset = config(DatasetFormat::JsonLines, &[file]);
    let mut config = translation(folder.path(), dataset, CAPITALS);
    config.output = folder.path().join("out/");
    assert!(config.output.as_os_str().to_string_lossy().ends_with('/'));
    let done = run(&config).unwrap();
    assert_eq!(examples(&done.dataset).len(), 2);
}

/// What is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_folder_that_only_looks_like_half_of_the_output_stays() {
    let folder = tempdir().unwrap();
    let file = captions(folder.path(), 2);
    let config = translation(
        folder.path(),
        config(DatasetFormat::JsonLines, &[file]),
        CAPITALS,
    );
    let own = folder.path().join("out.partial");
    fs::create_dir(&own).unwrap();
    write(&own, "notes", "mine");
    run(&config).unwrap();
    assert_eq!(names(&own), ["notes"]);
    assert_eq!(
        names(folder.path()),
        ["cache", "captions.jsonl", "out", "out.partial"]
    );
    // Others may read it as they may read what is beside it.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&config.output), mode(&own));
}

#[test]
fn an_output_that_another_run_made_meanwhile_stays() {
    let folder = tempdir().unwrap();
    let file = captions(folder.path(), 2);
    let other = folder.path().join("out");
    let command = format!(
        "mkdir '{0}'; echo x > '{0}/other'; {CAPITALS}",
        other.display()
    );
    let dataset = config(DatasetFormat::JsonLines, &[file]);
    let error = run(&translation(folder.path(), dataset, &command)).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::Translation(TranslationError::Exists { .. })
        ),
        "{error}"
    );
    assert_eq!(names(&other), ["other"]);
    assert_eq!(names(folder.path()), ["cache", "captions.jsonl", "out"]);
}

#[test]
fn nothing_is_left_where_an_example_cannot_be_written() {
    let folder = tempdir().unwrap();
    let file = captions(folder.path(), 2);
    let mut dataset = config(DatasetFormat::JsonLines, &[file]);
    dataset.pictures = Some(OsStr::from_bytes(b"\xFF").into());
    let error = run(&translation(folder.path(), dataset, CAPITALS)).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
    assert_eq!(names(folder.path()), ["cache", "captions.jsonl"]);
}

#[test]
fn nothing_is_left_where_nothing_is_translated() {
    let folder = tempdir().unwrap();
    let file = captions(folder.path(), 2);
    let dataset = config(DatasetFormat::JsonLines, &[file]);
    let mut config = translation(folder.path(), dataset, ERRORS);
    match run(&config).unwrap_err() {
        DataError::Translation(TranslationError::Nothing { report }) => {
            assert_eq!(report.failed(), 2);
        }
        other => panic!("{other}"),
    }
    assert_eq!(names(folder.path()), ["cache", "captions.jsonl"]);
    config.target = "en".into();
    assert!(matches!(
        run(&config).unwrap_err(),
        DataError::Translation(TranslationError::Languages { .. })
    ));
}

#[test]
fn a_configuration_is_read_and_wrong_fields_are_found() {
    let text = json!({
        "dataset": {"format": "llava", "files": ["a.json"], "language": "en"},
        "source": "en", "target": "de", "output": "out", "cache": "cache", "limit": 100,
        "service": {"endpoint": {"url": "http://localhost:1/"}},
    });
    let config: TranslationConfig = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(config.ask, AskOptions::default());
    for place in ["", "/ask", "/service/endpoint"] {
        let mut text = text.clone();
        text["ask"] = json!({});
        text.pointer_mut(place).unwrap()["extra"] = json!(1);
        let error = serde_json::from_value::<TranslationConfig>(text).unwrap_err();
        assert!(error.to_string().contains("extra"), "{error}");
    }
    let service = ServiceConfig::Command {
        command: "true".into(),
        timeout_s: f64::NAN,
    };
    assert!(matches!(
        service.open().map(drop).unwrap_err(),
        TranslationError::Seconds { .. }
    ));
}
