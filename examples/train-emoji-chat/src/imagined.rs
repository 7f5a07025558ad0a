//! Pictures as the language model may imagine them before it has seen any.
//!
//! What a visual module writes into the slots of a picture is never exactly an embedding
//! of the vocabulary. In the language stage, some prompts have slots, too, and in them the
//! embeddings of a name under noise: the model learns to read what is close to a word, in
//! any language that it knows.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use mpm_llm::{LlmError, cpm_bee::CpmBee};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// The largest deviation of the noise, relative to the deviation of the embeddings.
const MAX_NOISE: f32 = 1.0;

/// The content of a picture's slots.
#[derive(Clone, Debug)]
pub struct Imagined {
    /// A token for each slot.
    ids: Vec<i32>,
    /// What is added to their embeddings, `[slots, d_llm]`, in units of the embeddings'
    /// deviation.
    noise: Vec<f32>,
}

impl Imagined {
    /// A name's tokens, repeated over the slots.
    pub fn new(name: &[i32], slots: usize, d_llm: usize, rng: &mut ChaCha8Rng) -> Self {
        // An encoder that takes one thing for another errs in all slots alike.
        let deviation = rng.random_range(0.0..MAX_NOISE) * 0.5f32.sqrt();
        let mut normal = || deviation * rng.sample::<f32, _>(StandardNormal);
        let shared: Vec<f32> = (0..d_llm).map(|_| normal()).collect();
        let own = std::iter::repeat_with(|| shared.iter().copied()).take(slots);
        Self {
            ids: name.iter().copied().cycle().take(slots).collect(),
            noise: own.flatten().map(|shared| shared + normal()).collect(),
        }
    }

    /// Writes several pictures in embeddings, `[pictures, slots, d_llm]`.
    pub fn embed<B: Backend>(pictures: &[Self], llm: &CpmBee<B>) -> Result<Tensor<B, 3>, LlmError> {
        let ids: Vec<i32> = pictures.iter().flat_map(|one| one.ids.clone()).collect();
        let noise: Vec<f32> = pictures.iter().flat_map(|one| one.noise.clone()).collect();
        let shape = [pictures.len(), ids.len() / pictures.len().max(1)];
        let embedded = llm.embed(&ids, &vec![0; ids.len()], shape)?;
        let noise = TensorData::new(noise, embedded.dims());
        let noise = Tensor::<B, 3>::from_data(noise, &llm.device());
        let deviation = embedded.clone().detach().square().mean().sqrt();
        Ok(embedded + noise * deviation.reshape([1, 1, 1]))
    }
}
