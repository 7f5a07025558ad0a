//! Language models that accept embeddings: CPM-Bee, its tokenizer, prompts, cache and decoding, on Burn
