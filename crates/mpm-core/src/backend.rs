//! The choice of a backend at run time.
//!
//! Cargo features decide which backends are compiled in; a program made with
//! several lets its user choose by name. The one `match` from a name to a type
//! is [`BackendKind::run`]: everything behind it is generic.

use std::{fmt, str::FromStr};

use crate::MpmBackend;

/// A Burn backend by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackendKind {
    /// Pure Rust on the CPU.
    Flex,
    /// NVIDIA GPUs.
    Cuda,
    /// Any GPU, through the platform's preferred graphics interface.
    Wgpu,
    /// Any GPU with a Vulkan driver.
    Vulkan,
    /// Apple GPUs.
    Metal,
}

/// A computation that works on every backend.
///
/// ```
/// use burn::tensor::Tensor;
/// use mpm_core::{MpmBackend, backend::{BackendKind, BackendTask}};
///
/// struct Sum(Vec<f32>);
///
/// impl BackendTask for Sum {
///     type Output = f32;
///
///     fn run<B: MpmBackend>(self, device: B::Device) -> f32 {
///         let sum = Tensor::<B, 1>::from_floats(self.0.as_slice(), &device).sum();
///         burn::tensor::ElementConversion::elem(sum.into_scalar())
///     }
/// }
///
/// let backend: BackendKind = "flex".parse()?;
/// assert_eq!(backend.run(Sum(vec![1.0, 2.0]))?, 3.0);
/// # Ok::<(), mpm_core::backend::BackendError>(())
/// ```
pub trait BackendTask {
    /// What the computation returns.
    type Output;

    /// Runs on `B`'s default device.
    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output;
}

/// Why a backend cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// No backend has this name.
    #[error("there is no backend `{name}`; the backends are {}", names(&BackendKind::ALL))]
    Unknown {
        /// The name.
        name: String,
    },

    /// The program was compiled without it.
    #[error(
        "this program was built without the backend `{kind}`, it has {}; build it with \
         `--features {kind}`",
        names(&BackendKind::compiled())
    )]
    NotCompiled {
        /// The backend.
        kind: BackendKind,
    },

    /// There is no such device, its driver refused, or its memory ran out.
    #[error(
        "computing with `{kind}` failed: {reason}. Is there a device, with its driver? If its \
         memory ran out, take a model in 8 or 4 bits, let layers wait in the file \
         (docs/memory.md), or compute less at a time; `--backend flex` computes on the CPU"
    )]
    Failed {
        /// The backend.
        kind: BackendKind,
        /// What it said, or the thread that waited for it.
        reason: String,
    },
}

impl BackendKind {
    /// All backends, compiled in or not.
    pub const ALL: [Self; 5] = [
        Self::Flex,
        Self::Cuda,
        Self::Wgpu,
        Self::Vulkan,
        Self::Metal,
    ];

    /// The backends that this program was built with.
    pub fn compiled() -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|kind| match kind {
                Self::Flex => cfg!(feature = "flex"),
                Self::Cuda => cfg!(feature = "cuda"),
                Self::Wgpu => cfg!(feature = "wgpu"),
                Self::Vulkan => cfg!(feature = "vulkan"),
                Self::Metal => cfg!(feature = "metal"),
            })
            .collect()
    }

    /// The name, as in `--backend` and in `--features`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
        }
    }

    /// Runs `task` on this backend.
    ///
    /// # Errors
    /// [`BackendError::NotCompiled`] when its feature was off; [`BackendError::Failed`] when a GPU
    /// did, which makes Burn panic, after a report on standard error.
    #[cfg_attr(
        not(any(
            feature = "flex",
            feature = "cuda",
            feature = "wgpu",
            feature = "vulkan",
            feature = "metal"
        )),
        allow(unused_variables, reason = "no backend is there to run it")
    )]
    pub fn run<T: BackendTask>(self, task: T) -> Result<T::Output, BackendError> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(task.run::<burn::backend::Flex>(Default::default())),
            #[cfg(feature = "cuda")]
            Self::Cuda => self.run_on_device::<burn::backend::Cuda, T>(task),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => self.run_on_device::<burn::backend::Wgpu, T>(task),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => self.run_on_device::<burn::backend::Vulkan, T>(task),
            #[cfg(feature = "metal")]
            Self::Metal => self.run_on_device::<burn::backend::Metal, T>(task),
            #[allow(unreachable_patterns, reason = "unless all features are on")]
            kind => Err(BackendError::NotCompiled { kind }),
        }
    }

    /// Burn's operations return tensors and no errors: a device that fails shows in a panic, here
    /// or in the thread that feeds it.
    #[cfg(any(
        feature = "cuda",
        feature = "wgpu",
        feature = "vulkan",
        feature = "metal"
    ))]
    fn run_on_device<B: MpmBackend, T: BackendTask>(
        self,
        task: T,
    ) -> Result<T::Output, BackendError> {
        use std::panic::{AssertUnwindSafe, catch_unwind};

        // The task is gone after a panic, and so is all that it might have left half done.
        let run = AssertUnwindSafe(|| task.run::<B>(Default::default()));
        catch_unwind(run).map_err(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            BackendError::Failed {
                kind: self,
                reason: text.unwrap_or("it did not say why").to_owned(),
            }
        })
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BackendKind {
    type Err = BackendError;

    fn from_str(name: &str) -> Result<Self, BackendError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| BackendError::Unknown {
                name: name.to_string(),
            })
    }
}

fn names(kinds: &[BackendKind]) -> String {
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}
