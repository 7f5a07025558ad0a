//! Reading what `torch.save` writes, without running anything.
//!
//! A checkpoint is a pickle of nested containers whose leaves refer to raw
//! storages: members of a zip archive (PyTorch 1.6 and later) or blocks behind
//! the pickle (the legacy format). [`pickle`] turns the byte code into plain
//! [`Object`](pickle::Object)s and [`state_dict`] finds the tensors in them.

mod budget;
mod container;
mod pickle;
mod state_dict;

pub(super) use container::{is_legacy, is_zip, read_legacy, read_zip, refuse_bare_pickle};
