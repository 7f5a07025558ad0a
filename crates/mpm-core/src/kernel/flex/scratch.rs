//! Buffers that a thread keeps for its next operation.
//!
//! Large ones would otherwise come from the kernel, page by page and zeroed, and go back to it
//! with every operation.

use std::{
    cell::RefCell,
    mem::take,
    ops::{Deref, DerefMut},
};

/// Elements that the buffers of a thread that are not in use have at most (64 MiB).
const KEPT: usize = 16 * 1024 * 1024;

thread_local! {
    /// From small to large.
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer whose elements have any values.
#[derive(Debug)]
pub(super) struct Scratch {
    buffer: Vec<f32>,
    len: usize,
}

impl Scratch {
    /// A buffer of `len` elements: one that this thread kept, if one is large enough.
    pub fn new(len: usize) -> Self {
        let spare = SPARE.with_borrow_mut(|spare| {
            let place = spare.partition_point(|buffer| buffer.len() < len);
            // where none is large enough, the new one takes the place of the largest
            let last = spare.len().checked_sub(1)?;
            Some(spare.remove(place.min(last)))
        });
        let buffer = spare.filter(|buffer| buffer.len() >= len);
        Self {
            buffer: buffer.unwrap_or_else(|| vec![0.0; len]),
            len,
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = take(&mut self.buffer);
        // when the thread ends, so do the buffers
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            let kept: usize = spare.iter().map(Vec::len).sum();
            if kept + buffer.len() <= KEPT {
                let place = spare.partition_point(|other| other.len() < buffer.len());
                spare.insert(place, buffer);
            }
        });
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[..self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.len]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_kept_and_replaced_by_larger_ones() {
        std::thread::spawn(|| {
            let place = |buffer: &Scratch| buffer.as_ptr();
            let (small, large) = (Scratch::new(10), Scratch::new(100));
            let places = [place(&small), place(&large)];
            drop((large, small));
            let again = [Scratch::new(7), Scratch::new(50)];
            assert_eq!(again.each_ref().map(place), places);
            assert_eq!(again.each_ref().map(|buffer| buffer.len()), [7, 50]);
            drop(again);
            let larger = Scratch::new(200);
            let larger_place = place(&larger);
            drop(larger);
            let again = [Scratch::new(150), Scratch::new(1), Scratch::new(1)];
            assert_eq!(place(&again[0]), larger_place);
            assert_eq!(place(&again[1]), places[0]);
            assert!(SPARE.with_borrow(Vec::is_empty));
        })
        .join()
        .unwrap();
    }
}
