//! The coalitions that Kernel SHAP asks about, and the regression on them.

use std::collections::BTreeMap;

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{Error, Result};

use crate::linear::Cholesky;

/// Draws per coalition that is still wanted, after which too few new ones turn up.
const DRAWS: usize = 4;

/// A weighted choice of the coalitions of a number of players, and the factored normal equations of
/// the regression on them.
///
/// It depends on the number of players, of samples and on the seed alone, so that all rows with the
/// same number of players can share it.
#[derive(Clone, Debug)]
pub(crate) struct Design {
    players: usize,
    /// 64-bit words per coalition.
    words: usize,
    /// Bit p of a coalition: player p is kept.
    coalitions: Vec<u64>,
    weights: Vec<f64>,
    /// Of G = sum of w z zᵀ.
    factor: Cholesky,
    /// G⁻¹ 1.
    ones: Vec<f64>,
}

impl Design {
    /// The coalitions of 2 or more players, neither empty nor full, that `samples` allow.
    ///
    /// Sizes are taken from the outside in (1 and n - 1, 2 and n - 2, ...), where the kernel's weight
    /// is: a pair of sizes is taken whole as long as `samples` in proportion to the weights cover it
    /// (size 1 whenever there is room, so that the regression has one solution). The weight of the
    /// rest goes to coalitions drawn by the kernel, each with its complement; one that is drawn
    /// twice counts twice. When all fit, all are taken, and the regression gives the Shapley values.
    ///
    /// # Errors
    /// When there are fewer samples than two per player.
    pub(crate) fn new(players: usize, samples: usize, rng: CounterRng) -> Result<Self> {
        let all = 2_usize
            .checked_pow(players as u32)
            .map_or(usize::MAX, |all| all - 2);
        let samples = samples.min(all);
        if samples < 2 * players && samples < all {
            return Err(Error::invalid_argument(format!(
                "{samples} samples cannot tell {players} players apart: give at least {}, or have \
                 fewer players (larger cells)",
                2 * players
            )));
        }
        let words = players.div_ceil(64);
        let mut design = Coalitions {
            players,
            words,
            bits: Vec::new(),
            weights: Vec::new(),
        };
        // Weight of each size: the kernel times the number of coalitions of that size, n - 1 left
        // out.
        let weight = |size: usize| 1.0 / (size as f64 * (players - size) as f64);
        let total: f64 = (1..players).map(weight).sum();
        let mut left_weight = total;
        let mut size = 1;
        while 2 * size <= players {
            let pair = 2 * size != players;
            let sizes = if pair { 2.0 } else { 1.0 };
            let count = sizes * binomial(players, size);
            let room = (samples - design.count()) as f64;
            let share = room * sizes * weight(size) / left_weight;
            if count > room || (size > 1 && samples < all && share < count) {
                break;
            }
            design.take_all(size, pair, sizes * weight(size) / total / count);
            left_weight -= sizes * weight(size);
            size += 1;
        }
        if 2 * size <= players {
            let rest: Vec<f64> = (size..=players - size).map(weight).collect();
            let share: f64 = rest.iter().sum::<f64>() / total;
            design.draw(size, &rest, samples - design.count(), share, rng);
        }
        design.factor()
    }

    /// Coalitions there are.
    pub(crate) fn count(&self) -> usize {
        self.weights.len()
    }

    /// Sets which players a coalition keeps.
    pub(crate) fn keep(&self, coalition: usize, keep: &mut [bool]) {
        let bits = &self.coalitions[coalition * self.words..][..self.words];
        for (player, keep) in keep.iter_mut().enumerate().take(self.players) {
            *keep = bits[player / 64] >> (player % 64) & 1 == 1;
        }
    }

    /// The players' values, from what the coalitions are worth beyond the empty one, and what the
    /// full one is.
    ///
    /// The minimum of the weighted squares under the constraint that the values sum to `full`, by
    /// Lagrange's multiplier (Covert and Lee 2021, equation 7): completeness holds exactly.
    pub(crate) fn solve(&self, worth: &[f64], full: f64) -> Vec<f64> {
        let mut values = vec![0.0; self.players];
        let lines = self.coalitions.chunks_exact(self.words);
        for ((bits, worth), weight) in lines.zip(worth).zip(&self.weights) {
            let part = weight * worth;
            for (word, &bits) in bits.iter().enumerate() {
                let mut bits = bits;
                while bits != 0 {
                    values[64 * word + bits.trailing_zeros() as usize] += part;
                    bits &= bits - 1;
                }
            }
        }
        self.factor.solve(&mut values);
        let excess = values.iter().sum::<f64>() - full;
        let scale = excess / self.ones.iter().sum::<f64>();
        for (value, one) in values.iter_mut().zip(&self.ones) {
            *value -= scale * one;
        }
        values
    }
}

/// n over k, as a float: it only decides what fits.
fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64)
}

/// Coalitions being gathered.
struct Coalitions {
    players: usize,
    words: usize,
    bits: Vec<u64>,
    weights: Vec<f64>,
}

impl Coalitions {
    fn count(&self) -> usize {
        self.weights.len()
    }

    fn bits_of(&self, members: &[usize]) -> Vec<u64> {
        let mut bits = vec![0_u64; self.words];
        for &player in members {
            bits[player / 64] |= 1 << (player % 64);
        }
        bits
    }

    fn complement(&self, bits: &[u64]) -> Vec<u64> {
        let mut other: Vec<u64> = bits.iter().map(|word| !word).collect();
        let over = 64 * self.words - self.players;
        if let Some(last) = other.last_mut() {
            *last &= u64::MAX >> over;
        }
        other
    }

    fn push(&mut self, bits: &[u64], weight: f64) {
        self.bits.extend_from_slice(bits);
        self.weights.push(weight);
    }

    /// All coalitions of a size, and where `pair` says so their complements.
    fn take_all(&mut self, size: usize, pair: bool, weight: f64) {
        let mut members: Vec<usize> = (0..size).collect();
        loop {
            let bits = self.bits_of(&members);
            self.push(&bits, weight);
            if pair {
                let other = self.complement(&bits);
                self.push(&other, weight);
            }
            // The next choice in lexicographic order: raise the last member that has room.
            let Some(place) = (0..size)
                .rev()
                .find(|&place| members[place] < self.players - size + place)
            else {
                return;
            };
            members[place] += 1;
            for next in place + 1..size {
                members[next] = members[next - 1] + 1;
            }
        }
    }

    /// Draws coalitions of the sizes from `first` on by their weights, in pairs with their
    /// complements, until there are `wanted` different ones or draws have run out; together they have
    /// the weight `share`.
    fn draw(&mut self, first: usize, sizes: &[f64], wanted: usize, share: f64, rng: CounterRng) {
        let (start, total) = (self.count(), sizes.iter().sum::<f64>());
        let mut place: BTreeMap<Vec<u64>, usize> = BTreeMap::new();
        for draw in 0..(DRAWS * wanted) as u64 {
            // A pair needs two places.
            if self.count() - start + 2 > wanted {
                break;
            }
            let rng = rng.stream(draw);
            let mut point = rng.uniform(0) * total;
            let mut size = first;
            for weight in &sizes[..sizes.len() - 1] {
                if point < *weight {
                    break;
                }
                point -= weight;
                size += 1;
            }
            let order = rng.stream(0).permutation(self.players);
            let bits = self.bits_of(&order[..size]);
            let other = self.complement(&bits);
            for bits in [bits, other] {
                match place.get(&bits) {
                    Some(&index) => self.weights[index] += 1.0,
                    None => {
                        place.insert(bits.clone(), self.count());
                        self.push(&bits, 1.0);
                    }
                }
            }
        }
        let drawn: f64 = self.weights[start..].iter().sum();
        for weight in &mut self.weights[start..] {
            *weight *= share / drawn;
        }
    }

    fn factor(self) -> Result<Design> {
        let n = self.players;
        let mut gram = vec![0.0; n * n];
        let mut members = Vec::with_capacity(n);
        for (bits, weight) in self.bits.chunks_exact(self.words).zip(&self.weights) {
            members.clear();
            members.extend((0..n).filter(|&player| bits[player / 64] >> (player % 64) & 1 == 1));
            for &a in &members {
                for &b in &members {
                    gram[a * n + b] += weight;
                }
            }
        }
        let factor = Cholesky::new(gram, n).ok_or_else(|| {
            Error::internal(format!("the coalitions do not tell {n} players apart"))
        })?;
        let mut ones = vec![1.0; n];
        factor.solve(&mut ones);
        Ok(Design {
            players: n,
            words: self.words,
            coalitions: self.bits,
            weights: self.weights,
            factor,
            ones,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(design: &Design) -> Vec<Vec<bool>> {
        (0..design.count())
            .map(|coalition| {
                let mut keep = vec![false; design.players];
                design.keep(coalition, &mut keep);
                keep
            })
            .collect()
    }

    #[test]
    fn all_coalitions_have_the_kernel_s_weight() {
        for players in 2..=9_usize {
            let design = Design::new(players, 1 << 20, CounterRng::new(1)).expect("a design");
            assert_eq!(design.count(), (1 << players) - 2);
            let mut seen = members(&design);
            let kernel = |size: usize| {
                (players - 1) as f64
                    / (binomial(players, size) * size as f64 * (players - size) as f64)
            };
            let total: f64 = seen
                .iter()
                .map(|keep| kernel(keep.iter().filter(|&&kept| kept).count()))
                .sum();
            for (keep, weight) in seen.iter().zip(&design.weights) {
                let expected = kernel(keep.iter().filter(|&&kept| kept).count()) / total;
                assert!((weight - expected).abs() < 1e-15);
            }
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), design.count());
        }
    }

    #[test]
    fn drawn_coalitions_come_in_pairs_and_weights_sum_to_one() {
        for (players, samples) in [(12, 200), (49, 500), (49, 98), (70, 400), (13, 8190)] {
            let design = Design::new(players, samples, CounterRng::new(3)).expect("a design");
            assert!(design.count() <= samples && design.count() + 2 > samples * 9 / 10);
            let sum: f64 = design.weights.iter().sum();
            assert!(
                (sum - 1.0).abs() < 1e-12 || samples == 98,
                "{players} {sum}"
            );
            let seen = members(&design);
            for keep in &seen {
                let other: Vec<bool> = keep.iter().map(|kept| !kept).collect();
                assert!(seen.contains(&other));
            }
        }
    }

    #[test]
    fn too_few_samples_are_refused() {
        let error = Design::new(20, 39, CounterRng::new(0)).expect_err("refused");
        assert!(error.message().contains("at least 40"), "{error}");
        assert!(Design::new(20, 40, CounterRng::new(0)).is_ok());
        // Three players have six coalitions in all.
        assert!(Design::new(3, 6, CounterRng::new(0)).is_ok());
        assert!(Design::new(3, 5, CounterRng::new(0)).is_err());
    }
}
