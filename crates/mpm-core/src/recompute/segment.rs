//! A block's operands and how to get at them again.

use std::{
    any::Any,
    cell::RefCell,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

type Value = Box<dyn Any + Send>;

/// A run of a block that can be repeated.
pub(super) struct Segment(Mutex<State>);

struct State {
    /// For each operand, in the order of the run: whether a gradient needs it.
    needed: Arc<[bool]>,
    /// The needed ones that were computed again and not asked for yet.
    values: Vec<Option<Value>>,
    /// Runs the block without a graph.
    run: Box<dyn Fn() + Send>,
}

/// Where an operand is in a segment.
#[derive(Clone)]
pub(crate) struct Place {
    segment: Arc<Segment>,
    index: usize,
}

/// What the operations of a thread do with the operands of their gradients.
enum Activity {
    /// They keep them.
    Keeping,
    /// They count them.
    Recording {
        segment: Arc<Segment>,
        needed: Vec<bool>,
    },
    /// They hand out the needed ones.
    Replaying {
        needed: Arc<[bool]>,
        values: Vec<Option<Value>>,
    },
}

thread_local! {
    static ACTIVITY: RefCell<Activity> = const { RefCell::new(Activity::Keeping) };
}

/// The place of an operand where a block is run that keeps none; every operand of every
/// operation must be offered, in the same order each time.
pub(crate) fn offer<T: Clone + Send + 'static>(operand: &T, is_needed: bool) -> Option<Place> {
    ACTIVITY.with_borrow_mut(|activity| match activity {
        Activity::Keeping => None,
        Activity::Recording { segment, needed } => {
            let index = needed.len();
            needed.push(is_needed);
            is_needed.then(|| Place {
                segment: segment.clone(),
                index,
            })
        }
        Activity::Replaying { needed, values } => {
            let is_needed = needed.get(values.len()) == Some(&true);
            values.push(is_needed.then(|| Box::new(operand.clone()) as Value));
            None
        }
    })
}

impl Segment {
    /// Runs a block for the first time.
    pub fn record<O>(run: impl FnOnce() -> O) -> (Arc<Self>, O) {
        let segment = Arc::new(Self(Mutex::new(State {
            needed: Arc::new([]),
            values: Vec::new(),
            run: Box::new(|| ()),
        })));
        let recording = Activity::Recording {
            segment: segment.clone(),
            needed: Vec::new(),
        };
        let (activity, output) = during(recording, run);
        if let Activity::Recording { needed, .. } = activity {
            let mut state = segment.state();
            state.values.resize_with(needed.len(), || None);
            state.needed = needed.into();
        }
        (segment, output)
    }

    /// How to run the block again, without a graph.
    pub fn complete(&self, run: impl Fn() + Send + 'static) {
        self.state().run = Box::new(run);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The operand, for which the block is run again if it is the first one asked for.
    ///
    /// # Panics
    /// When the block did other operations than at first, or passes that share a pool of
    /// threads confused the recording.
    pub fn take<T: 'static>(&self) -> T {
        let mut state = self.segment.state();
        if state.values[self.index].is_none() {
            let replaying = Activity::Replaying {
                needed: state.needed.clone(),
                values: Vec::with_capacity(state.needed.len()),
            };
            let (activity, ()) = during(replaying, &state.run);
            if let Activity::Replaying { values, .. } = activity {
                assert_eq!(
                    values.len(),
                    state.needed.len(),
                    "a block of activation checkpointing did other operations when it was run \
                     again; passes that run at the same time need a thread pool each, for those \
                     that share one may steal each other's work"
                );
                state.values = values;
            }
        }
        let value = state.values[self.index].take();
        let value = value.and_then(|value| value.downcast().ok());
        *value.expect("a place is given to needed operands only, and by their backend")
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.index).finish()
    }
}

/// Calls `run` during an activity of this thread, and returns what has become of it.
fn during<O>(activity: Activity, run: impl FnOnce() -> O) -> (Activity, O) {
    /// Brings the former activity back, also after a panic.
    struct Former(Option<Activity>);

    impl Drop for Former {
        fn drop(&mut self) {
            if let Some(former) = self.0.take() {
                ACTIVITY.set(former);
            }
        }
    }

    let mut former = Former(Some(ACTIVITY.replace(activity)));
    let output = run();
    let former = former.0.take().unwrap_or(Activity::Keeping);
    (ACTIVITY.replace(former), output)
}
