//! Pictures as the language model may imagine them before it has seen any.
//!
//! What a visual module writes into the slots of a picture is never exactly an embedding
//! of the vocabulary. In the language stage, some prompts have slots, too, and in them the
//! embeddings of a name under noise, and with something of other names: the model learns
//! to read what is close to a word, in any language that it knows.

use burn::tensor::{Tensor, TensorData};
use mpm_core::MpmBackend;
use mpm_llm::{LanguageModel, LlmError};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// The largest deviation of the noise, relative to the deviation of the embeddings.
const MAX_NOISE: f32 = 1.0;

/// The smallest part that the name has in its picture; the repetition over the slots
/// leaves it readable.
const MIN_SHARE: f32 = 0.3;

/// How many other names a picture resembles.
pub const RIVALS: usize = 3;

/// The content of a picture's slots.
#[derive(Clone, Debug)]
pub struct Imagined {
    /// The tokens of the name and of its rivals, each repeated over the slots,
    /// `[1 + RIVALS, slots]`.
    ids: Vec<i32>,
    /// The part of each, together 1 at most.
    shares: Vec<f32>,
    /// What is added to the embeddings, `[slots, d_llm]`, in units of their deviation.
    noise: Vec<f32>,
}

impl Imagined {
    /// A picture of the first name that resembles the [`RIVALS`] after it.
    pub fn new(names: &[Vec<i32>], [slots, d_llm]: [usize; 2], rng: &mut ChaCha8Rng) -> Self {
        let share = rng.random_range(MIN_SHARE..1.0);
        let mut shares = vec![share];
        let mut left = 1.0 - share;
        for _ in &names[1..] {
            // A rival with a larger share would be what the picture shows.
            let rival = rng.random_range(0.0..1.0) * left.min(0.9 * share);
            shares.push(rival);
            left -= rival;
        }
        // An encoder that takes one thing for another errs in all slots alike.
        let deviation = rng.random_range(0.0..MAX_NOISE) * 0.5f32.sqrt();
        let mut normal = || deviation * rng.sample::<f32, _>(StandardNormal);
        let shared: Vec<f32> = (0..d_llm).map(|_| normal()).collect();
        let own = std::iter::repeat_with(|| shared.iter().copied()).take(slots);
        let repeated = |name: &Vec<i32>| name.clone().into_iter().cycle().take(slots);
        Self {
            ids: names.iter().flat_map(repeated).collect(),
            shares,
            noise: own.flatten().map(|shared| shared + normal()).collect(),
        }
    }

    /// Writes several pictures in embeddings, `[pictures, slots, d_llm]`.
    pub fn embed<B: MpmBackend>(
        pictures: &[Self],
        llm: &impl LanguageModel<B>,
    ) -> Result<Tensor<B, 3>, LlmError> {
        let (count, names) = (pictures.len(), 1 + RIVALS);
        let ids: Vec<i32> = pictures.iter().flat_map(|one| one.ids.clone()).collect();
        let slots = ids.len() / (count * names).max(1);
        let embedded = llm.embed_tokens(&ids, [count * names, slots])?;
        let deviation = embedded.clone().detach().square().mean().sqrt();
        let [_, _, width] = embedded.dims();

        let device = llm.device();
        let shares: Vec<f32> = pictures.iter().flat_map(|one| one.shares.clone()).collect();
        let shares = TensorData::new(shares, [count, names, 1, 1]);
        let shares = Tensor::<B, 4>::from_data(shares, &device);
        let mixed = embedded.reshape([count, names, slots, width]) * shares;

        let noise: Vec<f32> = pictures.iter().flat_map(|one| one.noise.clone()).collect();
        let noise = TensorData::new(noise, [count, slots, width]);
        let noise = Tensor::<B, 3>::from_data(noise, &device);
        Ok(mixed.sum_dim(1).squeeze_dim(1) + noise * deviation.reshape([1, 1, 1]))
    }
}
