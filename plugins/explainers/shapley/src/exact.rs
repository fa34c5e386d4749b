//! Shapley values by their definition, over all coalitions.

use std::ffi::CStr;

use xbench_plugin::{Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result};

use crate::game::{Ask, Game};
use crate::setup::{Setup, shap_params};

/// Most players whose coalitions are enumerated: 65,536 coalitions.
const MOST: usize = 16;

shap_params! {
    /// Parameters of exact SHAP.
    pub struct ExactShapParams {}
}

/// Shapley values by definition (Shapley 1953): the mean, over all orders of the players, of what the
/// outcome gains as a player joins those ahead of it, as a weighted sum over all coalitions.
///
/// Signed, in units of the outcome; the values sum to f(x) - f(removed). A row of n players costs 2ⁿ
/// forward rows (times the background rows where these are used); more than 16 players are refused.
#[derive(Clone, Debug)]
pub struct ExactShap {
    setup: Setup,
}

impl Plugin for ExactShap {
    const META: Meta = Meta {
        id: c"org.xbench.exact-shap",
        name: c"Exact Shapley values",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"L. S. Shapley, A Value for n-Person Games, 1953",
        summary: c"Shapley values of at most 16 segments or columns, from the outcomes of all their coalitions.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::WANTS_BACKGROUND),
        max_batch: 0,
    };
    type Params = ExactShapParams;

    fn create(params: ExactShapParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self {
            setup: params.setup()?,
        })
    }
}

impl Explainer for ExactShap {
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
        if let Some(many) = players
            .iter()
            .map(|p| p.count())
            .find(|&count| count > MOST)
        {
            return Err(Error::invalid_argument(format!(
                "{many} players have 2^{many} coalitions; exact values are for at most {MOST}: have \
                 fewer (larger cells), or use kernel-shap or permutation-shap"
            )));
        }
        let asks: Vec<(usize, usize)> = players
            .iter()
            .enumerate()
            .filter(|(_, players)| players.count() > 0)
            .flat_map(|(row, players)| (0..1 << players.count()).map(move |set| (row, set)))
            .collect();
        let row_len = batch.x.row_len();
        let mut worth = Vec::new();
        game.values(
            &players,
            asks.len(),
            |index, keep| {
                let (row, set) = asks[index];
                for (player, keep) in keep.iter_mut().enumerate().take(players[row].count()) {
                    *keep = set >> player & 1 == 1;
                }
                Ask {
                    row,
                    stand_in: None,
                }
            },
            |index, value| {
                let (row, set) = asks[index];
                if set == 0 {
                    worth.clear();
                }
                worth.push(value);
                if asks.get(index + 1).is_none_or(|next| next.0 != row) {
                    let values = shapley(&worth, players[row].count());
                    let out = &mut attribution[row * row_len..][..row_len];
                    self.setup.write(&players[row], &values, out);
                }
            },
        )
    }
}

/// The Shapley values of n players, from the worth of each set of players (bit p: player p is in).
fn shapley(worth: &[f64], n: usize) -> Vec<f64> {
    // s! (n - s - 1)! / n! for a set of s others: 1 / (n C(n-1, s)).
    let mut weights = vec![1.0 / n as f64; n];
    for s in 1..n {
        weights[s] = weights[s - 1] * s as f64 / (n - s) as f64;
    }
    let mut values = vec![0.0; n];
    for (set, &without) in worth.iter().enumerate() {
        let weight = weights.get(set.count_ones() as usize).copied();
        for (player, value) in values.iter_mut().enumerate() {
            if let (0, Some(weight)) = (set >> player & 1, weight) {
                *value += weight * (worth[set | 1 << player] - without);
            }
        }
    }
    values
}
