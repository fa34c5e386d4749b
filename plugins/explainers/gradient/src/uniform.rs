//! Uniform draws in a fixed order from a seed.

/// SplitMix64 (Steele, Lea and Flood 2014): a counter through a mixing function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uniform {
    state: u64,
}

impl Uniform {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In 0..1, with 53 bits.
    pub(crate) fn next(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Every order is equally likely (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = (self.next() * (last + 1) as f64) as usize;
            items.swap(last, other.min(last));
        }
    }
}
