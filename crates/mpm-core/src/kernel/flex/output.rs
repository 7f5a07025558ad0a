//! New memory, written by the threads that compute what goes into it.

use std::{array, mem::MaybeUninit};

use bytemuck::Zeroable;
use rayon::prelude::*;

/// Makes `N` vectors of `len` elements that tasks fill in parallel: task `i` gets the
/// elements from `i * per_task` on of each vector, as zeros.
///
/// A task zeroes its elements itself, just before it needs them in its core's cache.
/// Zeroing all of them beforehand would be a pass through memory, on one thread.
pub(super) fn fill<T: Zeroable + Send, const N: usize>(
    len: usize,
    per_task: usize,
    task: impl Fn(usize, [&mut [T]; N]) + Sync,
) -> [Vec<T>; N] {
    let (outputs, _) = fill_and_collect(len, per_task, task);
    outputs
}

/// The same, with what the tasks returned, in their order.
pub(super) fn fill_and_collect<T: Zeroable + Send, U: Send, const N: usize>(
    len: usize,
    per_task: usize,
    task: impl Fn(usize, [&mut [T]; N]) -> U + Sync,
) -> ([Vec<T>; N], Vec<U>) {
    let mut outputs: [Vec<T>; N] = array::from_fn(|_| Vec::with_capacity(len));
    let mut rests = outputs
        .each_mut()
        .map(|output| &mut output.spare_capacity_mut()[..len]);
    let mut tasks = Vec::with_capacity(len.div_ceil(per_task));
    for start in (0..len).step_by(per_task) {
        let size = per_task.min(len - start);
        tasks.push(rests.each_mut().map(|rest| {
            let (head, tail) = std::mem::take(rest).split_at_mut(size);
            *rest = tail;
            head
        }));
    }
    let returned = tasks
        .into_par_iter()
        .enumerate()
        .map(|(i, memory)| task(i, memory.map(zeroed)))
        .collect();
    for output in &mut outputs {
        // SAFETY: the tasks were given all of the `len` elements, and each of them, none
        // of which panicked, began by initialising its own.
        unsafe { output.set_len(len) };
    }
    (outputs, returned)
}

/// The same for one vector.
pub(super) fn fill_one<T: Zeroable + Send>(
    len: usize,
    per_task: usize,
    task: impl Fn(usize, &mut [T]) + Sync,
) -> Vec<T> {
    let [output] = fill(len, per_task, |i, [output]: [&mut [T]; 1]| task(i, output));
    output
}

pub(super) fn zeroed<T: Zeroable>(memory: &mut [MaybeUninit<T>]) -> &mut [T] {
    // SAFETY: all elements are written, and zeros are a valid `T`.
    unsafe {
        memory.as_mut_ptr().write_bytes(0, memory.len());
        &mut *(std::ptr::from_mut(memory) as *mut [T])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_written_by_its_task() {
        for len in [0, 1, 6, 7, 8, 21] {
            let [numbers, negated] = fill(len, 7, |task, [numbers, negated]| {
                assert!(numbers.iter().chain(&*negated).all(|&x| x == 0));
                for (i, (x, y)) in numbers.iter_mut().zip(negated).enumerate() {
                    *x = (7 * task + i) as i32;
                    *y = -*x;
                }
            });
            assert_eq!(numbers, (0..len as i32).collect::<Vec<_>>());
            assert_eq!(negated, numbers.iter().map(|x| -x).collect::<Vec<_>>());
        }
    }
}
