//! How long BEiT-3 large, VisCPM's picture encoder, takes for one picture: 224 x 224
//! pixels, 64 queries, f32. The preparation of the picture is in the suite `picture`.
#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mpm_benches::{Suite, finish, random, run};
use mpm_core::{MpmBackend, backend::BackendKind};
use mpm_vision::Beit3Config;

/// Of VisCPM's Muffin.
const QUERIES: usize = 64;

/// The fewest that criterion takes: a pass takes a second or so on a CPU.
const SAMPLES: usize = 10;

struct Beit3Large;

impl Suite for Beit3Large {
    fn bench<B: MpmBackend>(criterion: &mut Criterion, backend: BackendKind, device: &B::Device) {
        let config = Beit3Config::large();
        let encoder = config.init::<B>(device).expect("the preset is valid");
        let side = config.image_size;
        let picture = random::<B, 4>([1, config.in_channels, side, side], device);
        let queries = random::<B, 2>([QUERIES, config.d_model], device);
        let forward = || {
            finish::<B, _>(device, || {
                encoder
                    .forward(black_box(picture.clone()), Some(queries.clone()))
                    .expect("the picture and the queries have the encoder's shapes")
            })
        };
        // Weights are drawn when they are first used.
        forward();
        let mut group = criterion.benchmark_group("beit3-large-224-q64");
        group.sample_size(SAMPLES);
        group.bench_function(backend.name(), |b| b.iter(forward));
        group.finish();
    }
}

criterion_group!(benches, run::<Beit3Large>);
criterion_main!(benches);
