//! What the inputs and the configurations of models are checked for.

use crate::error::LlmError;

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

/// Whether a size in a configuration is one that a model can have.
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
