//! Codes as parts of words.

use super::QuantizedBits;

/// Packs whole words of codes from -8 to 7, or from -128 to 127: the first code of a word in its
/// lowest bits.
pub(super) fn pack(codes: &[i8], bits: QuantizedBits, words: &mut [u32]) {
    let per_word = bits.per_word();
    for (word, codes) in words.iter_mut().zip(codes.chunks_exact(per_word)) {
        *word = match bits {
            QuantizedBits::Int4 => codes
                .iter()
                .rev()
                .fold(0, |word, &code| word << 4 | (code + 8) as u32),
            QuantizedBits::Int8 => codes
                .iter()
                .rev()
                .fold(0, |word, &code| word << 8 | u32::from(code as u8)),
        };
    }
}

/// The codes of a word; those of 4 bits fill half of the array.
#[cfg(test)]
pub(super) fn unpack(word: u32, bits: QuantizedBits) -> Vec<i8> {
    match bits {
        QuantizedBits::Int4 => (0..8).map(|i| (word >> (4 * i) & 15) as i8 - 8).collect(),
        QuantizedBits::Int8 => (0..4).map(|i| (word >> (8 * i)) as i8).collect(),
    }
}
