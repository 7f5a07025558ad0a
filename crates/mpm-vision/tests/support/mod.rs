//! What the integration tests share: the checkpoint's names of a module's parameters.

/// Follows a module visitor through a module and names what it meets as
/// PyTorch does: norms have a `weight` and a `bias`, linear weights are
/// `[d_out, d_in]`.
#[derive(Default)]
pub struct CheckpointPath {
    names: Vec<String>,
    containers: Vec<String>,
}

impl CheckpointPath {
    pub fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_owned());
        self.containers.push(container.to_owned());
    }

    pub fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    pub fn name(&self) -> String {
        let mut names = self.names.clone();
        if let Some(last) = names.last_mut() {
            match last.as_str() {
                "gamma" => *last = "weight".to_owned(),
                "beta" => *last = "bias".to_owned(),
                _ => {}
            }
        }
        names.join(".")
    }

    pub fn is_linear_weight(&self) -> bool {
        let container = self
            .containers
            .iter()
            .rev()
            .find(|container| container.starts_with("Struct:"));
        container.is_some_and(|container| container == "Struct:Linear")
            && self.names.last().is_some_and(|name| name == "weight")
    }
}
