//! Two workers on threads of their own make the steps of one worker with both their batches.
#![cfg(feature = "distributed")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(missing_docs, dead_code, reason = "not every test uses every helper")]

mod common;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use burn::backend::Flex;
use burn_collective::{CollectiveConfig, reset_collective};
use common::{B, NextToken, SyntheticText, TextBatch, TinyLm, config, weights};
use mpm_train::distributed::CollectivePeer;
use mpm_train::{BoxError, CheckpointStore, DataSource, Outcome};
use mpm_train::{StepReport, TrainError, Trained, Trainer, TrainerConfig};

const WORKERS: usize = 2;
const STEPS: usize = 6;

/// Rounding of f32 sums in another order, after some steps of Adam.
const ROUNDING: f32 = 2e-4;

/// An end that is none: the data fail.
const FAILS_AT: u64 = 999;

/// An end that is none: the data cannot go back to their position.
const CANNOT_SEEK: u64 = 998;

/// An end that is none: the worker panics.
const PANICS_AT: u64 = 997;

/// Long enough for a busy machine, and never waited for where all goes well.
const PATIENT: Duration = Duration::from_secs(120);

/// Burn has one collective for the whole process.
static COLLECTIVE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    let guard = COLLECTIVE.lock().unwrap_or_else(|error| error.into_inner());
    reset_collective::<Flex>();
    guard
}

/// Every n-th batch of a text.
struct Part {
    text: SyntheticText,
    rank: u64,
}

impl DataSource for Part {
    type Batch = TextBatch;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<TextBatch>, BoxError> {
        assert!(self.text.end != PANICS_AT, "this worker is to panic");
        if self.text.end == FAILS_AT {
            return Err("the disk is gone".into());
        }
        if self.text.next >= self.text.end {
            return Ok(None);
        }
        let batch = self.text.batch(self.text.next * WORKERS as u64 + self.rank);
        self.text.next += 1;
        Ok(Some(batch))
    }

    fn position(&self) -> u64 {
        // Each worker's own, so that a mix-up shows.
        self.text.next + 1000 * self.rank
    }

    fn seek(&mut self, position: &u64) -> Result<(), BoxError> {
        if self.text.end == CANNOT_SEEK {
            return Err("the file is another one".into());
        }
        self.text.next = position - 1000 * self.rank;
        Ok(())
    }
}

type WorkersOutcome = Result<Trained<TinyLm<B>>, TrainError>;
type Outcomes = Vec<WorkersOutcome>;

/// Runs all workers, each with its own source; the first one may be told to stop.
struct Run<'a> {
    settings: TrainerConfig,
    /// The first worker's model.
    start: &'a TinyLm<B>,
    folder: Option<&'a Path>,
    stop_after: usize,
    /// Where each worker's data end.
    ends: [u64; WORKERS],
}

impl<'a> Run<'a> {
    fn new(start: &'a TinyLm<B>) -> Self {
        Self {
            settings: config(STEPS, 1e-3),
            start,
            folder: None,
            stop_after: usize::MAX,
            ends: [u64::MAX; WORKERS],
        }
    }

    fn workers(&self) -> Outcomes {
        let joined = self.joined().into_iter();
        joined.map(|outcome| outcome.unwrap()).collect()
    }

    /// What became of each worker, also where it panicked.
    fn joined(&self) -> Vec<thread::Result<WorkersOutcome>> {
        thread::scope(|scope| {
            let spawn = |rank| scope.spawn(move || self.worker(rank));
            let workers: Vec<_> = (0..WORKERS).map(spawn).collect();
            workers.into_iter().map(|worker| worker.join()).collect()
        })
    }

    fn worker(&self, rank: usize) -> WorkersOutcome {
        let collective = CollectiveConfig::default().with_num_devices(WORKERS);
        let peer = CollectivePeer::<Flex>::join(rank, WORKERS, Default::default(), collective)?;
        // The others draw parameters of their own; the first one's count.
        let model = match rank {
            0 => self.start.clone(),
            _ => TinyLm::new(16, 0.0),
        };
        let stop_after = self.stop_after;
        let stop = move |report: &StepReport| match rank == 0 && report.step == stop_after {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let mut trainer = Trainer::new(self.settings.clone(), NextToken, model)?
            .with_callback(stop)
            .with_peers(peer);
        let mut source = Part {
            text: SyntheticText {
                end: self.ends[rank],
                ..SyntheticText::endless(4)
            },
            rank: rank as u64,
        };
        if let Some(folder) = self.folder {
            trainer = trainer.with_checkpoints(store(folder));
            trainer.resume(&mut source)?;
        }
        trainer.run(&mut source)
    }
}

fn store(folder: &Path) -> CheckpointStore {
    CheckpointStore::open(folder, NonZeroUsize::MIN).unwrap()
}

fn models(outcomes: Outcomes) -> Vec<TinyLm<B>> {
    let trained = outcomes.into_iter().map(|trained| trained.unwrap());
    trained.map(|trained| trained.model).collect()
}

fn distance(one: &TinyLm<B>, two: &TinyLm<B>) -> f32 {
    weights(one)
        .into_iter()
        .zip(weights(two))
        .flat_map(|((_, one), (_, two))| one.into_iter().zip(two))
        .map(|(one, two)| (one - two).abs())
        .fold(0.0, f32::max)
}

#[test]
fn two_workers_equal_one() {
    let _alone = alone();
    let start = TinyLm::new(16, 0.0);
    let both = models(Run::new(&start).workers());
    assert!(distance(&both[0], &both[1]) == 0.0);

    let mut settings = config(STEPS, 1e-3);
    settings.accumulation = NonZeroUsize::new(WORKERS).unwrap();
    let trainer = Trainer::new(settings, NextToken, start.clone()).unwrap();
    let one = trainer.run(&mut SyntheticText::endless(4)).unwrap().model;
    let moved = distance(&start, &one);
    assert!(moved > 10.0 * ROUNDING, "{moved}");
    let apart = distance(&one, &both[0]);
    assert!(apart < ROUNDING, "{apart}");
}

#[test]
fn a_resumed_run_of_two_workers_equals_the_uninterrupted_one() {
    let _alone = alone();
    let start = TinyLm::new(16, 0.0);
    let whole = models(Run::new(&start).workers());

    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&start);
    run.folder = Some(folder.path());
    run.stop_after = 3;
    for trained in run.workers() {
        let trained = trained.unwrap();
        assert_eq!((trained.step, trained.outcome), (3, Outcome::Cancelled));
    }
    let other = TinyLm::new(16, 0.0);
    run.start = &other;
    run.stop_after = usize::MAX;
    let resumed = models(run.workers());
    assert!(distance(&whole[0], &resumed[0]) == 0.0);
    assert!(distance(&whole[1], &resumed[1]) == 0.0);

    let mut trainer = Trainer::new(config(STEPS, 1e-3), NextToken, TinyLm::new(16, 0.0))
        .unwrap()
        .with_checkpoints(store(folder.path()));
    let error = trainer.resume(&mut SyntheticText::endless(4)).unwrap_err();
    assert!(error.to_string().contains("2 workers"), "{error}");
}

#[test]
fn all_stop_at_a_step_whose_checkpoint_is_due() {
    let _alone = alone();
    let start = TinyLm::new(16, 0.0);
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&start);
    run.settings.checkpoint_every = Some(NonZeroUsize::MIN);
    run.folder = Some(folder.path());
    run.stop_after = 3;
    for trained in run.workers() {
        let trained = trained.unwrap();
        assert_eq!((trained.step, trained.outcome), (3, Outcome::Cancelled));
    }
    let newest = store(folder.path()).newest().unwrap().unwrap();
    assert_eq!(newest.manifest.state.step, 3);
}

#[test]
fn the_end_of_one_workers_data_ends_the_run_of_all() {
    let _alone = alone();
    let start = TinyLm::new(16, 0.0);
    let mut run = Run::new(&start);
    run.ends = [u64::MAX, 4];
    for trained in run.workers() {
        let trained = trained.unwrap();
        assert_eq!((trained.step, trained.outcome), (4, Outcome::DataEnded));
    }
}

#[test]
fn an_error_of_one_worker_stops_all() {
    let _alone = alone();
    let start = TinyLm::new(16, 0.0);
    let mut run = Run::new(&start);
    run.ends = [u64::MAX, FAILS_AT];
    let outcomes = run.workers();
    assert_second_failed(outcomes);
}

#[test]
fn a_worker_that_panics_stops_all() {
    let _alone = alone();
    let (sender, outcomes) = channel();
    // On a thread that is left behind, should a worker wait for ever.
    thread::spawn(move || {
        let start = TinyLm::new(16, 0.0);
        let mut run = Run::new(&start);
        run.ends = [u64::MAX, PANICS_AT];
        sender.send(run.joined()).unwrap();
    });
    let outcomes = outcomes.recv_timeout(PATIENT).unwrap();
    let panicked: Vec<_> = outcomes.iter().map(Result::is_err).collect();
    assert_eq!(panicked, [false, true]);
    let first = outcomes.into_iter().next().unwrap().unwrap();
    let error = first.err().unwrap();
    assert!(matches!(error, TrainError::Peers(_)), "{error:?}");
}

/// The second worker's data failed, and the first one stopped for that reason.
fn assert_second_failed(outcomes: Outcomes) {
    let outcomes = outcomes.into_iter();
    let errors: Vec<_> = outcomes.map(|trained| trained.err().unwrap()).collect();
    assert!(matches!(errors[0], TrainError::PeerFailed), "{errors:?}");
    assert!(matches!(errors[1], TrainError::Data(_)), "{errors:?}");
}

#[test]
fn a_worker_that_cannot_resume_stops_all() {
    let _alone = alone();
    let start = TinyLm::new(16, 0.0);
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&start);
    run.folder = Some(folder.path());
    run.stop_after = 3;
    models(run.workers());
    run.ends = [u64::MAX, CANNOT_SEEK];
    assert_second_failed(run.workers());
}
