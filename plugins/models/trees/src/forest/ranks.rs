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

    /// The threshold between the values of two ranks: half-way, rounded down where that is no `f32`.
    /// So a value of the table is at most the threshold exactly where it is at most the half-way
    /// point, which scikit-learn keeps in double precision. Rounded to nearest it would not be: 0.002
    /// lies above the point half-way between 0.001 and 0.003 as `f32` has them, and is nearest to it.
    pub(super) fn threshold(&self, feature: usize, low: u32, high: u32) -> f32 {
        let values = &self.values[feature];
        let (low, high) = (
            f64::from(values[low as usize]),
            f64::from(values[high as usize]),
        );
        let middle = low / 2.0 + high / 2.0;
        let nearest = middle as f32;
        if f64::from(nearest) <= middle {
            nearest
        } else {
            nearest.next_down()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each pair of neighbouring values in steps of 0.001 and 0.1, whether the value that ought to
    /// lie half-way goes left, against double precision.
    #[test]
    fn thresholds_split_as_double_precision_does() {
        let (mut pairs, mut nearest_differs) = (0, 0);
        for step in [0.001_f64, 0.1] {
            for low in 0..20_u8 {
                for high in (low + 2..20).step_by(2) {
                    let value = |steps: f64| (steps * step) as f32;
                    let column = [value(f64::from(low)), value(f64::from(high))];
                    let middle = value(f64::from(low + high) / 2.0);
                    let x = |row: usize, _: usize| column[row];
                    let ranks = Ranks::new(&Threads::one(), &x, 2, 1).unwrap();
                    let exact = (f64::from(column[0]) + f64::from(column[1])) / 2.0;
                    let left = f64::from(middle) <= exact;
                    assert_eq!(middle <= ranks.threshold(0, 0, 1), left, "{column:?}");
                    pairs += 1;
                    nearest_differs += usize::from((middle <= exact as f32) != left);
                }
            }
        }
        // The case is no curiosity in a table with rounded cells.
        assert_eq!((pairs, nearest_differs), (180, 56));
    }
}
