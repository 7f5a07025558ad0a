//! The layers of `mpm_core::nn` carry PyTorch's names and shapes, in memory and in files.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use burn::{
    backend::Flex,
    module::{Module, Param},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    nn::{GroupNorm, TorchConv2d, TorchLinear},
    weights::{KeyMap, LoadOptions, Precision, WeightFile, load, module_keys, save},
};

#[derive(Module, Debug)]
struct Layers<B: Backend> {
    conv: TorchConv2d<B>,
    linear: TorchLinear<B>,
    norm: GroupNorm<B>,
}

fn layers() -> Layers<Flex> {
    let device = Default::default();
    let mut norm = GroupNorm::new(2, 6, 1e-5, &device);
    norm.weight = Param::from_data([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &device);
    norm.bias = Param::from_data([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], &device);
    Layers {
        conv: TorchConv2d::new([6, 4], 3, 2, 1, &device),
        linear: TorchLinear::new(3, 5, &device),
        norm,
    }
}

#[test]
fn parameters_are_named_and_lie_as_in_pytorch() {
    let keys: Vec<_> = module_keys(&layers()).into_iter().collect();
    let expected = [
        ("conv.bias", vec![4]),
        ("conv.weight", vec![4, 6, 3, 3]),
        ("linear.bias", vec![5]),
        ("linear.weight", vec![5, 3]),
        ("norm.bias", vec![6]),
        ("norm.weight", vec![6]),
    ];
    assert_eq!(keys, expected.map(|(key, shape)| (key.to_string(), shape)));
}

#[test]
fn saved_layers_load_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("layers.safetensors");
    let original = layers();
    save(&original, &path, &KeyMap::new(), Precision::AsStored).unwrap();
    let file = WeightFile::open(&path).unwrap();
    let mut loaded = layers();
    loaded.norm = GroupNorm::new(2, 6, 1e-5, &Default::default());
    let loaded = load(loaded, &file, &LoadOptions::default()).unwrap();
    let x = Tensor::<Flex, 4>::random(
        [2, 6, 3, 4],
        burn::tensor::Distribution::Normal(0.0, 1.0),
        &Default::default(),
    );
    let outputs = |layers: &Layers<Flex>| {
        let x = x.clone();
        [
            layers.norm.forward(x.clone()),
            layers.norm.forward_silu(x.clone()),
            layers.conv.forward(x.clone()),
            layers.linear.forward(x.slice([0..2, 0..6, 0..3, 0..3])),
        ]
        .map(Tensor::into_data)
    };
    assert_eq!(outputs(&original), outputs(&loaded));
}

#[test]
fn convolutions_start_as_in_pytorch() {
    let conv = TorchConv2d::<Flex>::new([6, 50], 3, 2, 1, &Default::default());
    let bound = 54_f32.sqrt().recip();
    for values in [
        conv.weight.val().into_data(),
        conv.bias.unwrap().val().into_data(),
    ] {
        let values: Vec<f32> = values.to_vec().unwrap();
        assert!(values.iter().all(|x| x.abs() <= bound));
        assert!(values.iter().any(|x| x.abs() > 0.8 * bound));
    }
}
