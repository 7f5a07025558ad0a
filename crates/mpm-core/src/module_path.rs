//! Where a visitor stands in a module tree.

use std::fmt;

/// What Burn calls the variants of modules that are enums.
const ENUM: &str = "Enum:";

/// The path from a model down to where a visitor is, as checkpoints write it: names of fields,
/// joined by dots. Variants of enums have no part in it.
#[derive(Clone, Debug, Default)]
pub struct ModulePath(Vec<String>);

impl ModulePath {
    /// To be called with the arguments of
    /// [`ModuleVisitor::enter_module`](burn::module::ModuleVisitor::enter_module).
    pub fn enter(&mut self, name: &str, container_type: &str) {
        if !container_type.starts_with(ENUM) {
            self.0.push(name.to_owned());
        }
    }

    /// To be called with the arguments of
    /// [`ModuleVisitor::exit_module`](burn::module::ModuleVisitor::exit_module).
    pub fn exit(&mut self, container_type: &str) {
        if !container_type.starts_with(ENUM) {
            self.0.pop();
        }
    }

    /// The names, from the model down.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
