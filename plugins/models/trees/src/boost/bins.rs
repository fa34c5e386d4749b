//! Features cut into at most 256 bins: one byte per value.
//!
//! Where a feature has no more distinct values than bins, each value has a bin of its own and nothing
//! is lost; otherwise bins hold about equally many rows. Edges lie half-way between neighbouring
//! values, so that a split found on bins says the same of the values, and says it without depending
//! on a rounding error.

use xbench_nn::Threads;
use xbench_plugin::{Error, Result};

/// Most bins of a feature, the one of missing values included.
pub const MAX_BINS: usize = 256;

/// The bins of one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Cuts {
    /// Upper edge of each bin: bin `b` holds `edges[b - 1] <= x < edges[b]`. The last one is above
    /// every value; it separates values from missing ones.
    pub edges: Vec<f32>,
    /// Has any row no value (NaN)? They have the bin after the last.
    pub missing: bool,
}

impl Cuts {
    /// The bin of a value.
    #[must_use]
    pub fn bin(&self, x: f32) -> u8 {
        let last = self.edges.len() - 1;
        if x.is_nan() {
            (last + 1) as u8
        } else {
            self.edges[..last].partition_point(|&edge| edge <= x) as u8
        }
    }

    /// Cuts between ascending distinct `values`, each of which `counts` rows have.
    fn between(values: &[f32], counts: &[usize], missing: bool, max_bin: usize) -> Self {
        let bins = max_bin.min(MAX_BINS - usize::from(missing)).max(1);
        let mut edges = Vec::new();
        if values.len() <= bins {
            edges.extend(values.windows(2).map(|pair| middle(pair[0], pair[1])));
        } else {
            // A bin is closed when it has its share of the rows that were left when it began.
            let mut left: usize = counts.iter().sum();
            let (mut filled, mut share) = (0, left.div_ceil(bins));
            for (i, pair) in values.windows(2).enumerate() {
                filled += counts[i];
                let open = bins - edges.len();
                if filled >= share && open > 1 {
                    edges.push(middle(pair[0], pair[1]));
                    left -= filled;
                    filled = 0;
                    share = left.div_ceil(open - 1);
                }
            }
        }
        let top = values.last().copied().unwrap_or(0.0);
        edges.push(top + (top.abs() + 1e-5));
        Self { edges, missing }
    }
}

/// Half-way from `a` to `b > a`: above `a`, at most `b`.
fn middle(a: f32, b: f32) -> f32 {
    let middle = (f64::from(a) + (f64::from(b) - f64::from(a)) / 2.0) as f32;
    if middle > a { middle } else { b }
}

/// Binned rows, feature by feature.
#[derive(Clone, Debug)]
pub struct Bins {
    /// Of each feature.
    pub cuts: Vec<Cuts>,
    /// `[features, rows]`.
    codes: Vec<u8>,
    rows: usize,
}

impl Bins {
    /// Bins of images, `[rows, features]` bytes that stand for `pixel / 255`; the cuts come from the
    /// first `training` rows.
    #[must_use]
    pub fn of_pixels(
        threads: &Threads,
        pixels: &[u8],
        features: usize,
        training: usize,
        max_bin: usize,
    ) -> Self {
        let rows = pixels.len() / features.max(1);
        let scaled = |pixel: usize| pixel as f32 / 255.0;
        let made = Self::by_feature(threads, rows, features, |feature, codes| {
            let column = |row: usize| pixels[row * features + feature];
            let mut counts = [0usize; 256];
            for row in 0..training {
                counts[usize::from(column(row))] += 1;
            }
            let present: Vec<usize> = (0..256).filter(|&v| counts[v] > 0).collect();
            let values: Vec<f32> = present.iter().map(|&v| scaled(v)).collect();
            let counts: Vec<usize> = present.iter().map(|&v| counts[v]).collect();
            let cuts = Cuts::between(&values, &counts, false, max_bin);
            let table: Vec<u8> = (0..256).map(|v| cuts.bin(scaled(v))).collect();
            for (row, code) in codes.iter_mut().enumerate() {
                *code = table[usize::from(column(row))];
            }
            Ok(cuts)
        });
        // Pixels have no value that could be refused.
        made.unwrap_or(Self {
            cuts: Vec::new(),
            codes: Vec::new(),
            rows: 0,
        })
    }

    /// Bins of a table, `[rows, features]`, in which NaN stands for a missing value; the cuts come
    /// from the first `training` rows.
    ///
    /// # Errors
    /// When a value is infinite.
    pub fn of_features(
        threads: &Threads,
        x: &[f32],
        features: usize,
        training: usize,
        max_bin: usize,
    ) -> Result<Self> {
        let rows = x.len() / features.max(1);
        Self::by_feature(threads, rows, features, |feature, codes| {
            let column = |row: usize| x[row * features + feature];
            if let Some(row) = (0..rows).find(|&row| column(row).is_infinite()) {
                return Err(Error::invalid_argument(format!(
                    "row {row}, feature {feature}: the value is infinite"
                )));
            }
            let missing = (0..rows).any(|row| column(row).is_nan());
            let mut sorted: Vec<f32> = (0..training).map(column).filter(|x| !x.is_nan()).collect();
            sorted.sort_unstable_by(f32::total_cmp);
            let (mut values, mut counts): (Vec<f32>, Vec<usize>) = (Vec::new(), Vec::new());
            for x in sorted {
                // Compared as numbers: -0 and 0 are one value.
                match (values.last(), counts.last_mut()) {
                    (Some(&last), Some(count)) if last == x => *count += 1,
                    _ => {
                        values.push(x);
                        counts.push(1);
                    }
                }
            }
            let cuts = Cuts::between(&values, &counts, missing, max_bin);
            for (row, code) in codes.iter_mut().enumerate() {
                *code = cuts.bin(column(row));
            }
            Ok(cuts)
        })
    }

    fn by_feature(
        threads: &Threads,
        rows: usize,
        features: usize,
        fill: impl Fn(usize, &mut [u8]) -> Result<Cuts> + Sync + Send,
    ) -> Result<Self> {
        let mut codes = vec![0; rows * features];
        let jobs = codes.chunks_mut(rows.max(1)).enumerate().collect();
        let cuts = threads.map(jobs, |(feature, codes)| fill(feature, codes));
        Ok(Self {
            cuts: cuts.into_iter().collect::<Result<_>>()?,
            codes,
            rows,
        })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.cuts.len()
    }

    /// Bins of a feature, by row.
    #[must_use]
    pub fn column(&self, feature: usize) -> &[u8] {
        &self.codes[feature * self.rows..(feature + 1) * self.rows]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_bin_each() {
        let x = [3.0, 1.0, f32::NAN, 1.0, -2.0, 3.0, -0.0, 0.0];
        let bins = Bins::of_features(&Threads::one(), &x, 1, 8, 256).unwrap();
        assert_eq!(bins.column(0), [3, 2, 4, 2, 0, 3, 1, 1]);
        assert_eq!(bins.cuts[0].edges[..3], [-1.0, 0.5, 2.0]);
        assert!(bins.cuts[0].edges[3] > 3.0 && bins.cuts[0].missing);
        let infinite = Bins::of_features(&Threads::one(), &[0.0, f32::INFINITY], 1, 2, 256);
        assert!(infinite.unwrap_err().message().contains("row 1"));
    }

    #[test]
    fn many_values_share_bins_equally() {
        let x: Vec<f32> = (0..1000).map(|i| (i * 7919 % 1000) as f32).collect();
        let bins = Bins::of_features(&Threads::one(), &x, 1, 1000, 16).unwrap();
        let mut counts = [0usize; 16];
        for (row, &code) in bins.column(0).iter().enumerate() {
            counts[usize::from(code)] += 1;
            let (edges, bin) = (&bins.cuts[0].edges, usize::from(code));
            assert!(x[row] < edges[bin] && (bin == 0 || edges[bin - 1] <= x[row]));
        }
        assert!(counts.iter().all(|&n| (62..=63).contains(&n)), "{counts:?}");
    }

    /// A value that half of the rows have takes a bin alone; the others share the rest.
    #[test]
    fn a_frequent_value_does_not_starve_the_others() {
        let x: Vec<f32> = (0..1000).map(|i| (i.max(500) - 500) as f32).collect();
        let bins = Bins::of_features(&Threads::one(), &x, 1, 1000, 8).unwrap();
        assert_eq!(bins.cuts[0].edges.len(), 8);
        assert_eq!(bins.cuts[0].edges[0], 0.5);
    }

    #[test]
    fn pixels_and_their_quotients_agree() {
        let pixels: Vec<u8> = (0..600).map(|i| (i * 31 % 251) as u8).collect();
        let x: Vec<f32> = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
        for max_bin in [256, 10] {
            let a = Bins::of_pixels(&Threads::one(), &pixels, 2, 250, max_bin);
            let b = Bins::of_features(&Threads::one(), &x, 2, 250, max_bin).unwrap();
            assert_eq!(a.cuts, b.cuts);
            assert_eq!(a.codes, b.codes);
        }
    }

    #[test]
    fn neighbouring_numbers_are_kept_apart() {
        let (a, b) = (1.0f32, 1.0f32.next_up());
        assert_eq!(middle(a, b), b);
        assert_eq!(middle(f32::MIN, f32::MAX), 0.0);
    }
}
