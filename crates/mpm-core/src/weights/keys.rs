//! How the names in a file lead to the parameters of a module.

/// A table of renamed prefixes and of keys that a file may hold in vain.
///
/// MPM's modules carry the names of the reference checkpoints, so most tables
/// are short: where our module tree differs from the file's, one row renames a
/// whole branch. Prefixes match whole components: `query` covers `query` and
/// `query.weight`, not `query_norm`.
#[derive(Clone, Debug, Default)]
pub struct KeyMap {
    renames: Vec<(String, String)>,
    unused: Vec<String>,
    only: Option<String>,
}

impl KeyMap {
    /// Every key names the parameter of the same path.
    pub fn new() -> Self {
        Self::default()
    }

    /// The branch `file_prefix` of the file is the branch `module_prefix` of
    /// the module. The first row that matches a key decides.
    #[must_use]
    pub fn rename(mut self, file_prefix: &str, module_prefix: &str) -> Self {
        self.renames
            .push((file_prefix.to_string(), module_prefix.to_string()));
        self
    }

    /// The file may hold `file_prefix`, and the module does without it.
    #[must_use]
    pub fn unused(mut self, file_prefix: &str) -> Self {
        self.unused.push(file_prefix.to_string());
        self
    }

    /// The file may hold whatever it likes outside of the branch `file_prefix`: one that joins
    /// several models.
    #[must_use]
    pub fn only(mut self, file_prefix: &str) -> Self {
        self.only = Some(file_prefix.to_string());
        self
    }

    /// The parameter that a key of the file fills, `None` for a known unused
    /// one.
    pub fn to_module(&self, key: &str) -> Option<String> {
        let lies_in = |prefix: &String| strip(key, prefix).is_some();
        if self.unused.iter().any(lies_in) || !self.only.iter().all(lies_in) {
            return None;
        }
        let renamed = self
            .renames
            .iter()
            .find_map(|(from, to)| strip(key, from).map(|rest| join(to, rest)));
        Some(renamed.unwrap_or_else(|| key.to_string()))
    }

    /// The name under which a file holds a parameter.
    pub fn to_file(&self, path: &str) -> String {
        self.renames
            .iter()
            .find_map(|(from, to)| strip(path, to).map(|rest| join(from, rest)))
            .unwrap_or_else(|| path.to_string())
    }
}

/// What follows `prefix` in `key`, without the dot; `None` when the key does
/// not lie in that branch. The empty prefix is the root.
fn strip<'a>(key: &'a str, prefix: &str) -> Option<&'a str> {
    if prefix.is_empty() {
        return Some(key);
    }
    let rest = key.strip_prefix(prefix)?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('.')
}

fn join(prefix: &str, rest: &str) -> String {
    match (prefix.is_empty(), rest.is_empty()) {
        (true, _) => rest.to_string(),
        (_, true) => prefix.to_string(),
        _ => format!("{prefix}.{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_match_whole_components() {
        let map = KeyMap::new()
            .rename("vpm", "visual.vpm")
            .rename("query", "visual.query")
            .unused("vpm.mim_head");
        assert_eq!(map.to_module("vpm.a.b").as_deref(), Some("visual.vpm.a.b"));
        assert_eq!(map.to_module("query").as_deref(), Some("visual.query"));
        assert_eq!(map.to_module("query_norm").as_deref(), Some("query_norm"));
        assert_eq!(map.to_module("vpm.mim_head.bias"), None);
        assert_eq!(map.to_file("visual.query"), "query");
        assert_eq!(map.to_file("visual.vpm.a"), "vpm.a");
    }

    #[test]
    fn other_branches_may_hold_anything() {
        let map = KeyMap::new()
            .only("a.b")
            .rename("a.b", "")
            .unused("a.b.buffer");
        assert_eq!(map.to_module("a.b.weight").as_deref(), Some("weight"));
        for other in ["a.b.buffer", "a.bc.weight", "a.c", "betas"] {
            assert_eq!(map.to_module(other), None, "{other}");
        }
        assert_eq!(map.to_file("weight"), "a.b.weight");
    }

    #[test]
    fn an_empty_prefix_is_the_root() {
        let map = KeyMap::new().rename("llm", "");
        assert_eq!(map.to_module("llm.weight").as_deref(), Some("weight"));
        assert_eq!(map.to_file("weight"), "llm.weight");
    }
}
