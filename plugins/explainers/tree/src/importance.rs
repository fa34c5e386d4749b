//! Importances that trees carry themselves.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result, TreeEnsemble,
    capability,
};

xbench_plugin::params! {
    /// Parameters of tree importance.
    pub struct TreeImportanceParams {
        /// Per feature: mean or summed loss reduction of its splits, mean or summed training weight that reached them, or their number.
        kind: String = "gain", ["gain", "total_gain", "cover", "total_cover", "splits"];
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gain,
    TotalGain,
    Cover,
    TotalCover,
    Splits,
}

/// How much an ensemble's splits owe to each feature (Breiman et al. 1984, section 5.3.4, summed over
/// trees as by Friedman 2001, section 8.1; XGBoost's `get_score`).
///
/// A global importance: every row gets the same values, whatever it holds and whichever output is
/// explained, from all trees. Not negative. In units of the training loss (`gain`, `total_gain`), of
/// training weight (`cover`, `total_cover`; for boosting sums of Hessians), or a count (`splits`); 0
/// for a feature that no tree splits on. `gain` and `cover` are means over the feature's splits, as
/// XGBoost defines them: a feature with one large split stands above one with many good ones.
#[derive(Clone, Copy, Debug)]
pub struct TreeImportance(Kind);

impl Plugin for TreeImportance {
    const META: Meta = Meta {
        id: c"org.xbench.tree-importance",
        name: c"Tree importance",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"Breiman, Friedman, Olshen, Stone: Classification and Regression Trees, 1984",
        summary: c"Loss reduction, training weight or number of each feature's splits; the same for every row.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = TreeImportanceParams;

    fn create(params: TreeImportanceParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self(match params.kind.as_str() {
            "total_gain" => Kind::TotalGain,
            "cover" => Kind::Cover,
            "total_cover" => Kind::TotalCover,
            "splits" => Kind::Splits,
            _ => Kind::Gain,
        }))
    }
}

impl Explainer for TreeImportance {
    const NEEDS: &'static [&'static CStr] = &[capability::TREES];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let ensemble = model.trees(ctx)?;
        if batch.x.row_len() != ensemble.num_features {
            return Err(Error::invalid_argument(format!(
                "rows of {} values, but the model's trees have {} features",
                batch.x.row_len(),
                ensemble.num_features
            )));
        }
        let importance = importance(&ensemble, self.0);
        for row in attribution.chunks_exact_mut(importance.len().max(1)) {
            row.copy_from_slice(&importance);
        }
        Ok(())
    }
}

/// Per feature.
fn importance(ensemble: &TreeEnsemble, kind: Kind) -> Vec<f32> {
    let mut splits = vec![0_u64; ensemble.num_features];
    let mut sum = vec![0.0_f64; ensemble.num_features];
    for (node, &feature) in ensemble.feature.iter().enumerate() {
        let Ok(feature) = usize::try_from(feature) else {
            continue;
        };
        splits[feature] += 1;
        sum[feature] += match kind {
            Kind::Gain | Kind::TotalGain => f64::from(ensemble.gain[node]),
            Kind::Cover | Kind::TotalCover => f64::from(ensemble.cover[node]),
            Kind::Splits => 1.0,
        };
    }
    let mean = matches!(kind, Kind::Gain | Kind::Cover);
    sum.iter()
        .zip(&splits)
        .map(|(&sum, &splits)| {
            let by = if mean { splits.max(1) } else { 1 };
            (sum / by as f64) as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feature 0 at the root, feature 1 below it and once more at the root of a second tree.
    #[test]
    fn sums_and_means_by_hand() {
        let ensemble = TreeEnsemble {
            num_features: 3,
            num_outputs: 2,
            base: vec![0.0; 2],
            roots: vec![0, 5],
            tree_output: vec![0, 1],
            feature: vec![0, 1, -1, -1, -1, 1, -1, -1],
            threshold: vec![0.0; 8],
            strict: true,
            left: vec![1, 2, 0, 0, 0, 6, 0, 0],
            right: vec![4, 3, 0, 0, 0, 7, 0, 0],
            default_left: vec![0; 8],
            cover: vec![10.0, 6.0, 2.0, 4.0, 4.0, 10.0, 5.0, 5.0],
            gain: vec![8.0, 2.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0],
            value: vec![0.0; 8],
        };
        ensemble.check().unwrap();
        let of = |kind| importance(&ensemble, kind);
        assert_eq!(of(Kind::Splits), [1.0, 2.0, 0.0]);
        assert_eq!(of(Kind::TotalGain), [8.0, 7.0, 0.0]);
        assert_eq!(of(Kind::Gain), [8.0, 3.5, 0.0]);
        assert_eq!(of(Kind::TotalCover), [10.0, 16.0, 0.0]);
        assert_eq!(of(Kind::Cover), [10.0, 8.0, 0.0]);
        assert_eq!(importance(&TreeEnsemble::default(), Kind::Gain), [0.0; 0]);
    }
}
