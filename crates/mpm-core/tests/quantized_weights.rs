//! Models whose linear layers are quantized, in a file or while they are loaded.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};

use burn::{
    backend::Flex,
    module::{Initializer, Module},
    tensor::{DType, Tensor, TensorData, backend::Backend},
};
use mpm_core::{
    linear_layers,
    nn::{LinearLayer, LinearLayers, LinearRole, LinearWeight, TorchLinear},
    partial_folder::PartialFolder,
    quantization::{QuantizationScheme, QuantizedBits},
    weights::{
        ConvertOptions, KeyMap, LoadOptions, Precision, Selection, WeightFile, WeightsError,
        check_model, convert, load_model, quantized_tensors, save,
    },
};
use safetensors::{Dtype, tensor::TensorView};

/// Wide enough for a block, and not.
const WIDTHS: [usize; 2] = [128, 20];

#[derive(Module, Debug)]
struct Table<B: Backend> {
    weight: LinearWeight<B>,
}

impl<B: Backend> LinearLayers<B> for Table<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        visit(LinearLayer {
            weight: &mut self.weight,
            role: LinearRole::Table,
            fewest_bits: QuantizedBits::Int8,
        });
    }
}

#[derive(Module, Debug)]
struct Model<B: Backend> {
    table: Table<B>,
    first: TorchLinear<B>,
    second: TorchLinear<B>,
}

linear_layers!(Model {
    table,
    first,
    second,
});

fn model() -> Model<Flex> {
    let device = Default::default();
    let normal = Initializer::Normal {
        mean: 0.0,
        std: 1.0,
    };
    Model {
        table: Table {
            weight: LinearWeight::Float(normal.init([10, WIDTHS[0]], &device)),
        },
        first: TorchLinear::new(WIDTHS[0], WIDTHS[1], &device),
        second: TorchLinear::new(WIDTHS[1], 4, &device),
    }
}

fn keys() -> KeyMap {
    KeyMap::new().rename("net", "")
}

fn options(quantization: Option<QuantizationScheme>) -> LoadOptions {
    LoadOptions {
        keys: keys(),
        quantization,
        ..LoadOptions::default()
    }
}

/// Writes a model of random weights in f32.
fn in_full(folder: &Path) -> PathBuf {
    let path = folder.join("full.safetensors");
    save(&model(), &path, &keys(), Precision::AsStored).unwrap();
    path
}

fn load(path: &Path, quantization: Option<QuantizationScheme>) -> Model<Flex> {
    let file = WeightFile::open(path).unwrap();
    load_model(model(), &file, &options(quantization)).unwrap()
}

/// What a weight means, and its scheme if it is quantized.
fn values(weight: &LinearWeight<Flex>) -> (TensorData, Option<String>) {
    match weight {
        LinearWeight::Float(weight) => (weight.val().into_data(), None),
        LinearWeight::Quantized(matrix) => {
            let scheme = matrix.scheme().unwrap().to_string();
            (matrix.dequantize().into_data(), Some(scheme))
        }
    }
}

fn weights(model: &Model<Flex>) -> [(TensorData, Option<String>); 3] {
    [
        &model.table.weight,
        &model.first.weight,
        &model.second.weight,
    ]
    .map(values)
}

#[test]
fn layers_are_quantized_while_they_are_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = in_full(folder.path());
    let full = weights(&load(&path, None));
    let few_bits = weights(&load(&path, Some(QuantizationScheme::INT4)));
    let schemes = few_bits.each_ref().map(|(_, scheme)| scheme.as_deref());
    assert_eq!(schemes, [Some("int8-64"), Some("int4-64"), None]);
    // What 8 and 4 bits lose of normally distributed weights, and the uniform ones of a layer.
    for ((full, few), allowed) in full.iter().zip(&few_bits).zip([0.01, 0.12, 0.0]) {
        let [full, few] = [full, few].map(|(values, _)| Tensor::<Flex, 2>::from(values.clone()));
        let square = |x: Tensor<Flex, 2>| x.powi_scalar(2).mean().into_scalar();
        let error = (square(full.clone() - few) / square(full)).sqrt();
        assert!(error <= allowed, "{error}");
    }
}

#[test]
fn quantized_files_load_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = in_full(folder.path());
    let scheme = QuantizationScheme::INT4;
    let expected = load(&path, Some(scheme));

    let file = WeightFile::open(&path).unwrap();
    let mut target = PartialFolder::open(folder.path(), &"plan").unwrap();
    let selection = Selection {
        wanted: &|_| true,
        quantized: quantized_tensors(&model(), &keys(), scheme),
    };
    let convert_options = ConvertOptions {
        precision: Precision::AsStored,
        quantization: Some(scheme),
        shard_bytes: usize::MAX,
        progress: None,
    };
    let name = convert(&file, &mut target, "int4", &selection, &convert_options).unwrap();
    target.finish(&"config").unwrap();
    let converted = folder.path().join(name);
    let again = folder.path().join("again.safetensors");
    // A dtype for the model has no effect on codes and scales.
    save(&expected, &again, &keys(), Precision::Cast(DType::F32)).unwrap();
    for path in [converted, again] {
        let file = WeightFile::open(&path).unwrap();
        let dtype = |name: &str| file.tensors()[name].dtype();
        assert_eq!(dtype("net.first.weight.codes"), Dtype::U32);
        assert_eq!(dtype("net.first.weight.scales"), Dtype::F16);
        assert_eq!(dtype("net.second.weight"), Dtype::F32);
        for scheme in [None, Some(QuantizationScheme::INT8)] {
            let loaded = load(&path, scheme);
            assert!(weights(&loaded) == weights(&expected), "{}", path.display());
        }
    }
}

#[test]
fn files_of_other_models_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = in_full(folder.path());
    let int4 = folder.path().join("int4.safetensors");
    let quantized = load(&path, Some(QuantizationScheme::INT4));
    save(&quantized, &int4, &keys(), Precision::AsStored).unwrap();
    let device = Default::default();
    let wider = || Model {
        first: TorchLinear::new(256, WIDTHS[1], &device),
        ..model()
    };
    let refused = |path: &Path, quantization| {
        let file = WeightFile::open(path).unwrap();
        let options = options(quantization);
        let error = check_model(wider(), &file, &options).unwrap_err();
        assert!(load_model(wider(), &file, &options).is_err());
        error
    };
    let error = refused(&path, None);
    assert!(matches!(error, WeightsError::Mismatch { .. }), "{error}");
    let error = refused(&path, Some(QuantizationScheme::INT4));
    assert!(matches!(error, WeightsError::Mismatch { .. }), "{error}");
    let text = refused(&int4, None).to_string();
    assert!(
        text.contains("`net.first.weight`: codes of shape"),
        "{text}"
    );
}

#[test]
fn weights_that_are_no_numbers_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.safetensors");
    let mut broken = model();
    let weight = broken.first.weight.float().unwrap().val() * f32::INFINITY;
    broken.first.weight = burn::module::Param::from_tensor(weight).into();
    save(&broken, &path, &keys(), Precision::AsStored).unwrap();
    let file = WeightFile::open(&path).unwrap();
    let scheme = Some(QuantizationScheme::INT4);
    let text = load_model(model(), &file, &options(scheme))
        .unwrap_err()
        .to_string();
    assert!(text.contains("row 0, column 0 is"), "{text}");
}

/// The first layer of the model with codes and scales of these dtypes.
fn with_parts(source: &Path, path: &Path, codes: DType, scales: DType) {
    let file = WeightFile::open(source).unwrap();
    let tensors: Vec<_> = file
        .tensors()
        .iter()
        .map(|(key, tensor)| {
            let data = tensor.read().unwrap();
            let data = match key.as_str() {
                "net.first.weight.codes" if codes == DType::I32 => {
                    let words: Vec<u32> = data.iter().collect();
                    let words: Vec<i32> = words.into_iter().map(u32::cast_signed).collect();
                    TensorData::new(words, data.shape)
                }
                "net.first.weight.codes" => data.convert_dtype(codes),
                "net.first.weight.scales" => data.convert_dtype(scales),
                _ => data,
            };
            (key.clone(), data)
        })
        .collect();
    let views = tensors.iter().map(|(key, data)| {
        let dtype = match data.dtype {
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::U32 => Dtype::U32,
            DType::I32 => Dtype::I32,
            DType::I64 => Dtype::I64,
            other => panic!("{other:?}"),
        };
        let view = TensorView::new(dtype, data.shape.to_vec(), data.as_bytes());
        (key, view.unwrap())
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

#[test]
fn codes_and_scales_have_the_dtypes_of_their_format() {
    let folder = tempfile::tempdir().unwrap();
    let [source, path] = ["int4", "other"].map(|name| folder.path().join(name));
    let quantized = load(&in_full(folder.path()), Some(QuantizationScheme::INT4));
    save(&quantized, &source, &keys(), Precision::AsStored).unwrap();
    let expected = weights(&quantized);
    // Codes of 4 bits fill their words, so that some are negative as signed numbers.
    for (codes, scales) in [(DType::I32, DType::F16), (DType::U32, DType::F32)] {
        with_parts(&source, &path, codes, scales);
        assert!(weights(&load(&path, None)) == expected, "{codes:?}");
    }
    for (codes, scales, part) in [
        (DType::I64, DType::F16, "first.weight.codes"),
        (DType::U32, DType::BF16, "first.weight.scales"),
    ] {
        with_parts(&source, &path, codes, scales);
        let file = WeightFile::open(&path).unwrap();
        let error = load_model(model(), &file, &options(None)).unwrap_err();
        let WeightsError::Mismatch { report, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(report.mistyped.len(), 1);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn convolutions_of_one_pixel_are_quantized_as_the_layers_that_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let full = in_full(folder.path());
    let path = folder.path().join("convolution.safetensors");
    let file = WeightFile::open(&full).unwrap();
    let tensors: Vec<_> = file
        .tensors()
        .iter()
        .map(|(key, tensor)| (key, tensor.read().unwrap()))
        .collect();
    let views = tensors.iter().map(|(key, data)| {
        let mut shape = data.shape.to_vec();
        if shape.len() == 2 {
            shape.extend([1, 1]);
        }
        (
            key,
            TensorView::new(Dtype::F32, shape, data.as_bytes()).unwrap(),
        )
    });
    safetensors::serialize_to_file(views, None, &path).unwrap();
    let scheme = QuantizationScheme::INT4;
    let expected = weights(&load(&full, Some(scheme)));
    assert!(weights(&load(&path, Some(scheme))) == expected);

    let file = WeightFile::open(&path).unwrap();
    let mut target = PartialFolder::open(folder.path(), &"plan").unwrap();
    let selection = Selection {
        wanted: &|_| true,
        quantized: quantized_tensors(&model(), &keys(), scheme),
    };
    let convert_options = ConvertOptions {
        precision: Precision::AsStored,
        quantization: Some(scheme),
        shard_bytes: usize::MAX,
        progress: None,
    };
    let name = convert(&file, &mut target, "int4", &selection, &convert_options).unwrap();
    target.finish(&"config").unwrap();
    assert!(weights(&load(&folder.path().join(name), None)) == expected);
}

#[test]
fn values_too_large_for_f16_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.safetensors");
    let mut large = model();
    let weight = large.first.weight.float().unwrap().val() * 0.0 + 7e4;
    large.first.weight = burn::module::Param::from_tensor(weight).into();
    save(&large, &path, &keys(), Precision::AsStored).unwrap();
    let file = WeightFile::open(&path).unwrap();
    let cast = |dtype| {
        let options = LoadOptions {
            precision: Precision::Cast(dtype),
            ..options(None)
        };
        load_model(model(), &file, &options)
    };
    cast(DType::BF16).unwrap();
    let error = cast(DType::F16).unwrap_err();
    assert!(
        matches!(&error, WeightsError::Tensor { key, .. } if key == "net.first.weight"),
        "{error}"
    );
    assert!(error.to_string().contains("bf16"), "{error}");
}
