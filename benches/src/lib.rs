//! What the suites in `benches/` share: the choice of a backend, and timing that
//! waits for the device.

#![allow(
    clippy::print_stderr,
    reason = "figures that criterion does not take are for who runs the suite"
)]

use burn::tensor::{Distribution, Tensor, backend::Backend};
use criterion::Criterion;
use mpm_core::{
    MpmBackend,
    backend::{BackendKind, BackendTask},
};

/// As in the examples: the CPU backend allocates each tensor anew, and the system's
/// allocator hands large ones back to the kernel every time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The environment variable that names the backend; criterion keeps the command
/// line to itself. Without it the suites run on [`BackendKind::Flex`].
pub const BACKEND_VARIABLE: &str = "MPM_BENCH_BACKEND";

/// Benchmarks that work on every backend.
pub trait Suite {
    /// Adds the benchmarks to `criterion`, with `backend` in their names.
    fn bench<B: MpmBackend>(criterion: &mut Criterion, backend: BackendKind, device: &B::Device);
}

/// Runs the suite `S` on the backend that [`BACKEND_VARIABLE`] names.
///
/// # Panics
/// When there is no such backend, or when it was not compiled in; the message
/// names those that were.
pub fn run<S: Suite>(criterion: &mut Criterion) {
    struct Task<'c, S> {
        criterion: &'c mut Criterion,
        backend: BackendKind,
        suite: std::marker::PhantomData<S>,
    }

    impl<S: Suite> BackendTask for Task<'_, S> {
        type Output = ();

        fn run<B: MpmBackend>(self, device: B::Device) {
            S::bench::<B>(self.criterion, self.backend, &device);
        }
    }

    viscpm_common::keep_freed_memory();
    let chosen = match std::env::var(BACKEND_VARIABLE) {
        Ok(name) => name.parse(),
        Err(_) => Ok(BackendKind::Flex),
    };
    let finished = chosen.and_then(|backend| {
        backend.run(Task::<S> {
            criterion,
            backend,
            suite: std::marker::PhantomData,
        })
    });
    if let Err(error) = finished {
        panic!("{BACKEND_VARIABLE}: {error}");
    }
}

/// Does `work` and waits until the device has done it too: calls to a GPU return
/// before their results are there.
///
/// # Panics
/// When the device reports that its work failed.
pub fn finish<B: Backend, T>(device: &B::Device, work: impl FnOnce() -> T) -> T {
    let output = work();
    B::sync(device).expect("a benchmark of failed work would mislead");
    output
}

/// Numbers drawn from N(0, 1).
pub fn random<B: Backend, const D: usize>(shape: [usize; D], device: &B::Device) -> Tensor<B, D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// Prints the most memory that the process has held since the last call, where the system
/// tells (Linux).
pub fn peak_memory(what: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: Option<u64> =
        line.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
    if let Some(kilobytes) = kilobytes {
        eprintln!("{what}: peak memory {} MB", kilobytes / 1000);
    }
    // Forgets the peak; a system that refuses shows too much next time, never too little.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
