//! The allocator of the programs, mimalloc.

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// `mi_option_purge_delay` of `mimalloc.h`, which the bindings leave out.
const PURGE_DELAY: mi_option_t = 15;

/// In milliseconds; longer than a step of a large model takes.
const UNUSED: c_long = 60_000;

/// Keeps freed memory for a minute before it goes back to the system, instead of a second.
///
/// A pass through a large model frees tensors of tens of megabytes, and needs them again in the
/// next one: the system would clear their pages anew each time. `MIMALLOC_PURGE_DELAY` in the
/// environment has precedence.
pub fn keep_freed_memory() {
    // SAFETY: it stores a number, and may be called at any time.
    unsafe { mi_option_set_default(PURGE_DELAY, UNUSED) }
}
