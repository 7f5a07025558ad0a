//! Ctrl-C stops the work at hand, and the program decides what follows.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::BoxError;

/// Whether Ctrl-C was pressed.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes Ctrl-C over for the rest of the program.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn install() -> Result<Self, BoxError> {
        let pressed = Arc::new(AtomicBool::new(false));
        let flag = pressed.clone();
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))?;
        Ok(Self(pressed))
    }

    /// Forgets what was pressed before.
    pub fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether it was pressed since.
    pub fn pressed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Breaks when it was pressed.
    pub fn flow(&self) -> ControlFlow<()> {
        if self.pressed() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}
