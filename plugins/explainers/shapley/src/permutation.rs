//! Shapley values by random orders of the players, each taken forward and backward.

use std::ffi::CStr;

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result};

use crate::game::{Ask, Game};
use crate::setup::{Setup, shap_params};

shap_params! {
    /// Parameters of permutation SHAP.
    pub struct PermutationShapParams {
        /// Random orders of the players; each is followed in both directions.
        permutations: u32 = 10, 1..=100_000;
    }
}

/// Shapley values by permutation sampling (Castro, Gómez and Tejada 2009), antithetic: each order is
/// also taken in reverse (Mitchell, Cooper, Frank and Holmes 2022, section 4.1).
///
/// A player's value is the mean, over the orders, of what the outcome gains as it joins those ahead of
/// it. Signed, in units of the outcome; the values sum to f(x) - f(removed). Exact with one pair of
/// orders for games in which at most two players interact. A row of n players costs
/// 2 + 2 (n - 1) `permutations` forward rows (times the background rows where these are used).
#[derive(Clone, Debug)]
pub struct PermutationShap {
    setup: Setup,
    permutations: usize,
}

impl Plugin for PermutationShap {
    const META: Meta = Meta {
        id: c"org.xbench.permutation-shap",
        name: c"Permutation SHAP",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"J. Castro, D. Gómez, J. Tejada, Polynomial calculation of the Shapley value based on sampling, 2009",
        summary: c"Shapley values of segments or columns, by random orders of the players, each taken forward and backward.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC)
            .union(Flags::WANTS_BACKGROUND),
        max_batch: 0,
    };
    type Params = PermutationShapParams;

    fn create(params: PermutationShapParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self {
            setup: params.setup()?,
            permutations: params.permutations as usize,
        })
    }
}

/// Order `index` of a row's players.
fn order(seed: u64, index: usize, players: usize) -> Vec<usize> {
    CounterRng::new(seed)
        .stream(index as u64)
        .permutation(players)
}

impl Explainer for PermutationShap {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let game = Game::new(ctx, model, batch, self.setup.outcome, self.setup.removal)?;
        let players = self.setup.players(batch.x, game.removed())?;
        // Per row the empty coalition, the full one, and per order the proper beginnings of the
        // order, then those of its reverse.
        let asks: Vec<(usize, usize)> = players
            .iter()
            .enumerate()
            .filter(|(_, players)| players.count() > 0)
            .flat_map(|(row, players)| {
                let beginnings = 2 * (players.count() - 1) * self.permutations;
                (0..2 + beginnings).map(move |coalition| (row, coalition))
            })
            .collect();
        let row_len = batch.x.row_len();
        let mut worth = Vec::new();
        let mut now = (usize::MAX, usize::MAX, Vec::new());
        game.values(
            &players,
            asks.len(),
            |index, keep| {
                let (row, coalition) = asks[index];
                let n = players[row].count();
                if coalition == 1 {
                    keep[..n].fill(true);
                } else if coalition > 1 {
                    let (walk, length) = ((coalition - 2) / (n - 1), (coalition - 2) % (n - 1) + 1);
                    if (now.0, now.1) != (row, walk / 2) {
                        now = (row, walk / 2, order(batch.seed[row], walk / 2, n));
                    }
                    let first = if walk % 2 == 0 {
                        &now.2[..length]
                    } else {
                        &now.2[n - length..]
                    };
                    for &player in first {
                        keep[player] = true;
                    }
                }
                Ask {
                    row,
                    stand_in: None,
                }
            },
            |index, value| {
                let (row, coalition) = asks[index];
                if coalition == 0 {
                    worth.clear();
                }
                worth.push(value);
                if asks.get(index + 1).is_none_or(|next| next.0 != row) {
                    let n = players[row].count();
                    let values = self.mean_gains(&worth, n, batch.seed[row]);
                    let out = &mut attribution[row * row_len..][..row_len];
                    self.setup.write(&players[row], &values, out);
                }
            },
        )
    }
}

impl PermutationShap {
    /// The mean gain of each of `n` players, from the worths of the row's coalitions.
    fn mean_gains(&self, worth: &[f64], n: usize, seed: u64) -> Vec<f64> {
        let (empty, full) = (worth[0], worth[1]);
        if n == 1 {
            return vec![full - empty];
        }
        let mut sums = vec![0.0; n];
        for (walk, beginnings) in worth[2..].chunks_exact(n - 1).enumerate() {
            let mut order = order(seed, walk / 2, n);
            if walk % 2 == 1 {
                order.reverse();
            }
            let mut before = empty;
            for (player, &after) in order.into_iter().zip(beginnings.iter().chain([&full])) {
                sums[player] += after - before;
                before = after;
            }
        }
        let walks = 2.0 * self.permutations as f64;
        sums.iter().map(|sum| sum / walks).collect()
    }
}
