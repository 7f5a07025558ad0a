//! What the inputs and the configurations of models are checked for.

use crate::error::LlmError;

/// The most of what a model has one module or one name each for, layers and labels: far more than
/// any model has, and few enough to be made.
pub(crate) const MAX_COUNT: usize = 1 << 16;

/// The largest width, vocabulary or table: far larger than any model's, and so small that sizes
/// can be multiplied and tables of one row each be made.
pub(crate) const MAX_SIZE: usize = 1 << 24;

/// Whether an array has as many elements as the others ask for.
pub(crate) fn check_length(
    field: &'static str,
    actual: usize,
    expected: usize,
) -> Result<(), LlmError> {
    if actual == expected {
        Ok(())
    } else {
        Err(LlmError::InputLength {
            field,
            expected,
            actual,
        })
    }
}

/// Whether an array holds numbers from 0 to `max` only.
pub(crate) fn check_range(field: &'static str, values: &[i32], max: usize) -> Result<(), LlmError> {
    match values
        .iter()
        .position(|&value| usize::try_from(value).map_or(true, |value| value > max))
    {
        None => Ok(()),
        Some(index) => Err(LlmError::InputRange {
            field,
            index,
            value: i64::from(values[index]),
            max,
        }),
    }
}

/// How many elements each row of an array has, where all of them have the same number.
pub(crate) fn row_width(field: &'static str, len: usize, rows: usize) -> Result<usize, LlmError> {
    let width = len / rows.max(1);
    check_length(field, len, width * rows).map(|()| width)
}

/// Whether a model can have these sizes: 1 to [`MAX_SIZE`].
pub(crate) fn check_sizes<const N: usize>(
    sizes: [(&'static str, usize); N],
) -> Result<(), LlmError> {
    sizes.into_iter().try_for_each(|(key, size)| {
        let possible = (1..=MAX_SIZE).contains(&size);
        require(possible, key, size, "1 to 16777216")
    })
}

/// Whether a model can have so many layers: 1 to [`MAX_COUNT`].
pub(crate) fn check_layers(key: &'static str, layers: usize) -> Result<(), LlmError> {
    let possible = (1..=MAX_COUNT).contains(&layers);
    require(possible, key, layers, "1 to 65536")
}

/// Whether a norm can add this to what it divides by.
pub(crate) fn check_eps(key: &'static str, eps: f64) -> Result<(), LlmError> {
    let possible = eps > 0.0 && eps.is_finite();
    require(possible, key, eps, "a positive number")
}

/// Whether a value in a configuration is one that a model can have.
pub(crate) fn require(
    satisfied: bool,
    key: &'static str,
    value: impl ToString,
    allowed: &'static str,
) -> Result<(), LlmError> {
    match satisfied {
        true => Ok(()),
        false => Err(LlmError::Config {
            key,
            value: value.to_string(),
            allowed,
        }),
    }
}
