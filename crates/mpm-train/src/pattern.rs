//! Patterns of module paths.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor, backend::Backend};
use mpm_core::module_path::ModulePath;

use crate::TrainError;

/// How many paths an error message lists.
const EXAMPLES: usize = 3;

/// A pattern of module paths such as `llm`, `vision.layers.*.attention` or
/// `**.bias`.
///
/// A pattern is a list of segments separated by dots. It matches a path when
/// its segments match the path's first ones, so a module's path matches all
/// parameters below it. `*` stands for one segment, `**` for any number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern(String);

impl PathPattern {
    /// Reads a pattern. Every text is a pattern; one that matches nothing is
    /// found by [`require_matches`].
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether the pattern matches a parameter's path, e.g. `llm.layers.0.weight`.
    pub fn matches(&self, path: &str) -> bool {
        let pattern: Vec<&str> = self.0.split('.').collect();
        let path: Vec<&str> = path.split('.').collect();
        matches_segments(&pattern, &path)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn matches_segments(pattern: &[&str], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => true,
        Some((&"**", rest)) => {
            (0..=path.len()).any(|skipped| matches_segments(rest, &path[skipped..]))
        }
        Some((segment, rest)) => path.split_first().is_some_and(|(first, below)| {
            (*segment == "*" || segment == first) && matches_segments(rest, below)
        }),
    }
}

/// A parameter of a model as it stands in the module tree.
#[derive(Debug, Clone)]
pub struct ParameterInfo {
    /// Field names from the model down to the parameter, joined by dots.
    pub path: String,
    /// Shape of the parameter.
    pub shape: Vec<usize>,
    /// Number type of the parameter.
    pub dtype: DType,
    /// Whether the parameter takes part in training.
    pub trainable: bool,
    pub(crate) id: burn::module::ParamId,
}

impl ParameterInfo {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Lists all float parameters of a model, in the order of the module tree.
pub fn parameters<B: Backend, M: Module<B>>(model: &M) -> Vec<ParameterInfo> {
    struct Collector {
        path: ModulePath,
        found: Vec<ParameterInfo>,
    }

    impl<B: Backend> ModuleVisitor<B> for Collector {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.path.enter(name, container_type);
        }

        fn exit_module(&mut self, _name: &str, container_type: &str) {
            self.path.exit(container_type);
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let tensor = param.val();
            self.found.push(ParameterInfo {
                path: self.path.to_string(),
                shape: tensor.dims().to_vec(),
                dtype: tensor.dtype(),
                trainable: tensor.is_require_grad(),
                id: param.id,
            });
        }
    }

    let mut collector = Collector {
        path: ModulePath::default(),
        found: Vec::new(),
    };
    model.visit(&mut collector);
    collector.found
}

/// Checks that each pattern matches at least one parameter.
///
/// # Errors
/// [`TrainError::PatternUnused`] names the first pattern that matches none: a
/// misspelt pattern would otherwise train the wrong modules without a word.
pub fn require_matches(
    patterns: &[PathPattern],
    parameters: &[ParameterInfo],
) -> Result<(), TrainError> {
    let paths: Vec<_> = parameters.iter().map(|it| it.path.as_str()).collect();
    require_some(patterns, "parameter", &paths)
}

/// Checks that each pattern matches at least one of the paths, which are those of `what`.
///
/// # Errors
/// [`TrainError::PatternUnused`].
pub(crate) fn require_some(
    patterns: &[PathPattern],
    what: &'static str,
    paths: &[impl AsRef<str>],
) -> Result<(), TrainError> {
    let unused = patterns
        .iter()
        .find(|pattern| !paths.iter().any(|path| pattern.matches(path.as_ref())));
    match unused {
        None => Ok(()),
        Some(pattern) => {
            let examples = paths.iter().take(EXAMPLES);
            let examples: Vec<_> = examples
                .map(|path| format!("`{}`", path.as_ref()))
                .collect();
            Err(TrainError::PatternUnused {
                pattern: pattern.as_str().to_owned(),
                what,
                examples: examples.join(", "),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pattern_matches_the_module_and_everything_below() {
        let pattern = PathPattern::new("llm.layers.*.norm");
        assert!(pattern.matches("llm.layers.3.norm"));
        assert!(pattern.matches("llm.layers.3.norm.weight"));
        assert!(!pattern.matches("llm.layers.3.normal"));
        assert!(!pattern.matches("llm.layers.norm"));
        assert!(!pattern.matches("llm.layers"));
    }

    #[test]
    fn two_stars_skip_any_number_of_segments() {
        let pattern = PathPattern::new("**.bias");
        assert!(pattern.matches("bias"));
        assert!(pattern.matches("llm.layers.0.bias"));
        assert!(!pattern.matches("llm.layers.0.biased"));
    }

    #[test]
    fn an_empty_pattern_matches_nothing() {
        assert!(!PathPattern::new("").matches("llm.weight"));
    }

    proptest! {
        #[test]
        fn a_path_matches_itself_and_its_parents(
            path in proptest::collection::vec("[a-z0-9_]{1,6}", 1..6),
            cut in 1usize..6,
        ) {
            let parent = path[..cut.min(path.len())].join(".");
            prop_assert!(PathPattern::new(parent).matches(&path.join(".")));
        }

        #[test]
        fn any_text_is_a_pattern(pattern in "[a-z.*]{0,12}", path in "[a-z.]{0,12}") {
            let _matched: bool = PathPattern::new(pattern).matches(&path);
        }
    }
}
