//! Permutation importance without labels.

use std::ffi::CStr;

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result, TensorRef,
};

/// Rows asked of the model at once.
const ROWS_PER_CALL: usize = 256;

xbench_plugin::params! {
    /// Parameters of permutation importance.
    pub struct PermutationImportanceParams {
        /// Shuffles of each feature.
        repeats: u32 = 5, 1..=1000;
        /// Seed of the shuffles, which are the same for every row.
        seed: u64 = 0;
    }
}

/// By how much, on average over background rows of the training split, the explained output moves
/// when a feature's values are shuffled among them: the mean of |f(shuffled) - f|.
///
/// Breiman (2001, section 10) shuffles one feature and measures the loss in accuracy; Fisher et al.
/// (2019) call it model reliance. Both need labels, which background rows lack, so that here the
/// output itself takes the loss's place: how much the model leans on the feature, right or wrong.
///
/// A global importance: rows that explain the same output get the same values, whatever they hold.
/// Not negative, in units of the output; 0 for a feature that the output ignores or that is constant
/// in the background. A feature that others can stand in for still counts, and shuffling may make
/// rows that data never hold: take it with care where features are correlated.
///
/// Predicts the background (1 + `repeats` x features) times per call, however many rows it explains.
#[derive(Clone, Copy, Debug)]
pub struct PermutationImportance {
    repeats: u32,
    seed: u64,
}

impl Plugin for PermutationImportance {
    const META: Meta = Meta {
        id: c"org.xbench.permutation-importance",
        name: c"Permutation importance",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"Breiman: Random Forests, 2001; Fisher, Rudin, Dominici: All Models are Wrong, \
but Many are Useful, 2019",
        summary: c"Mean change of the output when a feature is shuffled among background rows; the same for every row.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::WANTS_BACKGROUND),
        max_batch: 0,
    };
    type Params = PermutationImportanceParams;

    fn create(params: PermutationImportanceParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self {
            repeats: params.repeats,
            seed: params.seed,
        })
    }
}

impl Explainer for PermutationImportance {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let background = batch.background.ok_or_else(|| {
            Error::invalid_argument(
                "permutation importance needs background rows: say how many in the suite \
                 (`background: 100`)",
            )
        })?;
        if background.rows() < 2 {
            return Err(Error::invalid_argument(
                "permutation importance needs at least 2 background rows to shuffle; raise \
                 `background` in the suite",
            ));
        }
        let outputs = model.spec().outputs;
        let features = background.row_len();
        let importance = self.importance(ctx, model, background, outputs)?;
        for (row, &target) in attribution
            .chunks_exact_mut(features.max(1))
            .zip(batch.target)
        {
            let target = usize::try_from(target)
                .ok()
                .filter(|&target| target < outputs)
                .ok_or_else(|| {
                    Error::invalid_argument(format!("the target {target} of {outputs} outputs"))
                })?;
            for (feature, out) in row.iter_mut().enumerate() {
                *out = importance[feature * outputs + target] as f32;
            }
        }
        Ok(())
    }
}

impl PermutationImportance {
    /// `[features, outputs]`.
    fn importance(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        background: TensorRef<'_>,
        outputs: usize,
    ) -> Result<Vec<f64>> {
        let (rows, features) = (background.rows(), background.row_len());
        let shape = background.shape();
        let mut x = background.data().to_vec();
        let predict = |x: &[f32], y: &mut [f32]| -> Result<()> {
            for (x, y) in x
                .chunks(ROWS_PER_CALL * features)
                .zip(y.chunks_mut(ROWS_PER_CALL * outputs))
            {
                let mut shape = shape.to_vec();
                shape[0] = x.len() / features;
                model.predict(ctx, TensorRef::new(&shape, x)?, y)?;
            }
            Ok(())
        };
        let mut importance = vec![0.0_f64; features * outputs];
        if features == 0 || outputs == 0 {
            return Ok(importance);
        }
        let mut plain = vec![0.0_f32; rows * outputs];
        predict(&x, &mut plain)?;
        let mut shuffled = plain.clone();
        let scale = 1.0 / (f64::from(self.repeats) * rows as f64);
        for feature in 0..features {
            ctx.checkpoint(feature as f64 / features as f64)?;
            let value = |row: usize| background.data()[row * features + feature];
            let same = |row: usize| value(row).to_bits() == value(0).to_bits();
            // What is constant stays as it is.
            if (1..rows).all(same) {
                continue;
            }
            let rng = CounterRng::new(self.seed).stream(feature as u64);
            for repeat in 0..self.repeats {
                let order = rng.stream(u64::from(repeat)).permutation(rows);
                for (row, from) in order.into_iter().enumerate() {
                    x[row * features + feature] = value(from);
                }
                predict(&x, &mut shuffled)?;
                let sums = &mut importance[feature * outputs..(feature + 1) * outputs];
                for (now, before) in shuffled.chunks(outputs).zip(plain.chunks(outputs)) {
                    for ((sum, now), before) in sums.iter_mut().zip(now).zip(before) {
                        *sum += scale * f64::from((now - before).abs());
                    }
                }
            }
            for row in 0..rows {
                x[row * features + feature] = value(row);
            }
        }
        Ok(importance)
    }
}
