//! Features as ranks: the number of a value among the feature's distinct ones.

use xbench_nn::Threads;
use xbench_plugin::{Error, Result};

/// Ranked features.
#[derive(Clone, Debug)]
pub(super) struct Ranks {
    /// Distinct values of each feature, ascending.
    pub values: Vec<Vec<f32>>,
    /// `[features, rows]`.
    ranks: Vec<u32>,
    rows: usize,
}

impl Ranks {
    /// Ranks of the first `rows` rows of `x`, `[rows, features]`.
    ///
    /// # Errors
    /// When a value is not finite.
    pub(super) fn new(
        threads: &Threads,
        x: &(impl Fn(usize, usize) -> f32 + Sync + Send),
        rows: usize,
        features: usize,
    ) -> Result<Self> {
        let mut ranks = vec![0; rows * features];
        let jobs: Vec<_> = ranks.chunks_mut(rows.max(1)).enumerate().collect();
        let values = threads.map(jobs, |(feature, ranks)| {
            let column: Vec<f32> = (0..rows).map(|row| x(row, feature)).collect();
            if let Some(row) = column.iter().position(|x| !x.is_finite()) {
                return Err(Error::invalid_argument(format!(
                    "row {row}, feature {feature}: {} is not a finite number, which a random \
                     forest needs; replace or leave out missing values",
                    column[row]
                )));
            }
            let mut values = column.clone();
            values.sort_unstable_by(f32::total_cmp);
            // Compared as numbers: -0 and 0 are one value.
            values.dedup_by(|a, b| a == b);
            for (rank, x) in ranks.iter_mut().zip(column) {
                *rank = values.partition_point(|&value| value < x) as u32;
            }
            Ok(values)
        });
        Ok(Self {
            values: values.into_iter().collect::<Result<_>>()?,
            ranks,
            rows,
        })
    }

    pub(super) fn column(&self, feature: usize) -> &[u32] {
        &self.ranks[feature * self.rows..(feature + 1) * self.rows]
    }

    /// The threshold between the values of two ranks: half-way, at least the lower value and below
    /// the upper one.
    pub(super) fn threshold(&self, feature: usize, low: u32, high: u32) -> f32 {
        let values = &self.values[feature];
        let (low, high) = (values[low as usize], values[high as usize]);
        let middle = (f64::from(low) / 2.0 + f64::from(high) / 2.0) as f32;
        if middle < high { middle } else { low }
    }
}
