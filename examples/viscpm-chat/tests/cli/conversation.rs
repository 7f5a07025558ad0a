//! Conversations with a program at the other end: no terminal, no prompts.

use crate::sandbox::{Sandbox, run, run_with_input};

#[test]
fn only_answers_go_to_standard_output() {
    let sandbox = Sandbox::new();
    let alone = sandbox.ask(&[]);
    let input = "\n/help\n  What is this?  \r\n/reset\nWhat is this?";
    let outcome = run_with_input(sandbox.chat().args(["--image", "picture.png"]), input);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let answer = alone.line();
    assert_eq!(outcome.stdout, format!("{answer}\n{answer}\n"));
    assert_eq!(
        outcome.stderr.matches("/image FILE").count(),
        1,
        "{outcome:?}"
    );
}

#[test]
fn no_prompts_on_a_dumb_terminal_either() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.chat();
    command.env("TERM", "dumb").args(["--image", "picture.png"]);
    let outcome = run_with_input(&mut command, "What is this?\n");
    assert_eq!(outcome.line(), sandbox.ask(&[]).line());
}

#[test]
fn mistakes_do_not_end_a_conversation() {
    let sandbox = Sandbox::new();
    sandbox.write("text.png", "no picture");
    let long = "x".repeat(5000);
    let input = format!(
        "/imag picture.png\n/image\n/image missing.png\n/image text.png\n{long}\nWhat is this?\n"
    );
    let outcome = run_with_input(sandbox.chat().args(["--image", "picture.png"]), input);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    // The picture and the turns are as before.
    assert_eq!(outcome.stdout, sandbox.ask(&[]).stdout);
    let lines = outcome.stderr.lines();
    let errors: Vec<&str> = lines.filter(|line| line.starts_with("error: ")).collect();
    let expected = [
        "/imag is no command; see /help",
        "name a file: /image FILE",
        "missing.png: there is no such file",
        "text.png: not a picture",
        "the question needs",
    ];
    assert_eq!(errors.len(), expected.len(), "{outcome:?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn another_picture_begins_anew() {
    let sandbox = Sandbox::new();
    std::fs::rename(sandbox.path("picture.png"), sandbox.path("a b.png")).unwrap();
    let ask = "What is this?";
    let input = format!("{ask}\n/image a b.png\n{ask}\n/image\t\"a b.png\"\n{ask}\n{ask}\n");
    let outcome = run_with_input(&mut sandbox.chat(), input);
    let answers: Vec<&str> = outcome.line().split('\n').collect();
    let [text_only, first, second, after] = answers[..] else {
        panic!("{outcome:?}")
    };
    assert_eq!(first, second);
    assert_ne!(first, text_only);
    assert_ne!(first, after);
}

#[test]
fn bytes_that_are_no_text_are_asked_nevertheless() {
    let sandbox = Sandbox::new();
    let outcome = run_with_input(&mut sandbox.chat(), b"a\xff\nb\n");
    assert_eq!(outcome.line().split('\n').count(), 2);
}

#[test]
fn no_input_is_a_short_conversation() {
    let sandbox = Sandbox::new();
    let outcome = run(&mut sandbox.chat());
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""));
    let outcome = run(sandbox.chat().args(["--image", "missing.png"]));
    outcome.fails(1, &["missing.png"]);
}

#[test]
fn turns_that_no_longer_fit_are_mentioned() {
    let sandbox = Sandbox::new();
    let question = "x".repeat(1400);
    let input = format!("{question}\n").repeat(3);
    let outcome = run_with_input(&mut sandbox.chat(), input);
    assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(0), 3));
    assert!(
        outcome.stderr.contains("(1 of the oldest turns"),
        "{outcome:?}"
    );
}
