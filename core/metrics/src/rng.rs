//! Random numbers addressed by what they are for.
//!
//! A draw is a function of (seed, stream, item, draw number, position), so that a score does not
//! depend on how images were batched, ordered or spread over threads. The generator is
//! SplitMix64 (Steele, Lea and Flood, 2014), whose n-th output needs only its key and n.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn absorb(state: u64, word: u64) -> u64 {
    mix(state.rotate_left(23).wrapping_add(GOLDEN) ^ mix(word.wrapping_add(GOLDEN)))
}

/// What a random draw is for: a seed, a stream (usually a score's id) and an item (an image).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawKey(u64);

impl DrawKey {
    /// A key for `item` (the image's number in its data set) in `stream` (a score's id).
    #[must_use]
    pub fn new(seed: u64, stream: &str, item: u64) -> Self {
        // FNV-1a: any fixed hash of the name does, `absorb` spreads its bits.
        let name = stream
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Self(absorb(absorb(mix(seed), name), item))
    }

    /// The numbers of draw number `draw`; draws do not depend on one another.
    #[must_use]
    pub fn draws(self, draw: u64) -> Draws {
        Draws {
            state: absorb(self.0, draw),
        }
    }
}

/// The stream of numbers of one draw.
#[derive(Debug, Clone)]
pub struct Draws {
    state: u64,
}

impl Draws {
    /// The next 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A uniform integer in `0..bound`, without bias (Lemire 2019); 0 when `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        let bound = u64::from(bound);
        if bound == 0 {
            return 0;
        }
        loop {
            let product = (self.next_u64() >> 32) * bound;
            let low = product & 0xffff_ffff;
            if low >= bound || low >= (1 << 32) % bound {
                return (product >> 32) as u32;
            }
        }
    }

    /// A uniform number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Puts `items` in a uniformly random order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u32 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_do_not_depend_on_call_order() {
        let key = DrawKey::new(7, "deletion_auc", 3);
        let forwards: Vec<u64> = (0..4).map(|draw| key.draws(draw).next_u64()).collect();
        let backwards: Vec<u64> = (0..4)
            .rev()
            .map(|draw| key.draws(draw).next_u64())
            .collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
    }

    #[test]
    fn every_part_of_the_address_matters() {
        let mut numbers: Vec<u64> = Vec::new();
        for seed in 0..8 {
            for stream in ["a", "b", "ab"] {
                for item in 0..8 {
                    for draw in 0..8 {
                        numbers.push(DrawKey::new(seed, stream, item).draws(draw).next_u64());
                    }
                }
            }
        }
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }

    #[test]
    fn below_is_uniform_across_neighbouring_keys() {
        // One number of each of 60 000 keys: 6 cells of 10 000, standard deviation 91.
        let mut cells = [0i32; 6];
        for item in 0..60_000 {
            cells[DrawKey::new(1, "t", item).draws(0).below(6) as usize] += 1;
        }
        assert!(
            cells.iter().all(|count| (count - 10_000).abs() < 456),
            "{cells:?}"
        );
    }

    #[test]
    fn unit_has_mean_one_half() {
        let mut draws = DrawKey::new(1, "u", 0).draws(0);
        let mean = (0..40_000).map(|_| draws.unit()).sum::<f64>() / 40_000.0;
        assert!(
            (mean - 0.5).abs() < 5.0 * (1.0f64 / 12.0 / 40_000.0).sqrt(),
            "{mean}"
        );
    }

    #[test]
    fn shuffle_reaches_all_orders_equally() {
        let mut seen = std::collections::BTreeMap::new();
        for item in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            DrawKey::new(5, "s", item).draws(0).shuffle(&mut items);
            *seen.entry(items).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 24);
        assert!(
            seen.values().all(|&count: &i32| (count - 1000).abs() < 160),
            "{seen:?}"
        );
    }
}
