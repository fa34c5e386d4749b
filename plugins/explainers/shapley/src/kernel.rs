//! Kernel SHAP: Shapley values as the solution of a weighted regression.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::sync::{Arc, Mutex, PoisonError};

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result};

use crate::design::Design;
use crate::game::{Ask, Game};
use crate::setup::{Setup, shap_params};

shap_params! {
    /// Parameters of Kernel SHAP.
    pub struct KernelShapParams {
        /// Coalitions asked about, besides the empty and the full one; 0 for 2048 and two per
        /// player, as the shap package has it. At least two per player, unless that is all there
        /// are.
        samples: u32 = 0, 0..=1_000_000;
        /// Draw the coalitions once for all rows with the same number of players, from
        /// `coalition_seed`; else anew for each row, from the row's seed.
        shared: bool = true;
        /// Seed of the coalitions that rows share.
        coalition_seed: u64 = 0;
    }
}

/// Kernel SHAP (Lundberg and Lee 2017, theorem 2), with paired sampling and the constraint solved
/// exactly (Covert and Lee 2021).
///
/// Signed, in units of the outcome; the values sum to f(x) - f(removed). With as many samples as there
/// are coalitions (2ⁿ - 2) they are the Shapley values. The smallest and the largest
/// coalitions are enumerated and the rest drawn, as the shap package does. A row costs `samples` + 2 forward rows (times the
/// background rows where these are used), fewer where fewer coalitions exist, 2 with one player and
/// none without.
#[derive(Debug)]
pub struct KernelShap {
    setup: Setup,
    samples: usize,
    shared: bool,
    seed: u64,
    /// By the number of players.
    designs: Mutex<BTreeMap<usize, Arc<Design>>>,
}

impl Plugin for KernelShap {
    const META: Meta = Meta {
        id: c"org.xbench.kernel-shap",
        name: c"Kernel SHAP",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"S. M. Lundberg, S.-I. Lee, A Unified Approach to Interpreting Model Predictions, 2017",
        summary: c"Shapley values of segments or columns, by a regression on the outcomes of coalitions weighted with the Shapley kernel.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC)
            .union(Flags::WANTS_BACKGROUND),
        max_batch: 0,
    };
    type Params = KernelShapParams;

    fn create(params: KernelShapParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self {
            setup: params.setup()?,
            samples: params.samples as usize,
            shared: params.shared,
            seed: params.coalition_seed,
            designs: Mutex::default(),
        })
    }
}

impl KernelShap {
    /// The coalitions for a row of so many players; none for fewer than two.
    fn design(&self, players: usize, seed: u64) -> Result<Option<Arc<Design>>> {
        if players < 2 {
            return Ok(None);
        }
        let samples = match self.samples {
            0 => 2048 + 2 * players,
            samples => samples,
        };
        if !self.shared {
            let design = Design::new(players, samples, CounterRng::new(seed))?;
            return Ok(Some(Arc::new(design)));
        }
        let mut designs = self.designs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(design) = designs.get(&players) {
            return Ok(Some(Arc::clone(design)));
        }
        let rng = CounterRng::new(self.seed).stream(players as u64);
        let design = Arc::new(Design::new(players, samples, rng)?);
        designs.insert(players, Arc::clone(&design));
        Ok(Some(design))
    }
}

impl Explainer for KernelShap {
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
        let designs = players
            .iter()
            .zip(batch.seed)
            .map(|(players, &seed)| self.design(players.count(), seed))
            .collect::<Result<Vec<_>>>()?;
        // Per row the empty coalition, the full one, and the design's.
        let asks: Vec<(usize, usize)> = players
            .iter()
            .zip(&designs)
            .enumerate()
            .filter(|(_, (players, _))| players.count() > 0)
            .flat_map(|(row, (_, design))| {
                let more = design.as_ref().map_or(0, |design| design.count());
                (0..2 + more).map(move |coalition| (row, coalition))
            })
            .collect();
        let row_len = batch.x.row_len();
        let mut worth = Vec::new();
        game.values(
            &players,
            asks.len(),
            |index, keep| {
                let (row, coalition) = asks[index];
                match (coalition, &designs[row]) {
                    (1, _) => keep[..players[row].count()].fill(true),
                    (2.., Some(design)) => design.keep(coalition - 2, keep),
                    _ => {}
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
                    let empty = worth[0];
                    worth.iter_mut().for_each(|value| *value -= empty);
                    let values = match &designs[row] {
                        Some(design) => design.solve(&worth[2..], worth[1]),
                        None => vec![worth[1]],
                    };
                    let out = &mut attribution[row * row_len..][..row_len];
                    self.setup.write(&players[row], &values, out);
                }
            },
        )
    }
}
