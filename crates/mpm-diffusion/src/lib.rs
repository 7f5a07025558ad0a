//! Latent diffusion conditioned on the hidden states of a multilingual language model, on Burn
