//! Cases `b_*` and the inputs of `e_*`: prompts to ids, batches.
