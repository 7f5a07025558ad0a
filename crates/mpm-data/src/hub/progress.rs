//! How far a download is, and whether to go on.

use std::{
    ops::ControlFlow,
    panic,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use super::HubError;

/// How often one who waits is asked whether to go on.
const POLL: Duration = Duration::from_millis(50);

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubProgress<'a> {
    /// The path in the repository.
    pub file: &'a str,
    /// Bytes that are there.
    pub done: u64,
    /// All bytes, 0 until the Hub has told.
    pub total: u64,
}

/// Tells the user of this crate how far a file is, and stops when that breaks, also while something
/// else is waited for.
pub(super) struct Watch<'a> {
    progress: HubProgress<'a>,
    tell: &'a mut dyn FnMut(HubProgress<'_>) -> ControlFlow<()>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        file: &'a str,
        tell: &'a mut dyn FnMut(HubProgress<'_>) -> ControlFlow<()>,
    ) -> Self {
        let (done, total) = (0, 0);
        Self {
            progress: HubProgress { file, done, total },
            tell,
        }
    }

    /// # Errors
    /// [`HubError::Cancelled`].
    pub(super) fn set(&mut self, done: u64, total: u64) -> Result<(), HubError> {
        (self.progress.done, self.progress.total) = (done, total);
        self.check()
    }

    /// # Errors
    /// [`HubError::Cancelled`].
    pub(super) fn check(&mut self) -> Result<(), HubError> {
        match (self.tell)(self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(HubError::Cancelled),
        }
    }

    /// # Errors
    /// [`HubError::Cancelled`].
    pub(super) fn sleep(&mut self, time: Duration) -> Result<(), HubError> {
        let start = Instant::now();
        loop {
            self.check()?;
            let left = time.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(POLL));
        }
    }

    /// Lets another thread do what blocks. One that is cancelled is left to its timeout.
    ///
    /// # Errors
    /// [`HubError::Cancelled`].
    pub(super) fn wait_for<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HubError> {
        let (alive, ended) = mpsc::channel::<()>();
        let worker = thread::spawn(move || {
            let _alive = alive;
            work()
        });
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(POLL) {
            self.check()?;
        }
        Ok(worker
            .join()
            .unwrap_or_else(|cause| panic::resume_unwind(cause)))
    }
}
