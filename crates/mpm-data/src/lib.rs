//! Pictures, texts, data sets and batches for multilingual multimodal models
