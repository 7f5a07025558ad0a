//! Training of multilingual multimodal models: objectives, stages, trainer, checkpoints, evaluation
