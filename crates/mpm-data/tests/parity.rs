//! Parity with the pixels and tensors of the reference implementation.
//!
//! Runs every case `f_*` and `h_clip_processor_*` of the folder named by `MPM_FIXTURES`, by default `tests/fixtures` of
//! the workspace.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "tests fail by panicking and report their counts"
)]

#[path = "parity/augment.rs"]
mod augment;
#[path = "parity/clip.rs"]
mod clip;
#[path = "parity/preprocess.rs"]
mod preprocess;

use mpm_test_support::{cases, report};

#[test]
fn pictures() {
    let cases = cases("f_");
    for case in &cases {
        println!("{}", case.name);
        if case.name.starts_with("f_augment") {
            augment::check(case);
        } else {
            preprocess::check(case);
        }
    }
    report(cases.len(), "pictures");
}

#[test]
fn pictures_for_clip() {
    let cases = cases("h_clip_processor_");
    cases.iter().for_each(clip::check);
    report(cases.len(), "h_clip_processor");
}
