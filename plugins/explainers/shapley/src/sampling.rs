//! Shapley values by draws for each player on its own.

use std::ffi::CStr;

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result};

use crate::game::{Ask, Game};
use crate::setup::{Setup, shap_params};

shap_params! {
    /// Parameters of sampling SHAP.
    pub struct SamplingShapParams {
        /// Draws per player, each of two evaluations.
        samples: u32 = 20, 2..=1_000_000;
    }
}

/// Shapley values by sampling (Štrumbelj and Kononenko 2014, algorithm 1).
///
/// For each player and draw, a random order of the players and a random background row (the baseline
/// where there is no background): the gain of the outcome as the player joins those ahead of it, all
/// others being as in that row. A player's value is the mean gain. These means do not sum to
/// f(x) - f(removed); as in the shap package, the difference is shared among the players in proportion
/// to the variances of their means, which is the least squares correction.
///
/// Signed, in units of the outcome. A row of n players costs 2 n `samples` + 2 forward rows (one of the
/// two being as many as there are background rows).
#[derive(Clone, Debug)]
pub struct SamplingShap {
    setup: Setup,
    samples: usize,
}

impl Plugin for SamplingShap {
    const META: Meta = Meta {
        id: c"org.xbench.sampling-shap",
        name: c"Sampling SHAP",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"E. Štrumbelj, I. Kononenko, Explaining prediction models and individual predictions with feature contributions, 2014",
        summary: c"Shapley values of segments or columns, by random orders and background rows drawn for each player on its own.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC)
            .union(Flags::WANTS_BACKGROUND),
        max_batch: 0,
    };
    type Params = SamplingShapParams;

    fn create(params: SamplingShapParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self {
            setup: params.setup()?,
            samples: params.samples as usize,
        })
    }
}

impl Explainer for SamplingShap {
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
        // Per row the empty coalition, the full one, and per player and draw the outcome without
        // and with the player.
        let asks: Vec<(usize, usize)> = players
            .iter()
            .enumerate()
            .filter(|(_, players)| players.count() > 0)
            .flat_map(|(row, players)| {
                let draws = 2 * self.samples * players.count();
                (0..2 + draws).map(move |coalition| (row, coalition))
            })
            .collect();
        let row_len = batch.x.row_len();
        let mut worth = Vec::new();
        game.values(
            &players,
            asks.len(),
            |index, keep| {
                let (row, coalition) = asks[index];
                let n = players[row].count();
                let mut stand_in = None;
                if coalition == 1 {
                    keep[..n].fill(true);
                } else if coalition > 1 {
                    let draw = (coalition - 2) / 2;
                    let player = draw / self.samples;
                    let rng = CounterRng::new(batch.seed[row]).stream(draw as u64);
                    let mut ahead = rng.permutation(n).into_iter();
                    for other in ahead.by_ref().take_while(|&other| other != player) {
                        keep[other] = true;
                    }
                    keep[player] = coalition % 2 == 1;
                    let rows = game.stand_ins() as u64;
                    stand_in = Some(rng.stream(0).below(0, rows) as usize);
                }
                Ask { row, stand_in }
            },
            |index, value| {
                let (row, coalition) = asks[index];
                if coalition == 0 {
                    worth.clear();
                }
                worth.push(value);
                if asks.get(index + 1).is_none_or(|next| next.0 != row) {
                    let values = complete(&worth[2..], self.samples, worth[1] - worth[0]);
                    let out = &mut attribution[row * row_len..][..row_len];
                    self.setup.write(&players[row], &values, out);
                }
            },
        )
    }
}

/// The mean of each player's gains, corrected to sum to `total`.
fn complete(worth: &[f64], samples: usize, total: f64) -> Vec<f64> {
    let (mut means, mut variances) = (Vec::new(), Vec::new());
    for pairs in worth.chunks_exact(2 * samples) {
        let gains = pairs.chunks_exact(2).map(|pair| pair[1] - pair[0]);
        let mean = gains.clone().sum::<f64>() / samples as f64;
        let squares: f64 = gains.map(|gain| (gain - mean) * (gain - mean)).sum();
        means.push(mean);
        variances.push(squares);
    }
    let error = total - means.iter().sum::<f64>();
    let sum: f64 = variances.iter().sum();
    let even = 1.0 / means.len() as f64;
    for (mean, variance) in means.iter_mut().zip(&variances) {
        // Without any variance the means are right, but for rounding.
        *mean += error * if sum > 0.0 { variance / sum } else { even };
    }
    means
}
