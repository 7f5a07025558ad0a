//! The names of the formats.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use super::QuantizationError;

/// Bits of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuantizedBits {
    /// 4, in 16 steps.
    Int4,
    /// 8, in 255 steps.
    Int8,
}

impl QuantizedBits {
    /// How many there are.
    pub const fn count(self) -> usize {
        match self {
            Self::Int4 => 4,
            Self::Int8 => 8,
        }
    }

    /// Codes in a word of 32 bits.
    pub const fn per_word(self) -> usize {
        32 / self.count()
    }
}

/// How many weights of a row share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockSize {
    /// 32
    B32,
    /// 64
    B64,
    /// 128
    B128,
    /// All of them; with 8 bits only.
    Row,
}

impl BlockSize {
    /// The number of weights, in a row of `d_in`.
    pub const fn len(self, d_in: usize) -> usize {
        match self {
            Self::B32 => 32,
            Self::B64 => 64,
            Self::B128 => 128,
            Self::Row => d_in,
        }
    }
}

/// How weights are quantized. Written as `int4-64` or `int8-row`; `int4` and `int8` stand for
/// blocks of 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QuantizationScheme {
    bits: QuantizedBits,
    block: BlockSize,
}

impl QuantizationScheme {
    /// 4 bits in blocks of 64.
    pub const INT4: Self = Self {
        bits: QuantizedBits::Int4,
        block: BlockSize::B64,
    };

    /// 8 bits in blocks of 64.
    pub const INT8: Self = Self {
        bits: QuantizedBits::Int8,
        block: BlockSize::B64,
    };

    /// All that there are.
    pub const ALL: [Self; 7] = {
        use BlockSize::{B32, B64, B128, Row};
        use QuantizedBits::{Int4, Int8};
        const fn scheme(bits: QuantizedBits, block: BlockSize) -> QuantizationScheme {
            QuantizationScheme { bits, block }
        }
        [
            scheme(Int4, B32),
            scheme(Int4, B64),
            scheme(Int4, B128),
            scheme(Int8, B32),
            scheme(Int8, B64),
            scheme(Int8, B128),
            scheme(Int8, Row),
        ]
    };

    /// This scheme, unless 4 bits were to share a scale over whole rows: that loses too much.
    pub fn new(bits: QuantizedBits, block: BlockSize) -> Option<Self> {
        let scheme = Self { bits, block };
        Self::ALL.contains(&scheme).then_some(scheme)
    }

    /// Bits of a code.
    pub const fn bits(self) -> QuantizedBits {
        self.bits
    }

    /// How many weights share a scale.
    pub const fn block(self) -> BlockSize {
        self.block
    }
}

impl fmt::Display for QuantizationScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let block = match self.block {
            BlockSize::B32 => "32",
            BlockSize::B64 => "64",
            BlockSize::B128 => "128",
            BlockSize::Row => "row",
        };
        write!(f, "int{}-{block}", self.bits.count())
    }
}

impl FromStr for QuantizationScheme {
    type Err = QuantizationError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "int4" => Ok(Self::INT4),
            "int8" => Ok(Self::INT8),
            _ => Self::ALL
                .into_iter()
                .find(|scheme| scheme.to_string() == name)
                .ok_or_else(|| QuantizationError::UnknownScheme {
                    name: name.to_string(),
                }),
        }
    }
}

impl TryFrom<String> for QuantizationScheme {
    type Error = QuantizationError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<QuantizationScheme> for String {
    fn from(scheme: QuantizationScheme) -> Self {
        scheme.to_string()
    }
}
