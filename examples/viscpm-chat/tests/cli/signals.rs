//! Ctrl-C, and readers that go away.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
};

use crate::sandbox::Sandbox;

/// More than any test waits for.
const ENDLESS: [&str; 4] = ["--max-new-tokens", "65536", "--image", "picture.png"];

/// The line editor turns bracketed paste on when it begins to read a line.
#[cfg(target_os = "linux")]
const READY: &str = "\x1b[?2004h";

/// And off when it is done.
#[cfg(target_os = "linux")]
const LEFT: &str = "\x1b[?2004l";

fn spawn(command: &mut Command) -> (Child, impl BufRead + use<>) {
    let mut child = command
        .args(ENDLESS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(status.success());
}

fn stderr(mut child: Child) -> (Option<i32>, String) {
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    (child.wait().unwrap().code(), text)
}

/// The beginning of an answer, so that it is certain that one is under way.
fn first_byte(stdout: &mut impl Read) -> u8 {
    let mut byte = [0];
    stdout.read_exact(&mut byte).unwrap();
    byte[0]
}

#[test]
fn an_interrupt_ends_a_single_answer() {
    let sandbox = Sandbox::new();
    let (child, mut stdout) = spawn(sandbox.chat().args(["--question", "What is this?"]));
    first_byte(&mut stdout);
    interrupt(&child);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"\n"));
    assert_eq!(stderr(child), (Some(130), String::new()));
}

#[test]
fn an_interrupt_stops_an_answer_and_not_the_conversation() {
    let sandbox = Sandbox::new();
    let (mut child, mut stdout) = spawn(&mut sandbox.chat());
    let mut stdin = child.stdin.take().unwrap();
    let mut line = Vec::new();
    for _ in 0..2 {
        stdin.write_all(b"What is this?\n").unwrap();
        first_byte(&mut stdout);
        interrupt(&child);
        stdout.read_until(b'\n', &mut line).unwrap();
        assert!(line.ends_with(b"\n"));
    }
    drop(stdin);
    assert_eq!(stdout.read_to_end(&mut line).unwrap(), 0);
    assert_eq!(stderr(child), (Some(0), String::new()));
}

#[test]
fn an_interrupt_ends_a_batch() {
    let sandbox = Sandbox::new();
    let line = |picture: &str| format!("{{\"image\": \"{picture}\", \"question\": \"?\"}}\n");
    sandbox.write("lines.jsonl", line("missing.png") + &line("picture.png"));
    let mut command = sandbox.chat();
    command.args(["--batch", "lines.jsonl", "--max-new-tokens", "65536"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    stdout.read_line(&mut text).unwrap();
    interrupt(&child);
    stdout.read_to_string(&mut text).unwrap();
    // An answer that was broken off is no result.
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(stderr(child), (Some(130), String::new()));
}

#[test]
fn a_reader_that_has_enough_ends_the_program() {
    let sandbox = Sandbox::new();
    let (child, mut stdout) = spawn(sandbox.chat().args(["--question", "What is this?"]));
    first_byte(&mut stdout);
    drop(stdout);
    assert_eq!(stderr(child), (Some(141), String::new()));

    let (mut child, mut stdout) = spawn(&mut sandbox.chat());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"What is this?\n").unwrap();
    first_byte(&mut stdout);
    drop(stdout);
    assert_eq!(stderr(child), (Some(141), String::new()));
}

/// `script` gives the program a terminal, and what is written to `script` is typed.
/// The shell in between makes way with `exec`: it would die of Ctrl-C itself.
#[cfg(target_os = "linux")]
#[test]
fn control_c_on_a_terminal_stops_the_answer_only() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: `script` of util-linux is not installed");
        return;
    }
    let sandbox = Sandbox::new();
    let program = format!(
        "exec {} --model model {}",
        env!("CARGO_BIN_EXE_viscpm-chat"),
        ENDLESS.join(" ")
    );
    let mut child = Command::new("script")
        .args(["-qfec", &program, "/dev/null"])
        .current_dir(sandbox.path(""))
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // Bytes up to the end of `text`, none of which is looked at again.
    let mut read_until = |text: &str, least: usize| {
        let mut shown = Vec::new();
        while shown.len() < least || !shown.ends_with(text.as_bytes()) {
            shown.push(first_byte(&mut stdout));
        }
        shown.len()
    };
    read_until(READY, 0);
    stdin.write_all(b"What is this?\r").unwrap();
    // The answer is under way when the editor has left and text follows.
    read_until(LEFT, 0);
    read_until("", 300);
    stdin.write_all(b"\x03").unwrap();
    let length = read_until(READY, 0);
    stdin.write_all(b"/nonsense\r").unwrap();
    read_until("/nonsense is no command", 0);
    read_until(READY, 0);
    // The whole answer has a byte at least for each of its 65,536 tokens.
    assert!(length < 50_000, "{length} bytes were shown");
    stdin.write_all(b"\x04").unwrap();
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
