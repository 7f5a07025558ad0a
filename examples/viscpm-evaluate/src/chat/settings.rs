//! What answers depend on.

use mpm_core::{file_version::FileVersion, quantization::QuantizationScheme};
use mpm_llm::decoding::DecodingParams;
use serde::Serialize;

/// What answers depend on, beside questions and pictures. A run that goes on with a file of answers
/// must not mix them with those of another model.
#[derive(Clone, Debug, Serialize)]
pub struct Settings<'a> {
    /// The file of the weights.
    pub weights: FileVersion,
    /// The folder of the adapters.
    pub adapter: Option<FileVersion>,
    /// The dtype of the weights on the device, by its name.
    pub dtype: &'a str,
    /// How the weights are quantized while they are loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantization: Option<QuantizationScheme>,
    /// How answers are chosen.
    pub decoding: &'a DecodingParams,
    /// Whether pictures are left out.
    pub without_picture: bool,
}

impl Settings<'_> {
    /// A checksum, for a file of answers.
    ///
    /// # Errors
    /// When a path is no Unicode.
    pub fn checksum(&self) -> Result<String, serde_json::Error> {
        let json = serde_json::to_vec(self)?;
        Ok(format!("{:08x}", crc32fast::hash(&json)))
    }
}
