//! Strict loading of weight files, whoever wrote them.
//!
//! [`WeightFile::open`] recognises safetensors, every container that
//! `torch.save` has used (zip and legacy) and the index of a model in several files,
//! and lists the tensors without reading them. Pickles are interpreted, never executed:
//! whatever is not a tensor, a container or a number is refused by name.
//!
//! [`load`] moves the tensors into a module, one at a time. It compares all
//! names, shapes and kinds of values first and reports everything that does not fit at once
//! ([`KeyReport`]), so that a wrong file costs one run, not one per key.
//! [`save`] writes a module as safetensors under the names that PyTorch would
//! use, atomically; [`convert`] writes a file's tensors without a module.

mod convert;
mod error;
mod file;
mod filling;
mod index;
mod keys;
mod load;
mod parameters;
mod plan;
mod quantized_layers;
mod report;
mod safetensors;
mod save;
mod source;
mod stored_parameters;
mod streamed;
mod tensor;
mod torch;
mod value_source;
mod values;

pub use convert::{ConvertOptions, ConvertPlan, Selection, convert};
pub use error::WeightsError;
pub use file::{Format, WeightFile};
pub use keys::KeyMap;
pub use load::{LoadOptions, Precision, Progress, check, copy_where, load, load_where};
pub use parameters::{ParameterKind, module_keys};
pub use quantized_layers::{check_model, load_model, quantized_tensors};
pub use report::KeyReport;
pub use save::{save, save_where};
pub use stored_parameters::StoredParameters;
pub use streamed::load_streamed;
pub use tensor::StoredTensor;
