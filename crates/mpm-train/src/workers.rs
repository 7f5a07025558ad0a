//! The cores of the machine, shared among passes that run at the same time.

use std::{panic::resume_unwind, thread};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// A pool of threads for each pass, where there are several.
///
/// In the one pool of the process, every operation of a pass is cut up for all cores, and waits
/// there for what is left of the other passes' operations. A share of the cores for each of them
/// keeps all busy with less waiting.
#[derive(Debug)]
pub(crate) struct Workers(Vec<ThreadPool>);

impl Workers {
    /// Shares the cores among `count` workers; each has one at least.
    pub fn new(count: usize) -> Result<Self, ThreadPoolBuildError> {
        let share = (rayon::current_num_threads() / count.max(1)).max(1);
        let pool = |_| ThreadPoolBuilder::new().num_threads(share).build();
        let several = if count > 1 { count } else { 0 };
        (0..several).map(pool).collect::<Result<_, _>>().map(Self)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len().max(1)
    }

    /// Works off items, each by a worker of its own and all at the same time. The results are in
    /// the order of the items, of which there are no more than workers, and several workers.
    pub fn map<T: Send, R: Send>(&self, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
        debug_assert!(items.len() <= self.0.len());
        let work = &work;
        thread::scope(|scope| {
            let items = items.into_iter().zip(&self.0);
            let running: Vec<_> = items
                .map(|(item, pool)| scope.spawn(move || pool.install(|| work(item))))
                .collect();
            running
                .into_iter()
                .map(|running| running.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn items_are_worked_off_at_the_same_time_and_come_back_in_order() {
        let workers = Workers::new(3).unwrap();
        // Nobody gets past it alone.
        let barrier = Barrier::new(3);
        let results = workers.map(vec![3, 1, 2], |item| {
            barrier.wait();
            (item, rayon::current_num_threads())
        });
        let share = (rayon::current_num_threads() / 3).max(1);
        assert_eq!(results, [(3, share), (1, share), (2, share)]);
        assert_eq!(workers.map(vec![7], |item| item + 1), [8]);
        assert!(workers.map(Vec::<i32>::new(), |item| item).is_empty());
        assert_eq!(Workers::new(1).unwrap().count(), 1);
    }
}
