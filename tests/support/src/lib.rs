//! What the test suites of the workspace share.
//!
//! [`program`] runs a program in a folder of its own, [`hub_server`] stands in for the Hugging Face
//! Hub. A parity suite compares a crate with numbers of the original Python implementation:
//!
//! ```no_run
//! # use mpm_test_support::{cases, report};
//! let cases = cases("d_");
//! for case in &cases {
//!     // Load the case's weights with `load_branch`, feed it `case.tensor("in.…")`, and compare
//!     // with `case.assert_close("out.…", …)`.
//! }
//! report(cases.len(), "d_");
//! ```
//!
//! Everything here fails by panicking with a text that names the case: there is nothing for a
//! test to recover from.
#![allow(
    clippy::print_stdout,
    reason = "suites say how many cases they ran and what they skipped"
)]

mod backend;
mod case;
mod closeness;
mod folder;
mod gradients;
pub mod hub_server;
pub mod program;
pub mod vocabulary;
mod weights;

pub use backend::{BACKEND_ROUNDING, TEST_BACKEND, TestBackend};
pub use burn::tensor::TensorData;
pub use case::Case;
pub use closeness::{Tolerance, assert_data_close, assert_values_close};
pub use folder::{cases, folder, own_cases, report};
pub use gradients::gradients;
pub use weights::{load, load_branch};
