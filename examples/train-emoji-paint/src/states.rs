//! Whether a prompt means the same in two languages to the language model.

use burn::tensor::Tensor;
use emoji_training::BoxError;
use mpm_core::MpmBackend;
use mpm_data::emoji::Language;
use viscpm_paint::TextEncoder;

use crate::things::Things;

/// The share of the asked things whose name in a language has states that are nearest to those of its
/// English one, on average over the tokens that the UNet reads: how well a painter could do that
/// learnt all English prompts by heart. The language names all of them.
///
/// # Errors
/// Those of the model.
pub fn agreement<B: MpmBackend>(
    encoder: &TextEncoder<B>,
    things: &Things,
    asked: &[usize],
    language: Language,
) -> Result<f64, BoxError> {
    let states = |language| -> Result<Tensor<B, 2>, BoxError> {
        let names: Vec<_> = asked.iter().map(|&i| things.name(i, language)).collect();
        Ok(encoder.encode(&names)?.mean_dim(1).squeeze_dim(1))
    };
    let (other, english) = (states(language)?, states(Language::English)?);
    // |z - e|² but for |z|², which is the same for all e
    let lengths = english.clone().square().sum_dim(1).transpose();
    let distances = lengths - other.matmul(english.transpose()).mul_scalar(2.0);
    let nearest = distances.argmin(1).into_data();
    let same = nearest.iter::<i64>().enumerate();
    let same = same.filter(|&(thing, nearest)| thing as i64 == nearest);
    Ok(same.count() as f64 / asked.len() as f64)
}
