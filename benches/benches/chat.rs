//! How long the shipped model takes to answer a question about a picture: to encode the
//! picture, to read the prompt and choose the first token, and for the whole answer, whose
//! throughput is in tokens a second.
//!
//! Decoding and precision are those of the model's folder. Without the folder nothing is
//! timed.
#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]
#![allow(
    clippy::print_stderr,
    reason = "who runs the suite must see why there are no figures"
)]

use std::ops::ControlFlow;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mpm_benches::{Suite, finish, run};
use mpm_core::{MpmBackend, backend::BackendKind, weights::LoadOptions};
use mpm_data::picture::Picture;
use mpm_llm::decoding::DecodingParams;
use viscpm_chat::{Answer, CONFIG_FILE, ChatModel, ChatSession};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/viscpm-chat-emoji");

const QUESTIONS: [(&str, &str); 2] = [("english", "What is this?"), ("chinese", "这是什么？")];

/// Pixels along a side: more than the encoder takes, so that resizing is timed too.
const SIDE: u32 = 256;

struct Chat;

impl Suite for Chat {
    fn bench<B: MpmBackend>(criterion: &mut Criterion, backend: BackendKind, device: &B::Device) {
        if !Path::new(MODEL).join(CONFIG_FILE).is_file() {
            eprintln!("chat: skipped, there is no model in {MODEL}");
            return;
        }
        let model = ChatModel::<B>::open(MODEL, device, &LoadOptions::default())
            .expect("the shipped model is valid");
        let whole = &model.config.decoding;
        let first = DecodingParams {
            max_new_tokens: 1,
            ..whole.clone()
        };
        let picture = sun();
        let mut session = ChatSession::new(&model).expect("the shipped model chats");

        let mut group = criterion.benchmark_group("chat-encode-picture");
        group.bench_function(backend.name(), |b| {
            b.iter(|| finish::<B, _>(device, || show(&mut session, &picture)));
        });
        group.finish();

        show(&mut session, &picture);
        let mut group = criterion.benchmark_group("chat-first-token");
        for (language, question) in QUESTIONS {
            group.bench_function(BenchmarkId::new(backend.name(), language), |b| {
                b.iter(|| ask(&mut session, question, &first));
            });
        }
        group.finish();

        let mut group = criterion.benchmark_group("chat-answer");
        for (language, question) in QUESTIONS {
            let tokens = ask(&mut session, question, whole).tokens;
            group.throughput(Throughput::Elements(tokens as u64));
            group.bench_function(BenchmarkId::new(backend.name(), language), |b| {
                b.iter(|| ask(&mut session, question, whole));
            });
        }
        group.finish();
    }
}

fn show<B: MpmBackend>(session: &mut ChatSession<'_, B>, picture: &Picture) {
    session.show(picture).expect("any picture can be shown");
}

/// Asks without earlier turns. The answer's text is on the host, so the device is done.
fn ask<B: MpmBackend>(
    session: &mut ChatSession<'_, B>,
    question: &str,
    params: &DecodingParams,
) -> Answer {
    session.reset();
    session
        .ask(question, params, |_| ControlFlow::Continue(()))
        .expect("the question is short and the decoding is the model's")
}

/// A yellow disc on white.
fn sun() -> Picture {
    let centre = SIDE / 2;
    let radius = SIDE * 3 / 8;
    let pixels = (0..SIDE * SIDE).flat_map(|pixel| {
        let (across, down) = (
            (pixel % SIDE).abs_diff(centre),
            (pixel / SIDE).abs_diff(centre),
        );
        let inside = across * across + down * down < radius * radius;
        if inside { [255, 204, 50] } else { [255; 3] }
    });
    Picture::from_rgb(SIDE, SIDE, pixels.collect()).expect("three bytes a pixel")
}

criterion_group!(benches, run::<Chat>);
criterion_main!(benches);
