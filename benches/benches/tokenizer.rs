//! How many bytes of text the CPM-Bee tokenizer encodes and decodes in a second, on one core.
//!
//! The vocabulary is the file that `MPM_CPM_BEE_VOCAB` names, else the published one beside the
//! workspace, else one built from the texts of this bench.
#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mpm_llm::LlmError;
use mpm_llm::tokenizer::{CpmBeeTokenizer, VocabularyBuilder};

const ENGLISH: &str = "The colourful umbrellas on the beach serve several purposes: they block the \
    sun, protect people from direct light, and offer a comfortable place to rest.\n";
const CHINESE: &str = "沙滩上的彩色遮阳伞有好几个用途。首先，它可以遮挡阳光，保护人们免受直接照射；\
    其次，提供一个舒适的地方休息、放松并享受海滩环境。\n";
/// Bytes per text: more than fits the caches near the core.
const SIZE: usize = 1 << 20;

fn tokenizer() -> Result<(CpmBeeTokenizer, &'static str), LlmError> {
    let published = std::env::var_os("MPM_CPM_BEE_VOCAB").map_or_else(
        || {
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("../../shared/reference/cpm_bee_vocab.txt")
        },
        PathBuf::from,
    );
    if published.is_file() {
        return Ok((CpmBeeTokenizer::from_file(published)?, "published"));
    }
    let small = VocabularyBuilder::new(400).build([ENGLISH, CHINESE].repeat(2))?;
    Ok((CpmBeeTokenizer::new(small)?, "small"))
}

fn bench(c: &mut Criterion) {
    let (tokenizer, vocabulary) = tokenizer().expect("the vocabulary file is valid");
    let mixed = [ENGLISH, CHINESE].concat();
    let mut group = c.benchmark_group(format!("tokenizer-{vocabulary}"));
    for (name, unit) in [
        ("mixed", mixed.as_str()),
        ("english", ENGLISH),
        ("chinese", CHINESE),
    ] {
        let text = unit.repeat(SIZE.div_ceil(unit.len()));
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::new("encode", name), &text, |b, text| {
            b.iter(|| tokenizer.encode(black_box(text)));
        });
        let encoding = tokenizer.encode(&text).expect("plain text");
        group.bench_with_input(
            BenchmarkId::new("decode", name),
            &encoding,
            |b, encoding| {
                b.iter(|| tokenizer.decode(black_box(&encoding.ids), &encoding.ext));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
