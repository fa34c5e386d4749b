//! The interaction values of a table's features, summed up over rows.

use crate::csv_text::CsvText;
use crate::error::RunError;
use crate::models::files;

/// Two features (or one, with itself: its main effect) over all rows.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct InteractionPair {
    /// A feature.
    pub feature: String,
    /// Another that stands after it in the table, or the same.
    pub with: String,
    /// Mean magnitude over the rows, in the unit of what is explained. Of two features the half that
    /// stands on either side of the diagonal.
    pub mean_abs: f64,
    /// Mean with its sign.
    pub mean: f64,
}

/// Every pair of features, the greatest mean magnitude first, of interaction values `[rows, features,
/// features]`.
#[must_use]
pub fn interaction_pairs(features: &[String], values: &[f32]) -> Vec<InteractionPair> {
    let d = features.len();
    let matrices = values.chunks_exact((d * d).max(1));
    let rows = matrices.len().max(1) as f64;
    let (mut sums, mut magnitudes) = (vec![0.0; d * d], vec![0.0; d * d]);
    for matrix in matrices {
        for ((sum, magnitude), &value) in sums.iter_mut().zip(&mut magnitudes).zip(matrix) {
            *sum += f64::from(value);
            *magnitude += f64::from(value).abs();
        }
    }
    let pairs = (0..d).flat_map(|i| (i..d).map(move |j| (i, j)));
    let mut pairs: Vec<InteractionPair> = pairs
        .map(|(i, j)| InteractionPair {
            feature: features[i].clone(),
            with: features[j].clone(),
            mean_abs: magnitudes[i * d + j] / rows,
            mean: sums[i * d + j] / rows,
        })
        .collect();
    pairs.sort_by(|a, b| b.mean_abs.total_cmp(&a.mean_abs));
    pairs
}

/// The pairs as CSV: `feature,with,mean_abs,mean`.
pub(crate) fn pairs_csv(pairs: &[InteractionPair]) -> Result<String, RunError> {
    let mut text = CsvText::new("feature,with,mean_abs,mean").map_err(files)?;
    for pair in pairs {
        let numbers = [pair.mean_abs, pair.mean].map(|value| (value as f32).to_string());
        text.push([&pair.feature, &pair.with, &numbers[0], &numbers[1]])
            .map_err(files)?;
    }
    text.finish().map_err(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_means_over_rows() {
        let features = ["a".to_owned(), "b, c".to_owned()];
        let values = [1.0, -0.5, -0.5, 0.25, 2.0, 1.5, 1.5, -0.25];
        let pairs = interaction_pairs(&features, &values);
        let of = |pair: &InteractionPair| (pair.mean_abs, pair.mean);
        assert_eq!(of(&pairs[0]), (1.5, 1.5));
        assert_eq!(of(&pairs[1]), (1.0, 0.5));
        assert_eq!((&*pairs[1].feature, &*pairs[1].with), ("a", "b, c"));
        assert_eq!(of(&pairs[2]), (0.25, 0.0));
        let csv = pairs_csv(&pairs).unwrap();
        assert!(csv.starts_with("feature,with,mean_abs,mean\na,a,1.5,1.5\na,\"b, c\",1,0.5\n"));
        assert!(interaction_pairs(&[], &[]).is_empty());
    }
}
