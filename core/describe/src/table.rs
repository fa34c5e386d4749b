//! Columns of a table: moments, class means, distributions per class, correlations.

mod correlation;
mod distribution;

use rayon::prelude::*;
use serde::Serialize;
use xbench_data::Values;
use xbench_stats::{Anova, one_way_anova, quantile};

use crate::{Named, PHOTOS};
pub use correlation::{pearson, spearman};
pub use distribution::Distribution;
use distribution::distribution;

/// Correlations are taken of the first so many columns: their number grows with the square.
pub const MOST_CORRELATED: usize = 500;

/// What the columns of a table are like, over all its splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableDescription {
    /// Each column, in order.
    pub columns: Vec<Column>,
    /// Pearson's correlation of each pair of columns, a symmetric matrix; `None` where it is not
    /// defined (a constant column, fewer than two rows).
    pub pearson: Vec<Vec<Option<f64>>>,
    /// Spearman's rank correlation, likewise.
    pub spearman: Vec<Vec<Option<f64>>>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Cells with a finite number; the rest is of these.
    pub count: usize,
    /// Cells without one.
    pub missing: usize,
    /// Different values.
    pub unique: usize,
    /// Mean.
    pub mean: Option<f64>,
    /// Standard deviation, divided by `count` − 1.
    pub sd: Option<f64>,
    /// Least value.
    pub min: Option<f64>,
    /// First quartile (type 7 of Hyndman and Fan, as in NumPy and R).
    pub q1: Option<f64>,
    /// Median.
    pub median: Option<f64>,
    /// Third quartile.
    pub q3: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Mean in each class; `None` for a class without a value.
    pub class_means: Vec<Option<f64>>,
    /// One-way analysis of variance over the classes: does the column's mean tell them apart?
    pub classes_differ: Option<Anova>,
    /// Distribution in each class; `None` without values.
    pub distribution: Option<Distribution>,
}

/// `None` for images and without rows; a table without columns gives an empty description and a
/// note.
pub(crate) fn describe_table(
    splits: &[Named],
    names: &[String],
    classes: usize,
    notes: &mut Vec<String>,
) -> Option<TableDescription> {
    let own: Vec<Named> = splits
        .iter()
        .copied()
        .filter(|(name, _)| *name != PHOTOS)
        .collect();
    let width = own.first().filter(|(_, split)| split.is_table())?.1;
    let width = width.row_len();
    if width == 0 {
        notes.push("the table has no numeric column: nothing to summarise".to_owned());
    }
    let labels: Vec<usize> = own
        .iter()
        .flat_map(|(_, split)| (0..split.len()).map(|row| split.label(row)))
        .collect();
    let cells = |column: usize| -> Vec<f64> {
        let of_split = |(_, split): &Named| match &split.values {
            Values::Features(all) => {
                let cells = all.iter().skip(column).step_by(width);
                cells.map(|&v| f64::from(v)).collect()
            }
            Values::Pixels(_) => Vec::new(),
        };
        own.iter().flat_map(of_split).collect()
    };
    let data: Vec<Vec<f64>> = (0..width).map(cells).collect();
    let columns: Vec<Column> = data
        .par_iter()
        .enumerate()
        .map(|(i, cells)| {
            let name = names.get(i).cloned();
            let name = name.unwrap_or_else(|| format!("column {}", i + 1));
            describe_column(name, cells, &labels, classes)
        })
        .collect();
    let constant: Vec<&str> = columns
        .iter()
        .filter(|column| column.unique == 1)
        .map(|column| column.name.as_str())
        .collect();
    if !constant.is_empty() {
        notes.push(format!(
            "constant columns, without correlation: {}",
            constant.join(", ")
        ));
    }
    if width > MOST_CORRELATED {
        notes.push(format!(
            "correlations are of the first {MOST_CORRELATED} of {width} columns"
        ));
    }
    let correlated = &data[..width.min(MOST_CORRELATED)];
    Some(TableDescription {
        pearson: correlation::matrix(correlated, pearson),
        spearman: correlation::matrix_of_ranks(correlated),
        columns,
    })
}

fn describe_column(name: String, cells: &[f64], labels: &[usize], classes: usize) -> Column {
    let mut by_class = vec![Vec::new(); classes];
    let mut values = Vec::with_capacity(cells.len());
    for (&v, &label) in cells.iter().zip(labels).filter(|(v, _)| v.is_finite()) {
        values.push(v);
        if let Some(class) = by_class.get_mut(label) {
            class.push(v);
        }
    }
    values.sort_unstable_by(f64::total_cmp);
    let count = values.len();
    let n = count as f64;
    let mean = (count > 0).then(|| values.iter().sum::<f64>() / n);
    let sd = mean.filter(|_| count > 1).map(|mean| {
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        (squares / (n - 1.0)).sqrt()
    });
    let groups: Vec<&[f64]> = by_class.iter().map(Vec::as_slice).collect();
    Column {
        name,
        count,
        missing: cells.len() - count,
        unique: values.chunk_by(|a, b| a == b).count(),
        mean,
        sd,
        min: values.first().copied(),
        q1: quantile(&values, 0.25),
        median: quantile(&values, 0.5),
        q3: quantile(&values, 0.75),
        max: values.last().copied(),
        class_means: groups.iter().map(|class| mean_of(class)).collect(),
        classes_differ: one_way_anova(&groups),
        distribution: distribution(&values, &groups),
    }
}

fn mean_of(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xbench_data::Split;

    fn table(rows: &[[f32; 3]], labels: &[u16]) -> Split {
        Split {
            shape: vec![3],
            values: Values::Features(rows.concat()),
            labels: labels.to_vec(),
            ..Split::default()
        }
    }

    #[test]
    fn columns_over_all_splits_by_hand() {
        let train = table(
            &[[1.0, 5.0, 0.0], [2.0, 5.0, f32::NAN], [3.0, 5.0, 4.0]],
            &[0, 1, 1],
        );
        let test = table(&[[4.0, 5.0, 4.0]], &[0]);
        let mut notes = Vec::new();
        let splits = [("train", &train), ("test", &test)];
        let names = ["a", "b", "c"].map(str::to_owned);
        let table = describe_table(&splits, &names, 3, &mut notes).unwrap();
        let a = &table.columns[0];
        assert_eq!((a.count, a.missing, a.unique), (4, 0, 4));
        assert_eq!((a.min, a.max), (Some(1.0), Some(4.0)));
        assert_eq!((a.q1, a.median, a.q3), (Some(1.75), Some(2.5), Some(3.25)));
        // 1.25·4/3 = 5/3.
        assert!((a.sd.unwrap() - (5.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(a.class_means, [Some(2.5), Some(2.5), None]);
        let c = &table.columns[2];
        assert_eq!((c.count, c.missing, c.unique), (3, 1, 2));
        assert_eq!(table.pearson[0][1], None);
        assert_eq!(table.pearson[1][1], None);
        assert_eq!(table.pearson[0][0], Some(1.0));
        assert_eq!(notes, ["constant columns, without correlation: b"]);
        // Of (1, 0), (3, 4), (4, 4): deviations (−5/3, 1/3, 4/3) and (−8/3, 4/3, 4/3).
        let expected = (60.0 / 9.0) / ((42.0 / 9.0) * (96.0f64 / 9.0)).sqrt();
        assert!((table.pearson[0][2].unwrap() - expected).abs() < 1e-15);
        assert_eq!(table.pearson[2][0], table.pearson[0][2]);
        // Ranks 1, 2, 3 and 1, 2.5, 2.5: √3/2.
        assert!((table.spearman[0][2].unwrap() - 0.75f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn a_table_without_columns_is_told() {
        let empty = Split {
            shape: vec![0],
            values: Values::Features(Vec::new()),
            labels: vec![0, 0],
            ..Split::default()
        };
        let mut notes = Vec::new();
        let table = describe_table(&[("train", &empty)], &[], 1, &mut notes).unwrap();
        assert!(table.columns.is_empty() && table.pearson.is_empty());
        assert!(notes[0].contains("no numeric column"));
    }
}
