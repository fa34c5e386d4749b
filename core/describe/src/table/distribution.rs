//! How a column is distributed in each class: histograms on common bins.

use serde::Serialize;

/// Bins of a histogram; a column with fewer different values than this may leave some empty.
const BINS: usize = 24;

/// Histograms of one column, one per class, on the same bins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distribution {
    /// Bounds of the bins, ascending, one more than there are bins. The last bin holds its upper
    /// bound.
    pub edges: Vec<f64>,
    /// Values of each class in each bin, `[class][bin]`.
    pub counts: Vec<Vec<usize>>,
}

/// Of sorted finite values; `None` without any. A constant column has one bin of no width.
pub(super) fn distribution(sorted: &[f64], by_class: &[&[f64]]) -> Option<Distribution> {
    let (&low, &high) = (sorted.first()?, sorted.last()?);
    let bins = if low == high { 1 } else { BINS };
    let step = (high - low) / bins as f64;
    let edges: Vec<f64> = (0..=bins)
        .map(|i| {
            if i == bins {
                high
            } else {
                low + step * i as f64
            }
        })
        .collect();
    let bin = |v: f64| {
        let share = if low == high {
            0.0
        } else {
            (v - low) / (high - low)
        };
        ((share * bins as f64) as usize).min(bins - 1)
    };
    let count = |values: &&[f64]| {
        let mut counts = vec![0; bins];
        values.iter().for_each(|&v| counts[bin(v)] += 1);
        counts
    };
    Some(Distribution {
        edges,
        counts: by_class.iter().map(count).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_one_bin() {
        let all = [0.0, 1.0, 12.0, 24.0];
        let found = distribution(&all, &[&[0.0, 24.0], &[1.0, 12.0]]).unwrap();
        assert_eq!(found.edges.len(), 25);
        assert_eq!((found.edges[0], found.edges[24]), (0.0, 24.0));
        assert_eq!((found.counts[0][0], found.counts[0][23]), (1, 1));
        assert_eq!((found.counts[1][1], found.counts[1][12]), (1, 1));
        let constant = distribution(&[3.0, 3.0], &[&[3.0, 3.0], &[]]).unwrap();
        assert_eq!(constant.edges, [3.0, 3.0]);
        assert_eq!(constant.counts, [[2], [0]]);
        assert_eq!(distribution(&[], &[]), None);
    }
}
