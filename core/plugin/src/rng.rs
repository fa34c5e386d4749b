//! Random numbers that do not depend on the order in which they are drawn.
//!
//! Value `i` of a generator is a function of the seed and `i` alone, so that cutting a batch, changing
//! the number of threads or resuming a run changes nothing. The function is the output function of
//! SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014) over a
//! hashed seed; it is not meant for secrets.

/// A counter-based generator: each value is addressed by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterRng {
    state: u64,
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of SplitMix64: a bijection in which each input bit moves each output bit.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl CounterRng {
    /// The generator of a seed, for instance of one of [`Batch::seed`](crate::Batch::seed).
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        // Hashed twice, so that neighbouring seeds are not shifted copies of each other.
        Self {
            state: mix(mix(seed.wrapping_add(GOLDEN)).wrapping_add(GOLDEN)),
        }
    }

    /// An independent generator for purpose or round `k` of the same seed.
    #[must_use]
    pub const fn stream(self, k: u64) -> Self {
        Self::new(mix(self.state ^ mix(k.wrapping_mul(GOLDEN).wrapping_add(1))))
    }

    /// 64 random bits, value `i`.
    #[must_use]
    pub const fn bits(self, i: u64) -> u64 {
        mix(self
            .state
            .wrapping_add(i.wrapping_add(1).wrapping_mul(GOLDEN)))
    }

    /// Uniform on `[0, 1)`, value `i`; a multiple of 2⁻⁵³.
    #[must_use]
    pub fn uniform(self, i: u64) -> f64 {
        (self.bits(i) >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// An integer below `bound`, value `i`; 0 where `bound` is 0. Its bias is below `bound` · 2⁻⁶⁴.
    #[must_use]
    pub const fn below(self, i: u64, bound: u64) -> u64 {
        ((self.bits(i) as u128 * bound as u128) >> 64) as u64
    }

    /// Standard normal, value `i`, by the transform of Box and Muller (1958).
    #[must_use]
    pub fn normal(self, i: u64) -> f64 {
        // Two words per value, from streams of their own: value i shares nothing with value i + 1.
        let angle = self.uniform(i) * std::f64::consts::TAU;
        let radius = mix(self.bits(i) ^ GOLDEN) >> 11;
        let radius = (radius as f64 + 0.5) * (1.0 / (1_u64 << 53) as f64);
        (-2.0 * radius.ln()).sqrt() * angle.cos()
    }

    /// A random order of `0..n` (Fisher and Yates).
    #[must_use]
    pub fn permutation(self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            let chosen = self.below(last as u64, last as u64 + 1) as usize;
            order.swap(last, chosen);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_value_follows_splitmix64() {
        // SplitMix64 seeded with 0 yields this first (the reference implementation's known value).
        assert_eq!(mix(GOLDEN), 0xE220_A839_7B1D_CDAF);
    }

    #[test]
    fn moments_are_right() {
        let rng = CounterRng::new(7);
        let n = 100_000_u32;
        let count = f64::from(n);
        let mean = |f: &dyn Fn(u64) -> f64| (0..u64::from(n)).map(f).sum::<f64>() / count;
        // Five standard errors each.
        assert!((mean(&|i| rng.uniform(i)) - 0.5).abs() < 5.0 * (1.0 / 12.0 / count).sqrt());
        assert!(mean(&|i| rng.normal(i)).abs() < 5.0 / count.sqrt());
        assert!((mean(&|i| rng.normal(i).powi(2)) - 1.0).abs() < 5.0 * (2.0 / count).sqrt());
        assert!((mean(&|i| rng.normal(i).powi(4)) - 3.0).abs() < 5.0 * (96.0 / count).sqrt());
        let lagged = mean(&|i| rng.normal(i) * rng.normal(i + 1));
        assert!(lagged.abs() < 5.0 / count.sqrt());
    }

    #[test]
    fn seeds_and_streams_differ() {
        let a = CounterRng::new(1);
        let b = CounterRng::new(2);
        let same = (0..1000)
            .filter(|&i| (0..1000).any(|j| a.bits(i) == b.bits(j)))
            .count();
        assert_eq!(same, 0);
        assert_ne!(a.stream(0).bits(0), a.bits(0));
        assert_ne!(a.stream(0).bits(0), a.stream(1).bits(0));
    }

    #[test]
    fn permutations_hold_every_index_and_are_fair() {
        let mut seen = [[0_u32; 4]; 4];
        for seed in 0..12_000 {
            let order = CounterRng::new(seed).permutation(4);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            for (place, value) in order.into_iter().enumerate() {
                seen[place][value] += 1;
            }
        }
        // Each count is binomial(12000, 1/4): 3000 with a standard deviation of 47.4.
        assert!(
            seen.iter()
                .flatten()
                .all(|&count| count.abs_diff(3000) < 5 * 48),
            "{seen:?}"
        );
        assert!(CounterRng::new(0).permutation(0).is_empty());
    }
}
