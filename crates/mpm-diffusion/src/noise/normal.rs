//! Normal numbers out of random bits, with nothing but IEEE 754 arithmetic.

/// A standard normal from 64 random bits.
pub(super) fn normal(bits: u64) -> f64 {
    // 52 bits and a half: inside (0, 1), and symmetric.
    let uniform = ((bits >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
    quantile(uniform)
}

/// The inverse of the normal distribution function on (0, 1), to 16 digits: the rational
/// approximations of algorithm AS 241 (Wichura 1988, Applied Statistics 37, pages 477 to 484).
fn quantile(probability: f64) -> f64 {
    let from_middle = probability - 0.5;
    if from_middle.abs() <= 0.425 {
        return from_middle * MIDDLE.at(0.180_625 - from_middle * from_middle);
    }
    let tail = probability.min(1.0 - probability);
    let depth = (-ln(tail)).sqrt();
    let distance = if depth <= 5.0 {
        TAIL.at(depth - 1.6)
    } else {
        FAR_TAIL.at(depth - 5.0)
    };
    distance.copysign(from_middle)
}

/// The natural logarithm of a normal number above 0, to 16 digits: that of the mathematical
/// library differs between platforms in the last bit.
fn ln(x: f64) -> f64 {
    const MANTISSA_BITS: u32 = 52;
    const BIAS: u64 = 1023;
    let bits = x.to_bits();
    let exponent = (bits >> MANTISSA_BITS) as f64 - BIAS as f64;
    let mantissa = f64::from_bits((bits & ((1 << MANTISSA_BITS) - 1)) | (BIAS << MANTISSA_BITS));
    // The mantissa is in [1, 2): taken relative to √2, s stays within ±0.172.
    let s = (mantissa - std::f64::consts::SQRT_2) / (mantissa + std::f64::consts::SQRT_2);
    // artanh s = s + s³/3 + s⁵/5 + …; the twelfth term is below 2⁻⁵³.
    let series = (0..12)
        .rev()
        .fold(0.0, |sum, k| sum * s * s + 1.0 / f64::from(2 * k + 1));
    2.0 * s * series + (exponent + 0.5) * std::f64::consts::LN_2
}

/// The quotient of two polynomials, coefficients from the constant on.
struct Quotient {
    numerator: [f64; 8],
    denominator: [f64; 8],
}

impl Quotient {
    fn at(&self, x: f64) -> f64 {
        let polynomial = |coefficients: &[f64; 8]| {
            let descending = coefficients.iter().rev();
            descending.fold(0.0, |sum, coefficient| sum * x + coefficient)
        };
        polynomial(&self.numerator) / polynomial(&self.denominator)
    }
}

/// Of `0.425² − q²`, for probabilities `q` from the middle, |q| ≤ 0.425.
const MIDDLE: Quotient = Quotient {
    numerator: [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    denominator: [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
};

/// Of `√(−ln p) − 1.6`, for tail probabilities `p` down to e⁻²⁵.
const TAIL: Quotient = Quotient {
    numerator: [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    denominator: [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
};

/// Of `√(−ln p) − 5`, for smaller tail probabilities `p`.
const FAR_TAIL: Quotient = Quotient {
    numerator: [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    denominator: [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_7e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    /// `statistics.NormalDist().inv_cdf` of Python 3.11.
    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        let known = [
            (1.1102230246251565e-16, -8.209536151601386),
            (1e-12, -7.034483825301132),
            (1e-09, -5.9978070150076865),
            (1.3e-11, -6.66761145651074),
            (0.001, -3.090232306167813),
            (0.02425, -1.9729610513118845),
            (0.0749, -1.4402382675279632),
            (0.075, -1.4395314709384557),
            (0.2, -0.8416212335729142),
            (0.4999, -0.0002506628300880075),
            (0.5000001, 2.506628273311649e-07),
            (0.77, 0.7388468491852137),
            (0.925, 1.439531470938456),
            (0.9251, 1.4402382675279632),
            (0.99, 2.3263478740408408),
            (0.999999, 4.753424308817089),
        ];
        for (probability, expected) in known {
            let found = quantile(probability);
            assert!(
                (found - expected).abs() <= 4.0 * f64::EPSILON * expected.abs(),
                "{probability}: {found} instead of {expected}"
            );
            assert_eq!(
                quantile(1.0 - (1.0 - probability)),
                -quantile(1.0 - probability)
            );
        }
    }

    #[test]
    fn logarithms_are_those_of_the_library() {
        let mut x = 0.5_f64.powi(54);
        while x < 4.0 {
            let error = (ln(x) - x.ln()).abs();
            assert!(
                error <= 4.0 * f64::EPSILON * x.ln().abs().max(0.5),
                "{x}: {error:e}"
            );
            x *= 1.37;
        }
    }

    #[test]
    fn all_bits_give_finite_numbers() {
        let (least, most) = (normal(0), normal(u64::MAX));
        assert_eq!(least, -most);
        assert!(most > 8.0 && most < 9.0, "{most}");
        assert!(normal(1 << 63).abs() < 1e-15);
    }
}
