//! Batches prepared ahead of time on a thread of their own.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::{BoxError, DataSource, TrainError};

/// Wraps a [`DataSource`] so that the next batches are prepared while the model
/// computes.
///
/// Order and position are those of the wrapped source: [`position`] belongs to
/// the batches delivered, not to those prepared, so checkpoints stay exact.
///
/// [`position`]: DataSource::position
#[derive(Debug)]
pub struct Prefetch<S: DataSource> {
    depth: NonZeroUsize,
    position: S::Position,
    state: State<S>,
}

#[derive(Debug)]
enum State<S: DataSource> {
    /// No thread runs; the source is here.
    Idle(S),
    /// The thread has the source and gives it back when it ends.
    Running {
        batches: Receiver<Message<S>>,
        worker: JoinHandle<S>,
    },
    /// The thread panicked or could not be started, and the source is lost.
    Lost,
}

/// A batch and the position after it, the end, or an error.
type Message<S> = Result<Option<(<S as DataSource>::Batch, <S as DataSource>::Position)>, BoxError>;

impl<S> Prefetch<S>
where
    S: DataSource + Send + 'static,
    S::Batch: Send,
    S::Position: Send,
{
    /// Prepares up to `depth` batches ahead. The thread starts with the first
    /// batch asked for.
    pub fn new(source: S, depth: NonZeroUsize) -> Self {
        Self {
            depth,
            position: source.position(),
            state: State::Idle(source),
        }
    }

    /// Stops the thread and takes the source back.
    fn stop(&mut self) -> Result<S, TrainError> {
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(source) => Ok(source),
            State::Running { batches, worker } => {
                // A worker that waits to send ends when nobody can receive.
                drop(batches);
                worker
                    .join()
                    .map_err(|panic| TrainError::Worker(panic_message(panic.as_ref())))
            }
            State::Lost => Err(lost()),
        }
    }

    fn start(&mut self, mut source: S) -> Result<(), TrainError> {
        let (sender, batches) = sync_channel::<Message<S>>(self.depth.get());
        let work = move || {
            loop {
                let message = source
                    .next_batch()
                    .map(|batch| batch.map(|batch| (batch, source.position())));
                let last = !matches!(message, Ok(Some(_)));
                if sender.send(message).is_err() || last {
                    return source;
                }
            }
        };
        let worker = Builder::new()
            .name("mpm-prefetch".to_owned())
            .spawn(work)
            .map_err(|error| TrainError::Worker(error.to_string()))?;
        self.state = State::Running { batches, worker };
        Ok(())
    }
}

impl<S> DataSource for Prefetch<S>
where
    S: DataSource + Send + 'static,
    S::Batch: Send,
    S::Position: Send,
{
    type Batch = S::Batch;
    type Position = S::Position;

    fn next_batch(&mut self) -> Result<Option<S::Batch>, BoxError> {
        if matches!(self.state, State::Idle(_)) {
            let source = self.stop()?;
            self.start(source)?;
        }
        let received = match &self.state {
            State::Running { batches, .. } => batches.recv(),
            State::Idle(_) | State::Lost => return Err(Box::new(lost())),
        };
        match received {
            Ok(Ok(Some((batch, position)))) => {
                self.position = position;
                Ok(Some(batch))
            }
            // After the end or an error the thread is gone: keep the source, so
            // that the next call asks it again, as without prefetching.
            Ok(Ok(None)) => {
                self.state = State::Idle(self.stop()?);
                Ok(None)
            }
            Ok(Err(error)) => {
                self.state = State::Idle(self.stop()?);
                Err(error)
            }
            // The sender is gone without a last message: the thread panicked.
            Err(_) => match self.stop() {
                Ok(_) => Err(Box::new(lost())),
                Err(error) => Err(Box::new(error)),
            },
        }
    }

    fn position(&self) -> S::Position {
        self.position.clone()
    }

    fn seek(&mut self, position: &S::Position) -> Result<(), BoxError> {
        let mut source = self.stop()?;
        let result = source.seek(position);
        self.position = source.position();
        self.state = State::Idle(source);
        result
    }
}

fn lost() -> TrainError {
    TrainError::Worker("it failed earlier".to_owned())
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    /// Counts from a start to an end; errs or panics at chosen numbers.
    struct Counter {
        next: usize,
        end: usize,
        bad: Option<usize>,
        fatal: Option<usize>,
    }

    impl Counter {
        fn to(end: usize) -> Self {
            Self {
                next: 0,
                end,
                bad: None,
                fatal: None,
            }
        }
    }

    impl DataSource for Counter {
        type Batch = usize;
        type Position = usize;

        fn next_batch(&mut self) -> Result<Option<usize>, BoxError> {
            if self.next == self.end {
                return Ok(None);
            }
            let number = self.next;
            self.next += 1;
            if self.fatal == Some(number) {
                panic!("number {number} is fatal");
            }
            if self.bad == Some(number) {
                return Err(format!("number {number} is bad").into());
            }
            Ok(Some(number))
        }

        fn position(&self) -> usize {
            self.next
        }

        fn seek(&mut self, position: &usize) -> Result<(), BoxError> {
            self.next = *position;
            Ok(())
        }
    }

    fn prefetch(counter: Counter) -> Prefetch<Counter> {
        Prefetch::new(counter, NonZeroUsize::new(4).unwrap())
    }

    #[test]
    fn order_and_position_are_those_of_the_source() {
        let mut source = prefetch(Counter::to(50));
        for expected in 0..50 {
            assert_eq!(source.position(), expected);
            assert_eq!(source.next_batch().unwrap(), Some(expected));
        }
        assert_eq!(source.next_batch().unwrap(), None);
        assert_eq!(source.next_batch().unwrap(), None);
        assert_eq!(source.position(), 50);
    }

    #[test]
    fn seek_discards_what_was_prepared() {
        let mut source = prefetch(Counter::to(50));
        for _ in 0..10 {
            source.next_batch().unwrap();
        }
        source.seek(&3).unwrap();
        assert_eq!(source.position(), 3);
        assert_eq!(source.next_batch().unwrap(), Some(3));
        assert_eq!(source.next_batch().unwrap(), Some(4));
    }

    #[test]
    fn an_error_arrives_in_its_turn_and_does_not_end_the_source() {
        let mut source = prefetch(Counter {
            bad: Some(2),
            ..Counter::to(5)
        });
        assert_eq!(source.next_batch().unwrap(), Some(0));
        assert_eq!(source.next_batch().unwrap(), Some(1));
        assert_eq!(
            source.next_batch().unwrap_err().to_string(),
            "number 2 is bad"
        );
        assert_eq!(source.next_batch().unwrap(), Some(3));
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let mut source = prefetch(Counter {
            fatal: Some(1),
            ..Counter::to(5)
        });
        assert_eq!(source.next_batch().unwrap(), Some(0));
        let error = source.next_batch().unwrap_err().to_string();
        assert!(error.contains("number 1 is fatal"), "{error}");
        assert!(source.next_batch().is_err());
    }
}
