//! Random numbers in the order in which scikit-learn draws them, so that a seed gives its forest.
//!
//! NumPy's `RandomState` (MT19937: Matsumoto and Nishimura, "Mersenne Twister: a 623-dimensionally
//! equidistributed uniform pseudo-random number generator", 1998) gives each tree a seed and draws
//! its rows; a xorshift generator (Marsaglia, "Xorshift RNGs", 2003) draws the features of its nodes.

use xbench_plugin::rng::CounterRng;

const LENGTH: usize = 624;
const MIDDLE: usize = 397;
/// Seeds of trees and of their nodes are below this.
const SEEDS: u32 = i32::MAX as u32;

/// MT19937.
struct MersenneTwister {
    state: [u32; LENGTH],
    next: usize,
}

impl MersenneTwister {
    fn new(seed: u32) -> Self {
        let mut state = [seed; LENGTH];
        for i in 1..LENGTH {
            let before = state[i - 1];
            state[i] = (before ^ (before >> 30))
                .wrapping_mul(1_812_433_253)
                .wrapping_add(i as u32);
        }
        Self {
            state,
            next: LENGTH,
        }
    }

    fn bits(&mut self) -> u32 {
        if self.next == LENGTH {
            for i in 0..LENGTH {
                let joined =
                    (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % LENGTH] & 0x7fff_ffff);
                let twist = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + MIDDLE) % LENGTH] ^ (joined >> 1) ^ twist;
            }
            self.next = 0;
        }
        let mut bits = self.state[self.next];
        self.next += 1;
        bits ^= bits >> 11;
        bits ^= (bits << 7) & 0x9d2c_5680;
        bits ^= (bits << 15) & 0xefc6_0000;
        bits ^ (bits >> 18)
    }

    /// An integer below `bound`, at least 1: the low bits, drawn again until they are.
    fn below(&mut self, bound: u32) -> u32 {
        let most = bound - 1;
        if most == 0 {
            return 0;
        }
        let mask = u32::MAX >> most.leading_zeros();
        loop {
            let drawn = self.bits() & mask;
            if drawn <= most {
                return drawn;
            }
        }
    }
}

/// Seeds of the first `trees` trees of a forest. NumPy takes seeds of 32 bits; longer ones are hashed
/// to as many.
pub(super) fn tree_seeds(seed: u64, trees: usize) -> Vec<u32> {
    let seed = u32::try_from(seed).unwrap_or_else(|_| CounterRng::new(seed).bits(0) as u32);
    let mut random = MersenneTwister::new(seed);
    (0..trees).map(|_| random.below(SEEDS)).collect()
}

/// How often each of `rows` rows is among as many that are drawn with replacement for a tree.
pub(super) fn bootstrap(tree_seed: u32, rows: usize) -> Vec<u32> {
    let mut random = MersenneTwister::new(tree_seed);
    let bound = u32::try_from(rows).unwrap_or(u32::MAX);
    let mut counts = vec![0; rows];
    for _ in 0..rows {
        counts[random.below(bound) as usize] += 1;
    }
    counts
}

/// Draws the features of a tree's nodes.
#[derive(Clone, Debug)]
pub(super) struct NodeRandom(u32);

impl NodeRandom {
    pub(super) fn new(tree_seed: u32) -> Self {
        Self(MersenneTwister::new(tree_seed).below(SEEDS))
    }

    /// A number from `low` up to, not including, `high`, which is above it.
    pub(super) fn between(&mut self, low: usize, high: usize) -> usize {
        if self.0 == 0 {
            self.0 = 1;
        }
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        low + (self.0 & SEEDS) as usize % (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and the ten thousandth value of the usual seed, as the C++ standard gives the latter.
    #[test]
    fn the_twister_gives_known_values() {
        let mut random = MersenneTwister::new(5489);
        assert_eq!(random.bits(), 3_499_211_612);
        let last = (1..10_000).map(|_| random.bits()).last();
        assert_eq!(last, Some(4_123_659_995));
    }

    /// `numpy.random.RandomState(0).randint(2**31 - 1, size=3)` and
    /// `numpy.random.RandomState(7).randint(0, 10, 10)`.
    #[test]
    fn numbers_are_numpys() {
        assert_eq!(tree_seeds(0, 3), SEEDS_OF_0);
        let mut counts = vec![0; 10];
        for row in ROWS_OF_7 {
            counts[row] += 1;
        }
        assert_eq!(bootstrap(7, 10), counts);
        assert_eq!(bootstrap(7, 1), [1]);
        assert!(bootstrap(7, 0).is_empty());
    }

    const SEEDS_OF_0: [u32; 3] = [209_652_396, 398_764_591, 924_231_285];
    const ROWS_OF_7: [usize; 10] = [4, 9, 6, 3, 3, 7, 7, 9, 7, 8];
}
