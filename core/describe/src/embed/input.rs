//! From rows of a set to vectors whose distances mean something.

use std::fmt;

use rayon::prelude::*;
use xbench_data::Split;

use crate::rng::Rng;
use crate::{Named, rows_by_class};

/// Images are averaged in blocks until no side is longer: finer detail moves distances by noise
/// more than by content, and costs time.
const LONGEST_SIDE: usize = 32;

/// Finite vectors of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// `[rows, columns]`, row-major.
    values: Vec<f32>,
    columns: usize,
    /// How they came to be, for people.
    pub(super) source: String,
}

/// Why rows do not make a [`Matrix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatrixError {
    /// The vectors have no components.
    NoColumns,
    /// The values do not fill whole rows.
    Ragged,
    /// A value is not finite.
    NotFinite,
}

impl fmt::Display for MatrixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoColumns => "the rows have no numeric values",
            Self::Ragged => "the values do not fill whole rows",
            Self::NotFinite => "a value is not a finite number",
        })
    }
}

impl std::error::Error for MatrixError {}

impl Matrix {
    /// Of values as they are, `[rows, columns]`.
    ///
    /// # Errors
    /// [`MatrixError`] where they are none, do not fill whole rows or are not finite.
    pub fn new(values: Vec<f32>, columns: usize) -> Result<Self, MatrixError> {
        if columns == 0 {
            return Err(MatrixError::NoColumns);
        }
        if !values.len().is_multiple_of(columns) {
            return Err(MatrixError::Ragged);
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err(MatrixError::NotFinite);
        }
        Ok(Self {
            values,
            columns,
            source: "values as they are".to_owned(),
        })
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Components of a row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }
}

/// Up to `wanted` rows, as evenly over the classes as these have rows, drawn by the seed; in
/// order of class.
pub(super) fn choose<'a>(
    splits: &[Named<'a>],
    classes: usize,
    wanted: usize,
    seed: u64,
) -> Vec<(Named<'a>, usize)> {
    let mut by_class = rows_by_class(splits, classes);
    let sizes: Vec<usize> = by_class.iter().map(Vec::len).collect();
    let quotas = even_shares(&sizes, wanted);
    for (class, rows) in by_class.iter_mut().enumerate() {
        Rng::new(seed, class as u64).shuffle(rows);
        rows.truncate(quotas[class]);
    }
    by_class.concat()
}

/// Shares of `wanted`, none above its size, as equal as that allows; the first classes get what
/// does not divide.
fn even_shares(sizes: &[usize], wanted: usize) -> Vec<usize> {
    let mut shares = vec![0; sizes.len()];
    let mut left = wanted.min(sizes.iter().sum());
    while left > 0 {
        let open: Vec<usize> = (0..sizes.len()).filter(|&i| shares[i] < sizes[i]).collect();
        let each = (left / open.len()).max(1);
        for i in open {
            let add = each.min(sizes[i] - shares[i]).min(left);
            shares[i] += add;
            left -= add;
        }
    }
    shares
}

/// Images: pixels/255, averaged in blocks if they are large. Tables: each column less its mean,
/// divided by its standard deviation; a missing cell is the mean, a constant column is left out.
pub(super) fn vectors(rows: &[(Named, usize)]) -> Result<Matrix, MatrixError> {
    let Some(((_, first), _)) = rows.first() else {
        return Ok(Matrix {
            values: Vec::new(),
            columns: 1,
            source: String::new(),
        });
    };
    if first.is_table() {
        return standardised(rows, first.row_len());
    }
    let [channels, height, width] = first.plane();
    let block = height.max(width).div_ceil(LONGEST_SIDE).max(1);
    let columns = channels * height.div_ceil(block) * width.div_ceil(block);
    let values: Vec<Vec<f32>> = rows
        .par_iter()
        .map(|((_, split), row)| averaged(split, *row, block))
        .collect();
    let mut matrix = Matrix::new(values.concat(), columns)?;
    matrix.source = if block == 1 {
        format!("{columns} pixels, 0 to 1")
    } else {
        format!("{columns} means of {block}x{block} pixels, 0 to 1")
    };
    Ok(matrix)
}

fn averaged(split: &Split, row: usize, block: usize) -> Vec<f32> {
    let [channels, height, width] = split.plane();
    let pixels = split.pixels(row).unwrap_or_default();
    let mut values = Vec::with_capacity(channels * height.div_ceil(block) * width.div_ceil(block));
    for c in 0..channels {
        for top in (0..height).step_by(block) {
            for left in (0..width).step_by(block) {
                let (bottom, right) = ((top + block).min(height), (left + block).min(width));
                let mut sum = 0u32;
                for y in top..bottom {
                    let line = (c * height + y) * width;
                    let part = pixels.get(line + left..line + right).unwrap_or_default();
                    sum += part.iter().map(|&v| u32::from(v)).sum::<u32>();
                }
                let count = ((bottom - top) * (right - left)) as f32;
                values.push(sum as f32 / count / 255.0);
            }
        }
    }
    values
}

fn standardised(rows: &[(Named, usize)], columns: usize) -> Result<Matrix, MatrixError> {
    let mut row_values = Vec::new();
    let mut by_column = vec![Vec::with_capacity(rows.len()); columns];
    for ((_, split), row) in rows {
        split.row_f32(*row, &mut row_values);
        for (column, &v) in by_column.iter_mut().zip(&row_values) {
            column.push(f64::from(v));
        }
    }
    let scaled: Vec<Vec<f32>> = by_column.iter().filter_map(|c| scaled(c)).collect();
    let kept = scaled.len();
    let mut values = Vec::with_capacity(kept * rows.len());
    for row in 0..rows.len() {
        values.extend(scaled.iter().map(|column| column[row]));
    }
    let mut matrix = Matrix::new(values, kept)?;
    matrix.source = format!("{kept} columns, each with mean 0 and standard deviation 1");
    Ok(matrix)
}

/// `None` for a column that does not vary.
fn scaled(column: &[f64]) -> Option<Vec<f32>> {
    let finite: Vec<f64> = column.iter().copied().filter(|v| v.is_finite()).collect();
    let n = finite.len() as f64;
    let mean = finite.iter().sum::<f64>() / n;
    let sd = (finite.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt();
    let varies = finite.iter().any(|&v| v != finite[0]) && sd.is_finite() && sd > 0.0;
    let scale = |&v: &f64| {
        if v.is_finite() {
            ((v - mean) / sd) as f32
        } else {
            0.0
        }
    };
    varies.then(|| column.iter().map(scale).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use xbench_data::Values;

    #[test]
    fn shares_are_even_until_a_class_runs_out() {
        assert_eq!(even_shares(&[10, 10, 10], 7), [3, 2, 2]);
        assert_eq!(even_shares(&[100, 3, 5], 30), [22, 3, 5]);
        assert_eq!(even_shares(&[2, 0, 1], 30), [2, 0, 1]);
        assert_eq!(even_shares(&[], 3), [0; 0]);
        assert_eq!(even_shares(&[5], 0), [0]);
    }

    #[test]
    fn large_images_are_averaged_in_blocks() {
        // 1×33×34 in blocks of 2: the last line of blocks has one line of pixels.
        let split = Split {
            shape: vec![1, 33, 34],
            values: Values::Pixels((0..33 * 34).map(|i| (i % 34) as u8).collect()),
            labels: vec![0],
            ..Split::default()
        };
        let matrix = vectors(&[(("train", &split), 0)]).unwrap();
        assert_eq!(matrix.columns(), 17 * 17);
        assert_eq!(matrix.row(0)[0], 0.5 / 255.0);
        assert_eq!(matrix.row(0)[17 * 16 + 1], 2.5 / 255.0);
    }

    #[test]
    fn columns_are_standardised_and_constant_ones_left_out() {
        let split = Split {
            shape: vec![2],
            values: Values::Features(vec![1.0, 7.0, 3.0, 7.0, f32::NAN, 7.0]),
            labels: vec![0, 0, 0],
            ..Split::default()
        };
        let rows: Vec<_> = (0..3).map(|row| (("train", &split), row)).collect();
        let matrix = vectors(&rows).unwrap();
        assert_eq!((matrix.columns(), matrix.len()), (1, 3));
        assert_eq!(
            (0..3).map(|i| matrix.row(i)[0]).collect::<Vec<_>>(),
            [-1.0, 1.0, 0.0]
        );
        assert_eq!(vectors(&rows[..1]), Err(MatrixError::NoColumns));
    }

    #[test]
    fn matrices_are_checked() {
        assert_eq!(Matrix::new(vec![], 0), Err(MatrixError::NoColumns));
        assert_eq!(Matrix::new(vec![1.0; 3], 2), Err(MatrixError::Ragged));
        assert_eq!(Matrix::new(vec![f32::NAN], 1), Err(MatrixError::NotFinite));
    }
}
