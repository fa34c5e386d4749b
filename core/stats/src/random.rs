//! Random numbers that depend on a seed, a purpose and a place alone.

pub(crate) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of random numbers.
pub(crate) struct Stream {
    state: u64,
}

impl Stream {
    /// Stream `number` of `seed`; streams of different numbers do not overlap in practice.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let state = mix(mix(seed).wrapping_add(GOLDEN.wrapping_mul(number.wrapping_add(1))));
        Self { state }
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A whole number below `bound`. The product maps 64 uniform bits to the range with a bias
    /// below bound / 2⁶⁴.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// Puts `values` into random order (Fisher and Yates 1938).
    pub(crate) fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last + 1));
        }
    }
}
