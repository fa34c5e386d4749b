//! How much each feature matters to an ensemble, as XGBoost's `get_score` defines it.

use xbench_plugin::TreeEnsemble;

/// Kinds of importance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Number of splits on the feature.
    Weight,
    /// Mean loss reduction of its splits.
    Gain,
    /// Mean training weight that reached its splits: for boosting the sum of Hessians.
    Cover,
    /// Summed loss reduction of its splits.
    TotalGain,
    /// Summed training weight that reached its splits.
    TotalCover,
}

impl Importance {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Weight,
        Self::Gain,
        Self::Cover,
        Self::TotalGain,
        Self::TotalCover,
    ];

    /// XGBoost's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Gain => "gain",
            Self::Cover => "cover",
            Self::TotalGain => "total_gain",
            Self::TotalCover => "total_cover",
        }
    }
}

/// Importance of every feature, `[features]`; 0 where no tree splits on it. The ensemble must be well
/// formed ([`TreeEnsemble::check`]).
#[must_use]
pub fn importance(ensemble: &TreeEnsemble, kind: Importance) -> Vec<f64> {
    let mut splits = vec![0.0; ensemble.num_features];
    let mut sum = vec![0.0; ensemble.num_features];
    for (node, &feature) in ensemble.feature.iter().enumerate() {
        let Ok(feature) = usize::try_from(feature) else {
            continue;
        };
        splits[feature] += 1.0;
        sum[feature] += f64::from(match kind {
            Importance::Weight => 1.0,
            Importance::Gain | Importance::TotalGain => ensemble.gain[node],
            Importance::Cover | Importance::TotalCover => ensemble.cover[node],
        });
    }
    if matches!(kind, Importance::Gain | Importance::Cover) {
        for (sum, splits) in sum.iter_mut().zip(&splits) {
            *sum /= f64::max(*splits, 1.0);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{self, Tree};

    #[test]
    fn sums_and_means_by_hand() {
        let mut tree = Tree::default();
        tree.push_leaf(1);
        let left = tree.split(0, 1, 0.0, false, 1);
        tree.split(left, 1, 0.0, false, 1);
        tree.split(left + 1, 2, 0.0, false, 1);
        tree.gain[..3].copy_from_slice(&[8.0, 2.0, 5.0]);
        tree.cover[..3].copy_from_slice(&[10.0, 4.0, 6.0]);
        let mut ensemble = tree::empty(3, vec![0.0], true);
        tree::push(&mut ensemble, &tree, Some(0)).unwrap();
        let of = |kind| importance(&ensemble, kind);
        assert_eq!(of(Importance::Weight), [0.0, 2.0, 1.0]);
        assert_eq!(of(Importance::TotalGain), [0.0, 10.0, 5.0]);
        assert_eq!(of(Importance::Gain), [0.0, 5.0, 5.0]);
        assert_eq!(of(Importance::TotalCover), [0.0, 14.0, 6.0]);
        assert_eq!(of(Importance::Cover), [0.0, 7.0, 6.0]);
    }
}
