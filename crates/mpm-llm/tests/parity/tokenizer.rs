//! Cases `a_*`: strings to ids and back.
