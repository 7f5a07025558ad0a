//! The parameters of [`Muffin`] are the picture side of VisCPM-Chat's checkpoint:
//! same names, same shapes, each once.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::collections::BTreeMap;

use burn::{
    backend::Flex,
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use mpm_vision::{Muffin, MuffinConfig, UNUSED_KEYS};
use support::CheckpointPath;

/// Names and shapes of all tensors of the published checkpoint outside its
/// language model, one a line: `name 1x2x3`.
const CHECKPOINT_KEYS: &str = include_str!("data/chat_vlu_cpmbee_vision_keys.txt");

/// Collects names and shapes without drawing a single weight.
#[derive(Default)]
struct Shapes {
    path: CheckpointPath,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor<Flex> for Shapes {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Flex, D>>) {
        let mut shape = param.lazy_shape().to_vec();
        if self.path.is_linear_weight() {
            shape.reverse();
        }
        let replaced = self.shapes.insert(self.path.name(), shape);
        assert_eq!(replaced, None, "{} is there twice", self.path.name());
    }
}

fn checkpoint_shapes() -> BTreeMap<String, Vec<usize>> {
    CHECKPOINT_KEYS
        .lines()
        .map(|line| {
            let (name, shape) = line.split_once(' ').unwrap();
            let shape = shape.split('x').map(|side| side.parse().unwrap());
            (name.to_owned(), shape.collect())
        })
        .collect()
}

#[test]
fn parameters_and_checkpoint_keys_are_in_bijection() {
    let muffin: Muffin<Flex> = MuffinConfig::viscpm_chat()
        .init(&Default::default())
        .unwrap();
    let mut visitor = Shapes::default();
    muffin.visit(&mut visitor);

    let mut expected = checkpoint_shapes();
    assert_eq!(expected.len(), 978);
    for key in UNUSED_KEYS {
        assert!(
            expected.remove(*key).is_some(),
            "{key} is not in the checkpoint"
        );
    }
    assert_eq!(visitor.shapes, expected);
}
