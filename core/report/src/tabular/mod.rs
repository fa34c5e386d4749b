//! Pictures of attributions to the columns of a table: what the features do in all rows (beeswarm,
//! summary bars), what one feature does along its values (dependence), and how one row comes to its
//! output (waterfall).

mod beeswarm;
mod dependence;
mod interactions;
mod scale;
mod summary;
mod waterfall;

pub use beeswarm::beeswarm_image;
pub use dependence::{DependencePlot, dependence_image, strongest_interaction};
pub use interactions::{InteractionMatrix, interactions_image};
pub use summary::summary_bar_image;
pub use waterfall::{Contribution, Waterfall, waterfall_image};

use crate::figure::{FigureError, check_count};

/// Attributions of one output to the features of a table's rows, beside the features' values.
#[derive(Clone, Debug, PartialEq)]
pub struct TabularAttributions {
    /// Above all: model, explainer and output.
    pub title: String,
    /// What an attribution is and its unit: "Tree SHAP value (probability)".
    pub unit: String,
    /// Names of the features.
    pub features: Vec<String>,
    /// Rows.
    pub rows: usize,
    /// What the features are, `[rows, features]`; NaN where a value is missing.
    pub values: Vec<f64>,
    /// What they are given, `[rows, features]`; need not be finite.
    pub attributions: Vec<f64>,
}

impl TabularAttributions {
    fn check(&self) -> Result<(), FigureError> {
        let what = format!("the table {}", self.title);
        check_count(&what, self.values.len(), self.rows, self.features.len())?;
        check_count(
            &what,
            self.attributions.len(),
            self.rows,
            self.features.len(),
        )
    }

    fn value(&self, row: usize, feature: usize) -> f64 {
        self.values[row * self.features.len() + feature]
    }

    fn attribution(&self, row: usize, feature: usize) -> f64 {
        self.attributions[row * self.features.len() + feature]
    }

    /// A feature's values, row by row.
    fn column(&self, feature: usize) -> Vec<f64> {
        (0..self.rows).map(|row| self.value(row, feature)).collect()
    }

    /// Mean magnitude of each feature's attributions over the rows where they are finite; 0 where none
    /// is.
    fn magnitudes(&self) -> Vec<f64> {
        (0..self.features.len())
            .map(|feature| {
                let finite = (0..self.rows)
                    .map(|row| self.attribution(row, feature).abs())
                    .filter(|magnitude| magnitude.is_finite());
                let (sum, count) = finite.fold((0.0, 0_u32), |(sum, n), m| (sum + m, n + 1));
                sum / f64::from(count.max(1))
            })
            .collect()
    }

    /// Attributions that are not finite.
    fn not_finite(&self) -> usize {
        let bad = self.attributions.iter().filter(|value| !value.is_finite());
        bad.count()
    }
}

/// Numbers of features, the greatest magnitude first, the first of equals first.
fn by_magnitude(magnitudes: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..magnitudes.len()).collect();
    order.sort_by(|&a, &b| magnitudes[b].abs().total_cmp(&magnitudes[a].abs()));
    order
}

/// How many of `all` features get a line of their own where there are to be `most` lines, at least
/// one, the last of which may stand for the rest.
fn own_lines(all: usize, most: usize) -> usize {
    let most = most.max(1);
    if all <= most { all } else { most - 1 }
}

/// "1 other feature", "12 other features", or "all 5 features" where none has a line of its own.
fn rest_name(rest: usize, all: usize) -> String {
    if rest == all {
        format!("all {all} features")
    } else if rest == 1 {
        "1 other feature".to_owned()
    } else {
        format!("{rest} other features")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Three features over 40 rows: one strong, one that turns its sign with the first, one unused.
    pub(crate) fn table() -> TabularAttributions {
        let (mut values, mut attributions) = (Vec::new(), Vec::new());
        for row in 0..40 {
            let (a, b) = (f64::from(row) / 40.0, f64::from(row * 7 % 5));
            values.extend([a, b, 3.0]);
            attributions.extend([4.0 * a - 2.0, (a - 0.5) * (b - 2.0), 0.0]);
        }
        TabularAttributions {
            title: "forest, Tree SHAP".to_owned(),
            unit: "SHAP value".to_owned(),
            features: ["a", "b", "c"].map(str::to_owned).to_vec(),
            rows: 40,
            values,
            attributions,
        }
    }

    #[test]
    fn features_are_ranked_by_mean_magnitude() {
        let mut table = table();
        let magnitudes = table.magnitudes();
        assert!((magnitudes[0] - 1.0).abs() < 1e-9 && magnitudes[2] == 0.0);
        assert_eq!(by_magnitude(&magnitudes), [0, 1, 2]);
        assert_eq!(by_magnitude(&[1.0, -2.0, 1.0]), [1, 0, 2]);
        table.attributions[0] = f64::NAN;
        assert_eq!(table.not_finite(), 1);
        assert!(table.magnitudes()[0] < 1.0);
    }

    #[test]
    fn what_has_no_line_of_its_own_is_counted() {
        assert_eq!(
            (own_lines(5, 5), own_lines(5, 4), own_lines(5, 0)),
            (5, 3, 0)
        );
        assert_eq!(rest_name(1, 5), "1 other feature");
        assert_eq!(rest_name(2, 5), "2 other features");
        assert_eq!(rest_name(5, 5), "all 5 features");
    }

    #[test]
    fn tables_of_other_sizes_are_refused() {
        let short = TabularAttributions {
            rows: 41,
            ..table()
        };
        assert!(matches!(short.check(), Err(FigureError::ValueCount { .. })));
        let none = TabularAttributions {
            rows: 0,
            values: vec![],
            attributions: vec![],
            ..table()
        };
        assert!(matches!(none.check(), Err(FigureError::Empty { .. })));
    }
}
