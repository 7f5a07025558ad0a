//! What a module wants from a file: the names, shapes and kinds of its parameters.

use std::{collections::BTreeMap, fmt, rc::Rc};

use burn::{
    module::{Module, ModuleVisitor, Param, ParamId},
    store::{BurnToPyTorchAdapter, ModuleAdapter, TensorSnapshot},
    tensor::{Bool, DType, Int, Shape, Tensor, backend::Backend},
};

use crate::module_path::ModulePath;

/// What the values of a parameter are. Only floating-point numbers are cast while loading, and
/// only among themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParameterKind {
    /// Floating-point numbers of any precision.
    Float,
    /// Integers of any size.
    Int,
    /// Truth values.
    Bool,
    /// Codes of a quantized matrix, 32 bits each of which hold several. PyTorch's files may call
    /// them signed.
    Codes,
    /// Scales of a quantized matrix.
    Scales,
}

impl ParameterKind {
    /// Whether values of this dtype can fill such a parameter.
    pub(super) fn takes(self, dtype: DType) -> bool {
        let is_bool = matches!(dtype, DType::Bool(_));
        match self {
            Self::Float => dtype.is_float(),
            Self::Int => !dtype.is_float() && !is_bool,
            Self::Bool => is_bool,
            Self::Codes => matches!(dtype, DType::U32 | DType::I32),
            Self::Scales => matches!(dtype, DType::F16 | DType::F32),
        }
    }
}

impl fmt::Display for ParameterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float => "floating-point numbers",
            Self::Int => "integers",
            Self::Bool => "truth values",
            Self::Codes => "codes in U32",
            Self::Scales => "scales in F16",
        })
    }
}

/// A parameter of a module, as PyTorch would have it.
pub(super) struct Parameter {
    pub shape: Vec<usize>,
    pub kind: ParameterKind,
}

/// Whether a parameter within these containers is a part of a quantized matrix.
pub(super) fn is_quantized(containers: &[String]) -> bool {
    let innermost = containers.last();
    innermost.is_some_and(|container| container == "Struct:QuantizedMatrix")
}

/// The names and shapes of a module's parameters, as PyTorch would have them.
pub fn module_keys<B: Backend, M: Module<B>>(module: &M) -> BTreeMap<String, Vec<usize>> {
    parameters(module)
        .into_iter()
        .map(|(key, parameter)| (key, parameter.shape))
        .collect()
}

/// The parameters of a module by their names, as PyTorch would have them.
pub(super) fn parameters<B: Backend, M: Module<B>>(module: &M) -> BTreeMap<String, Parameter> {
    let mut lister = Lister::default();
    module.visit(&mut lister);
    lister.parameters
}

/// Lists parameters without initialising them.
#[derive(Default)]
struct Lister {
    path: ModulePath,
    containers: Vec<String>,
    parameters: BTreeMap<String, Parameter>,
}

impl Lister {
    fn insert(&mut self, shape: Shape, kind: ParameterKind) {
        let unread = || unreachable!("only names and shapes are asked of this snapshot");
        let snapshot = BurnToPyTorchAdapter.adapt(&TensorSnapshot::from_closure(
            Rc::new(unread),
            DType::F32,
            shape,
            self.path.names().to_vec(),
            self.containers.clone(),
            ParamId::new(),
        ));
        let parameter = Parameter {
            shape: snapshot.shape.to_vec(),
            kind: match (is_quantized(&self.containers), kind) {
                (true, ParameterKind::Float) => ParameterKind::Scales,
                (true, ParameterKind::Int) => ParameterKind::Codes,
                _ => kind,
            },
        };
        self.parameters.insert(snapshot.full_path(), parameter);
    }
}

impl<B: Backend> ModuleVisitor<B> for Lister {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.containers.push(container_type.to_string());
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.containers.pop();
        self.path.exit(container_type);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.insert(param.lazy_shape(), ParameterKind::Float);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<B, D, Int>>) {
        self.insert(param.lazy_shape(), ParameterKind::Int);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<B, D, Bool>>) {
        self.insert(param.lazy_shape(), ParameterKind::Bool);
    }
}
