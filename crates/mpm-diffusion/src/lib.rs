//! Latent diffusion conditioned on the hidden states of a multilingual language
//! model: the decoder half of VisCPM-Paint.
//!
//! This crate is where the UNet, the VAE, the schedulers, guidance and the
//! linear trans block will live (paper, section 3.4). It holds no code yet.
