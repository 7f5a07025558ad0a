//! Criterion suites of the workspace, one per question; see `benches/`.
