//! The soft accuracy of VQA (Antol et al., "VQA: Visual Question Answering", ICCV 2015), as the
//! official `vqaEval.py` of v2 computes it.
//!
//! An answer is as right as people agree on it: with ten answers of people, it scores
//! `min(n / 3, 1)` for the `n` of them that equal it, averaged over the ten ways to leave one of
//! the people out. Answers are compared after a [normalisation](vqa_normalize) that is made for
//! English.

mod contractions;
mod normalize;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::MetricError;

pub use normalize::vqa_normalize;

/// How many people make an answer entirely right.
const ENOUGH: f64 = 3.0;

/// The soft accuracy of one answer, `0.0..=1.0`.
///
/// As in the original, nothing but white space is normalised where all people gave the very same
/// answer: then `Yes` is wrong beside ten `yes`. Pass `vqa_normalize(answer)` to forgive that.
///
/// # Errors
/// [`MetricError::NoHumanAnswers`].
pub fn vqa_accuracy<S: AsRef<str>>(answer: &str, people: &[S]) -> Result<f64, MetricError> {
    if people.is_empty() {
        return Err(MetricError::NoHumanAnswers);
    }
    let people: Vec<_> = people.iter().map(|one| clean(one.as_ref())).collect();
    let answer = clean(answer);
    let unanimous = people.iter().all(|one| *one == people[0]);
    let agree: Vec<bool> = match unanimous {
        true => people.iter().map(|one| *one == answer).collect(),
        false => {
            let answer = vqa_normalize(&answer);
            let agrees = |one: &String| vqa_normalize(one) == answer;
            people.iter().map(agrees).collect()
        }
    };
    let agreeing = agree.iter().filter(|agrees| **agrees).count();
    let without = |agrees: &bool| {
        let others = agreeing - usize::from(*agrees);
        f64::min(others as f64 / ENOUGH, 1.0)
    };
    Ok(agree.iter().map(without).sum::<f64>() / agree.len() as f64)
}

fn clean(answer: &str) -> String {
    answer.replace(['\n', '\t'], " ").trim().to_owned()
}

/// The mean soft accuracy of answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct VqaAccuracy {
    /// The sum of the answers' accuracies.
    pub sum: f64,
    /// Number of answers.
    pub answers: usize,
}

impl VqaAccuracy {
    /// Adds an answer; returns its accuracy.
    ///
    /// # Errors
    /// [`MetricError::NoHumanAnswers`]; the answer does not count then.
    pub fn add<S: AsRef<str>>(&mut self, answer: &str, people: &[S]) -> Result<f64, MetricError> {
        let accuracy = vqa_accuracy(answer, people)?;
        self.sum += accuracy;
        self.answers += 1;
        Ok(accuracy)
    }

    /// The mean, `0.0..=1.0`; `None` before the first answer.
    pub fn mean(&self) -> Option<f64> {
        (self.answers > 0).then(|| self.sum / self.answers as f64)
    }
}

impl fmt::Display for VqaAccuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mean() {
            Some(mean) => write!(
                f,
                "VQA accuracy {:.2} % of {} answers",
                100.0 * mean,
                self.answers
            ),
            None => write!(f, "VQA accuracy of no answers"),
        }
    }
}
