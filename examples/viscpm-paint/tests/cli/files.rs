//! What is written, what is not overwritten, and what leaves nothing behind.

use std::fs;

use crate::sandbox::{Sandbox, run};

#[test]
fn a_file_is_overwritten_on_request_only() {
    let sandbox = Sandbox::new();
    sandbox.write("cat.png", "mine");
    sandbox.write("cat-2.png", "mine, too");
    let reason = ["cat.png: the file is there already", "--force"];
    sandbox.paint("cat.png", &[]).fails(1, &reason);
    let separate = ["--n", "3", "--separate"];
    let outcome = sandbox.paint("cat.png", &separate);
    outcome.fails(1, &["cat-2.png: the file is there already"]);
    assert_eq!(fs::read(sandbox.path("cat.png")).unwrap(), b"mine");
    assert!(!sandbox.path("cat-1.png").exists());
    sandbox.painted("cat.png", &["--force"]);
    let outcome = sandbox.paint("cat.png", &[&separate[..], &["--force"]].concat());
    assert_eq!(outcome.stdout, "cat-1.png\ncat-2.png\ncat-3.png\n");
}

#[test]
fn folders_devices_and_other_names_are_refused() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("folder.png")).unwrap();
    for (out, code, reasons) in [
        ("folder.png", 1, &["folder.png: this is a folder"][..]),
        (
            "missing/cat.png",
            1,
            &["there is no folder missing", "make it first"],
        ),
        ("start.png/cat.png", 1, &["there is no folder start.png"]),
        ("cat.jpg", 2, &["cat.jpg", "end in .png"]),
        ("cat", 2, &["cat", "end in .png"]),
        ("", 2, &["--out"]),
    ] {
        for force in [&[][..], &["--force"]] {
            sandbox.paint(out, force).fails(code, reasons);
        }
    }
    #[cfg(unix)]
    {
        let device = sandbox.path("device.png");
        std::os::unix::fs::symlink("/dev/full", &device).unwrap();
        sandbox
            .paint("device.png", &[])
            .fails(1, &["is there already"]);
        // With --force the link makes way for the picture, and the device stays.
        sandbox.painted("device.png", &["--force"]);
        assert!(!fs::metadata("/dev/full").unwrap().is_file());
    }
    assert_eq!(sandbox.names("folder.png"), [""; 0]);
}

/// Without reading weights, of which there are none here.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_found_out_before_the_weights_are_read() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    sandbox.write("model/model.safetensors", "no weights");
    let outcome = sandbox.paint("/proc/cat.png", &[]);
    outcome.fails(1, &["/proc/cat.png: the file cannot be written"]);
    let folder = sandbox.path("locked");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(folder.join("probe"), "").is_ok() {
        println!("skipped: nothing is read-only to the superuser");
        return;
    }
    let outcome = sandbox.paint("locked/cat.png", &[]);
    outcome.fails(
        1,
        &["locked/cat.png: the file cannot be written: Permission denied"],
    );
}

/// A limit on the size of files stands for a full disk: the shell sets it and has the signal that
/// comes with it ignored, so that writing fails with an error.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_found_out_before_the_weights_are_read() {
    let sandbox = Sandbox::new();
    let limited = |blocks: u32| {
        let program = env!("CARGO_BIN_EXE_viscpm-paint");
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {program} --model model 'a cat' --seed 1 \
             --out cat.png"
        );
        let mut shell = std::process::Command::new("sh");
        run(shell.args(["-c", &script]).current_dir(sandbox.path("")))
    };
    assert_eq!(limited(10_000).code, Some(0));
    fs::remove_file(sandbox.path("cat.png")).unwrap();
    sandbox.write("model/model.safetensors", "no weights");
    limited(1).fails(1, &["cat.png: the file cannot be written: File too large"]);
    assert!(sandbox.is_untouched());
}

#[test]
fn a_sheet_has_its_limits() {
    let sandbox = Sandbox::new();
    let large = ["--n", "100", "--size", "2048"];
    let outcome = sandbox.paint("cat.png", &large);
    outcome.fails(
        1,
        &["the sheet of all pictures", "limit of 50000000 pixels"],
    );
    assert!(sandbox.is_untouched());
}
