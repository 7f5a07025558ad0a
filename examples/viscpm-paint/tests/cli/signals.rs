//! Ctrl-C, and readers that go away.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
};

use crate::sandbox::Sandbox;

/// More than any test waits for.
const ENDLESS: [&str; 6] = ["--scheduler", "ddpm", "--steps", "1000", "--size", "256"];

fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(status.success());
}

#[test]
fn an_interrupt_ends_a_batch_and_leaves_what_is_finished() {
    let sandbox = Sandbox::new();
    let quick = r#"{"prompt": "a", "size": 16, "steps": 1, "scheduler": "ddim"}"#;
    let long = r#"{"prompt": "a red cat"}"#;
    sandbox.write("prompts.jsonl", format!("{quick}\n{long}\n{quick}\n"));
    for low_memory in [&[][..], &["--low-memory"]] {
        let files = ["--batch", "prompts.jsonl", "--out-dir", "out", "--force"];
        let mut command = sandbox.command(&[&files, &ENDLESS[..], low_memory].concat());
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
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        // A picture that was broken off is no result, and neither is a part of a file.
        assert_eq!(text.lines().count(), 1, "{text}");
        assert_eq!(sandbox.names("out"), ["00001.png"]);
        assert_eq!(sandbox.picture("out/00001.png").width(), 16);
    }
}

#[test]
fn an_interrupt_leaves_the_separate_pictures_that_are_finished() {
    let sandbox = Sandbox::new();
    let pictures = ["--n", "1000", "--at-once", "1", "--separate"];
    let mut child = sandbox
        .command(&[&["a cat", "--out", "cat.png", "--seed", "5"], &pictures[..]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    stdout.read_line(&mut text).unwrap();
    interrupt(&child);
    stdout.read_to_string(&mut text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let written: Vec<&str> = text.lines().collect();
    assert!((1..1000).contains(&written.len()), "{text}");
    for (number, name) in (1..).zip(&written) {
        assert_eq!(*name, format!("cat-{number:04}.png"));
        assert_eq!(sandbox.picture(name).width(), 32);
    }
    let files = sandbox.names("").into_iter();
    assert_eq!(
        files.filter(|name| name.starts_with("cat")).count(),
        written.len()
    );
}

#[test]
fn a_reader_that_has_enough_ends_the_program() {
    let sandbox = Sandbox::new();
    let quick = r#"{"prompt": "a", "size": 16, "steps": 1, "scheduler": "ddim"}"#;
    let lines = format!("{quick}\n").repeat(1000);
    sandbox.write("prompts.jsonl", lines);
    let mut child = sandbox
        .command(&["--batch", "prompts.jsonl", "--out-dir", "out"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(sandbox.names("out").len() < 1000);
}

/// `script` gives the program a terminal, and what is written to `script` is typed.
/// The shell in between makes way with `exec`: it would die of Ctrl-C itself.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_shows_how_long_it_takes_and_control_c_ends_it() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: `script` of util-linux is not installed");
        return;
    }
    let sandbox = Sandbox::new();
    let program = format!(
        "exec {} --model model cat --out cat.png {}",
        env!("CARGO_BIN_EXE_viscpm-paint"),
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
    let mut shown = Vec::new();
    while !shown.ends_with(b" left") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        shown.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&shown).into_owned();
    assert!(
        text.contains("painting") && text.contains("/1000"),
        "{text}"
    );
    stdin.write_all(b"\x03").unwrap();
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(sandbox.is_untouched());
}
