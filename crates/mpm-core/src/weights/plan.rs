//! Which tensor of a file fills which parameter of a module.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    rc::Rc,
};

use burn::tensor::DType;

use super::{
    KeyMap, KeyReport, ParameterKind, Precision, StoredTensor, WeightFile, WeightsError,
    parameters::Parameter,
    value_source::{ValueSource, WeightToQuantize},
};
use crate::quantization::QuantizationScheme;

/// From the paths of parameters to what fills them.
pub(super) type Plan<'a> = BTreeMap<String, Pair<'a>>;

/// A parameter and what fills it.
pub(super) struct Pair<'a> {
    pub parameter: &'a Parameter,
    /// The tensor's name in the file.
    key: &'a str,
    tensor: &'a StoredTensor,
    pub source: ValueSource,
}

impl Pair<'_> {
    /// The dtype that the parameter gets. That of codes and scales is a part of their format.
    pub fn dtype(&self, precision: Precision) -> DType {
        match self.parameter.kind {
            ParameterKind::Scales => DType::F16,
            ParameterKind::Codes => DType::U32,
            _ => precision.resolve(self.tensor.burn_dtype()),
        }
    }

    /// The bytes of the file that reading takes; those of a weight that becomes codes and scales
    /// count as the codes'.
    pub fn byte_len(&self) -> usize {
        match self.source {
            ValueSource::Stored(_) | ValueSource::Codes(_) => self.tensor.byte_len(),
            ValueSource::Scales(_) => 0,
        }
    }
}

/// The tensors, by their names in a file, that become codes and scales, and how. Codes and scales
/// alone would not tell: those of one width in 4 bits have the shapes of half that width in 8.
pub(super) type ToQuantize = BTreeMap<String, (QuantizationScheme, [usize; 2])>;

/// Pairs every parameter with its tensor, or says what does not fit.
pub(super) fn plan<'a>(
    expected: &'a BTreeMap<String, Parameter>,
    file: &'a WeightFile,
    keys: &KeyMap,
    to_quantize: &'a ToQuantize,
) -> Result<Plan<'a>, WeightsError> {
    let mut planner = Planner {
        expected,
        to_quantize,
        plan: Plan::new(),
        report: KeyReport::default(),
    };
    for (key, tensor) in file.tensors() {
        if let Some(path) = keys.to_module(key) {
            planner.place(path, key, tensor);
        }
    }
    let Planner {
        plan, mut report, ..
    } = planner;
    report.missing = expected
        .keys()
        .filter(|path| !plan.contains_key(*path))
        .map(|path| keys.to_file(path))
        .collect();
    if report.is_clean() {
        return Ok(plan);
    }
    Err(WeightsError::Mismatch {
        path: file.path().to_path_buf(),
        report: Box::new(report),
    })
}

struct Planner<'a> {
    expected: &'a BTreeMap<String, Parameter>,
    to_quantize: &'a ToQuantize,
    plan: Plan<'a>,
    report: KeyReport,
}

impl<'a> Planner<'a> {
    /// Finds the parameter for a tensor, or the two for a weight that is to be quantized.
    fn place(&mut self, path: String, key: &'a str, tensor: &'a StoredTensor) {
        let pair = |parameter, source| Pair {
            parameter,
            key,
            tensor,
            source,
        };
        if let Some(parameter) = self.expected.get(&path) {
            let pair = pair(parameter, ValueSource::Stored(tensor.clone()));
            if self.insert(path, pair) {
                self.compare(key, tensor, parameter);
            }
            return;
        }
        let [codes_path, scales_path] = [format!("{path}.codes"), format!("{path}.scales")];
        let parts = [&codes_path, &scales_path].map(|path| self.expected.get(path));
        let ([Some(codes), Some(scales)], Some((scheme, dims))) =
            (parts, self.to_quantize.get(key))
        else {
            return self.report.unused.push(key.to_owned());
        };
        if !fits(dims, tensor.shape()) {
            let shapes = (key.to_owned(), dims.to_vec(), tensor.shape().to_vec());
            return self.report.misshapen.push(shapes);
        }
        let weight = Rc::new(WeightToQuantize::new(tensor, *dims, *scheme));
        let is_new = self.insert(codes_path, pair(codes, ValueSource::Codes(weight.clone())));
        if is_new {
            self.insert(scales_path, pair(scales, ValueSource::Scales(weight)));
            self.report.matching += 1;
        }
    }

    /// Whether nothing else fills the parameter.
    fn insert(&mut self, path: String, pair: Pair<'a>) -> bool {
        match self.plan.entry(path) {
            Entry::Vacant(place) => {
                place.insert(pair);
                true
            }
            Entry::Occupied(first) => {
                let first = first.get().key.to_owned();
                self.report.duplicate.push((pair.key.to_owned(), first));
                false
            }
        }
    }

    /// Notes whether a tensor has the values that a parameter needs.
    fn compare(&mut self, key: &str, tensor: &StoredTensor, parameter: &Parameter) {
        let (shape, found) = (&parameter.shape, tensor.shape());
        let key = key.to_owned();
        let is_of_kind = parameter.kind.takes(tensor.burn_dtype());
        match (is_of_kind, fits(shape, found)) {
            (true, true) => self.report.matching += 1,
            (true, false) => {
                let shapes = (key, shape.clone(), found.to_vec());
                self.report.misshapen.push(shapes);
            }
            (false, _) => {
                let kinds = (key, parameter.kind, tensor.dtype());
                self.report.mistyped.push(kinds);
            }
        }
    }
}

/// Whether a stored tensor has the values that a parameter needs, in their order.
fn fits(expected: &[usize], stored: &[usize]) -> bool {
    without_last_ones(expected) == without_last_ones(stored)
}

/// The height and width of a weight that a model may have as a matrix: a 1 × 1 convolution's, too.
pub(super) fn matrix_dims(shape: &[usize]) -> Option<[usize; 2]> {
    match *without_last_ones(shape) {
        [] => Some([1, 1]),
        [height] => Some([height, 1]),
        [height, width] => Some([height, width]),
        _ => None,
    }
}

fn without_last_ones(shape: &[usize]) -> &[usize] {
    let kept = shape.iter().rposition(|&dim| dim != 1);
    &shape[..kept.map_or(0, |last| last + 1)]
}
