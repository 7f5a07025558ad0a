//! The cores of the machine, shared among passes that run at the same time.

use std::{
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    thread::{self, ScopedJoinHandle},
};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// A pool of threads for each pass, where there are several.
///
/// A pass is a forward pass, with or without its backward pass, or any other work of many
/// operations on the CPU.
///
/// In the one pool of the process, every operation of a pass is cut up for all cores, and waits
/// there for what is left of the other passes' operations. A share of the cores for each of them
/// keeps all busy with less waiting.
///
/// ```
/// use mpm_train::Workers;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let workers = Workers::new(2)?;
/// let answers = workers.map(["a cat", "a dog"], str::len);
/// assert_eq!(answers, [5, 5]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Workers(Vec<ThreadPool>);

impl Workers {
    /// Shares the cores among `count` workers; each has one at least.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn new(count: usize) -> Result<Self, ThreadPoolBuildError> {
        let share = (rayon::current_num_threads() / count.max(1)).max(1);
        let pool = |_| ThreadPoolBuilder::new().num_threads(share).build();
        let several = if count > 1 { count } else { 0 };
        (0..several).map(pool).collect::<Result<_, _>>().map(Self)
    }

    /// One for each core.
    ///
    /// # Errors
    /// See [`new`](Self::new).
    pub fn for_each_core() -> Result<Self, ThreadPoolBuildError> {
        Self::new(rayon::current_num_threads())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len().max(1)
    }

    /// Works off items, each worker one after the other and all at the same time; each takes the
    /// next item that nobody has. The results are in the order of the items.
    ///
    /// # Panics
    /// When `work` does.
    pub fn map<T: Send, R: Send>(
        &self,
        items: impl IntoIterator<Item = T, IntoIter: Send>,
        work: impl Fn(T) -> R + Sync,
    ) -> Vec<R> {
        let items = items.into_iter();
        if self.0.is_empty() {
            return items.map(work).collect();
        }
        let items = Mutex::new(items.enumerate());
        let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
        let (next, work) = (&next, &work);
        let one_after_the_other = || -> Vec<_> {
            let numbered = std::iter::from_fn(next);
            numbered.map(|(place, item)| (place, work(item))).collect()
        };
        let one_after_the_other = &one_after_the_other;
        let mut results = thread::scope(|scope| {
            let spawn = |pool| scope.spawn(move || ThreadPool::install(pool, one_after_the_other));
            let running: Vec<_> = self.0.iter().map(spawn).collect();
            let join = |running: ScopedJoinHandle<'_, _>| {
                running.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            running.into_iter().flat_map(join).collect::<Vec<_>>()
        });
        results.sort_unstable_by_key(|&(place, _)| place);
        results.into_iter().map(|(_, result)| result).collect()
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
        assert_eq!(workers.map([7], |item| item + 1), [8]);
        assert!(workers.map(Vec::<i32>::new(), |item| item).is_empty());
    }

    #[test]
    fn any_number_of_workers_works_off_any_number_of_items() {
        for count in 0..4 {
            let workers = Workers::new(count).unwrap();
            assert_eq!(workers.count(), count.max(1));
            let expected: Vec<_> = (1..=20).collect();
            assert_eq!(workers.map(0..20, |item| item + 1), expected);
        }
    }
}
