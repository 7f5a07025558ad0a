//! What the shapes of codes and scales say.

use super::{BlockSize, QuantizationError, QuantizationScheme, QuantizedBits};

/// Where the weights of a quantized matrix are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub bits: QuantizedBits,
    /// Weights that share a scale.
    pub block: usize,
    pub d_out: usize,
    pub d_in: usize,
}

impl Layout {
    /// The layout of a `[d_out, d_in]` matrix that is quantized in this way.
    pub fn new(
        scheme: QuantizationScheme,
        [d_out, d_in]: [usize; 2],
    ) -> Result<Self, QuantizationError> {
        let block = scheme.block().len(d_in);
        let unit = match scheme.block() {
            BlockSize::Row => scheme.bits().per_word(),
            // a multiple of the weights in a word
            _ => block,
        };
        if d_in == 0 || !d_in.is_multiple_of(unit) {
            let reason = format!("a multiple of {unit} is needed");
            return Err(QuantizationError::Width {
                d_in,
                scheme,
                reason,
            });
        }
        Ok(Self {
            bits: scheme.bits(),
            block,
            d_out,
            d_in,
        })
    }

    /// The layout that matches these shapes, if one does.
    pub fn infer(
        codes: [usize; 2],
        scales: [usize; 2],
        d_in: usize,
    ) -> Result<Self, QuantizationError> {
        QuantizationScheme::ALL
            .into_iter()
            .filter_map(|scheme| Self::new(scheme, [codes[0], d_in]).ok())
            .find(|layout| [layout.codes(), layout.scales()] == [codes, scales])
            .ok_or(QuantizationError::Layout {
                codes,
                scales,
                d_in,
            })
    }

    /// The scheme, where a block that happens to be a whole row counts as a block.
    pub fn scheme(self) -> Option<QuantizationScheme> {
        QuantizationScheme::ALL
            .into_iter()
            .find(|scheme| Self::new(*scheme, [self.d_out, self.d_in]).is_ok_and(|it| it == self))
    }

    /// Words in a row.
    pub fn words(self) -> usize {
        self.d_in / self.bits.per_word()
    }

    /// Scales of a row.
    pub fn blocks(self) -> usize {
        self.d_in / self.block
    }

    /// Shape of the codes.
    pub fn codes(self) -> [usize; 2] {
        [self.d_out, self.words()]
    }

    /// Shape of the scales.
    pub fn scales(self) -> [usize; 2] {
        [self.d_out, self.blocks()]
    }
}
