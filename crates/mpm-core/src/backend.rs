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
    /// [`BackendError::NotCompiled`] when its feature was off.
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
            Self::Cuda => Ok(task.run::<burn::backend::Cuda>(Default::default())),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(task.run::<burn::backend::Wgpu>(Default::default())),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Ok(task.run::<burn::backend::Vulkan>(Default::default())),
            #[cfg(feature = "metal")]
            Self::Metal => Ok(task.run::<burn::backend::Metal>(Default::default())),
            #[allow(unreachable_patterns, reason = "unless all features are on")]
            kind => Err(BackendError::NotCompiled { kind }),
        }
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
