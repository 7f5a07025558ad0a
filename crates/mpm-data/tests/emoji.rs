//! The committed emoji set, as a user reads it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use mpm_data::emoji::{EmojiSet, Language, Split, Style};
use sha2::{Digest, Sha256};

fn set() -> &'static EmojiSet {
    static SET: OnceLock<EmojiSet> = OnceLock::new();
    SET.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        EmojiSet::open(folder.join("../../examples/build-emoji-set/emoji.tar.zst")).unwrap()
    })
}

#[test]
fn list() {
    for c in set().naming().classes() {
        println!("{}|{}|{}", set().concepts()[c.concepts()[0]].subgroup, c.name(Language::English).unwrap(), c.name(Language::Chinese).unwrap());
    }
}
