//! Prompts: a tree of texts to the arrays a model reads.
