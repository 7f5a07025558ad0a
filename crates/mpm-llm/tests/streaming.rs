//! Layers that wait in their file: the same results as with all of them on the device.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{fs::OpenOptions, path::PathBuf};

use burn::{module::Module, tensor::TensorData};
use mpm_core::{
    nn::LinearLayers,
    quantization::QuantizationScheme,
    streaming::StreamedLayers,
    weights::{
        KeyMap, LoadOptions, Precision, WeightFile, WeightsError, load_model, load_streamed, save,
    },
};
use mpm_llm::{
    LlmError,
    cpm_bee::{CpmBee, CpmBeeConfig},
    llama::{Llama, LlamaConfig, LlamaInput},
};
use mpm_test_support::TestBackend;

type B = TestBackend;

const LAYERS: usize = 4;

/// A file of weights and the bytes that all of them take.
struct Stored {
    folder: tempfile::TempDir,
    bytes: u64,
}

impl Stored {
    fn new<M: Module<B>>(model: &M) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        save(model, file, &KeyMap::new(), Precision::AsStored).unwrap();
        let stored = Self { folder, bytes: 0 };
        let tensors = stored.open();
        let bytes = tensors.tensors().values().map(|tensor| tensor.byte_len());
        Self {
            bytes: bytes.sum::<usize>() as u64,
            ..stored
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("model.safetensors")
    }

    fn open(&self) -> WeightFile {
        WeightFile::open(self.path()).unwrap()
    }

    /// Loads with so many bytes less than the weights take; returns how many layers wait.
    fn load<M>(&self, model: M, less: u64) -> Result<(M, usize), WeightsError>
    where
        M: Module<B> + LinearLayers<B> + StreamedLayers,
    {
        let options = LoadOptions {
            memory_limit: Some(self.bytes.saturating_sub(less)),
            ..LoadOptions::default()
        };
        let mut model = load_streamed(model, &self.open(), &options)?;
        let waiting = model.layer_list().waiting.len();
        Ok((model, waiting))
    }
}

fn llama() -> Llama<B> {
    // Widths that blocks of 64 weights divide.
    let config = LlamaConfig {
        hidden_size: 64,
        intermediate_size: 64,
        head_dim: 16,
        num_hidden_layers: LAYERS,
        ..LlamaConfig::tiny()
    };
    config.init(&Default::default()).unwrap()
}

fn read(model: &Llama<B>) -> Result<TensorData, LlmError> {
    let embeddings = model.embed(&[1, 20, 21], [1, 3])?;
    let output = model.forward(embeddings, &LlamaInput::unpadded(1, 0..3))?;
    Ok(output.logits.into_data())
}

#[test]
fn results_are_the_same_however_many_layers_wait() {
    let stored = Stored::new(&llama());
    let whole = load_model(llama(), &stored.open(), &LoadOptions::default()).unwrap();
    let expected = read(&whole).unwrap();
    let layer = whole.model.layers[0].num_params() as u64 * 4;
    let mut seen = Vec::new();
    // Two layers pass, so the first that waits makes room for none.
    for less in [0, 1, layer, layer + 1, 2 * layer] {
        let (model, waiting) = stored.load(llama(), less).unwrap();
        seen.push(waiting);
        for _ in 0..2 {
            assert_eq!(read(&model).unwrap(), expected, "{waiting} layers wait");
        }
    }
    assert_eq!(seen, [0, 3, 3, 4, 4]);
    let error = stored.load(llama(), 2 * layer + 1).unwrap_err();
    assert!(matches!(error, WeightsError::MemoryLimit { .. }), "{error}");
    assert!(error.to_string().contains("allow more memory"), "{error}");
}

#[test]
fn quantized_layers_wait_as_they_are_stored() {
    let options = LoadOptions {
        quantization: Some(QuantizationScheme::INT8),
        ..LoadOptions::default()
    };
    let in_full = Stored::new(&llama());
    let model = load_model(llama(), &in_full.open(), &options).unwrap();
    let stored = Stored::new(&model);
    assert!(stored.bytes < in_full.bytes);
    let (model, waiting) = stored.load(llama(), 1).unwrap();
    assert!(waiting > 0);
    let whole = load_model(llama(), &stored.open(), &LoadOptions::default()).unwrap();
    assert_eq!(read(&model).unwrap(), read(&whole).unwrap());
}

#[test]
fn layers_that_would_be_quantized_again_and_again_are_refused() {
    let stored = Stored::new(&llama());
    let options = LoadOptions {
        quantization: Some(QuantizationScheme::INT8),
        memory_limit: Some(stored.bytes / 4),
        ..LoadOptions::default()
    };
    let error = load_streamed(llama(), &stored.open(), &options).unwrap_err();
    assert!(
        matches!(error, WeightsError::QuantizeWaiting { .. }),
        "{error}"
    );
}

#[test]
fn a_file_that_is_cut_off_meanwhile_is_an_error() {
    let stored = Stored::new(&llama());
    let (model, _) = stored.load(llama(), 1).unwrap();
    let file = OpenOptions::new().write(true).open(stored.path()).unwrap();
    file.set_len(1000).unwrap();
    let error = read(&model).unwrap_err();
    assert!(matches!(error, LlmError::Weights(_)), "{error}");
    assert!(error.to_string().contains("model.safetensors"), "{error}");
}

#[test]
fn cpm_bee_waits_too() {
    let config = CpmBeeConfig {
        vocab_size: 100,
        num_layers: LAYERS,
        ..CpmBeeConfig::tiny()
    };
    let fresh = || -> CpmBee<B> { config.init(&Default::default()).unwrap() };
    let stored = Stored::new(&fresh());
    let whole = load_model(fresh(), &stored.open(), &LoadOptions::default()).unwrap();
    let (model, waiting) = stored.load(fresh(), 1).unwrap();
    assert!(waiting > 0);
    let states = |model: &CpmBee<B>| {
        let embeddings = model.embed(&[6, 20, 21], &[0; 3], [1, 3]).unwrap();
        let input = mpm_llm::cpm_bee::CpmBeeInput {
            batch: 1,
            seq_len: 3,
            ids: vec![6, 20, 21],
            sub_ids: vec![0; 3],
            length: vec![3],
            context: vec![true; 3],
            sample_ids: vec![0; 3],
            num_segments: vec![1; 3],
            segment_ids: vec![0; 3],
            segment_rel_offset: vec![0; 3],
            segment_rel: vec![0],
            span: vec![0; 3],
            ext_table_ids: Vec::new(),
            ext_table_sub: Vec::new(),
        };
        let states = model.hidden_states(embeddings, &input, |_, _| {});
        states.unwrap().into_data()
    };
    assert_eq!(states(&model), states(&whole));
}
