//! Standard output and standard error.

use std::io::{self, Write};

/// Writes a piece of the result to standard output, at once.
///
/// # Errors
/// Those of standard output.
pub fn show(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// Tells the user something that is no result, on standard error.
pub fn note(text: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = io::stderr().write_all(text.as_bytes());
}
