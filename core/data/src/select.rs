//! Which rows of a split to use: deterministic, never random.

use std::fmt;
use std::ops::Range;

use crate::error::{DataError, Result};
use crate::set::Split;

/// Which rows of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All.
    All,
    /// The first so many.
    First(usize),
    /// Rows `start` up to, not including, `end`.
    Range(Range<usize>),
    /// So many in all, as evenly over the classes as possible: `n / k` of each of the
    /// `k` classes, the remainder one each to the first classes; of each class the
    /// first in file order.
    Balanced(usize),
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::First(n) => write!(f, "first {n}"),
            Self::Range(range) => write!(f, "range {}..{}", range.start, range.end),
            Self::Balanced(n) => write!(f, "balanced {n}"),
        }
    }
}

/// Row numbers of the selection, ascending, without repeats.
///
/// # Errors
/// [`DataError::Selection`] when the split, or for [`Selection::Balanced`] a class, has
/// too few rows, when a range runs backwards, or when a balanced selection is asked of
/// no classes.
pub fn select(split: &Split, n_classes: usize, selection: &Selection) -> Result<Vec<usize>> {
    let refuse = |reason: String| DataError::Selection {
        selection: selection.to_string(),
        reason,
    };
    let len = split.len();
    match selection {
        Selection::All => Ok((0..len).collect()),
        Selection::First(n) if *n > len => Err(refuse(format!("the split has {len} rows"))),
        Selection::First(n) => Ok((0..*n).collect()),
        Selection::Range(range) if range.start > range.end => {
            Err(refuse("the range ends before it starts".to_owned()))
        }
        Selection::Range(range) if range.end > len => {
            Err(refuse(format!("the split has {len} rows")))
        }
        Selection::Range(range) => Ok(range.clone().collect()),
        Selection::Balanced(n) => {
            if n_classes == 0 {
                return Err(refuse("there are no classes to balance over".to_owned()));
            }
            let quota = |class: usize| n / n_classes + usize::from(class < n % n_classes);
            let mut left: Vec<usize> = (0..n_classes).map(quota).collect();
            let mut rows = Vec::with_capacity((*n).min(len));
            for (row, &label) in split.labels.iter().enumerate() {
                if let Some(left) = left.get_mut(usize::from(label)).filter(|left| **left > 0) {
                    *left -= 1;
                    rows.push(row);
                }
            }
            match left.iter().position(|&left| left > 0) {
                None => Ok(rows),
                Some(class) => Err(refuse(format!(
                    "needs {} rows of class {class}, the split has {}",
                    quota(class),
                    quota(class) - left[class]
                ))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(labels: &[u16]) -> Split {
        Split {
            shape: vec![1, 1, 1],
            labels: labels.to_vec(),
            ..Split::default()
        }
    }

    #[test]
    fn balanced_gives_the_remainder_to_the_first_classes_in_file_order() {
        let split = split(&[2, 2, 0, 1, 0, 1, 2, 0, 1]);
        let rows = |n| select(&split, 3, &Selection::Balanced(n)).unwrap();
        assert_eq!(rows(3), [0, 2, 3]);
        assert_eq!(rows(4), [0, 2, 3, 4]);
        assert_eq!(rows(5), [0, 2, 3, 4, 5]);
        assert_eq!(rows(0), [0; 0]);
        assert_eq!(rows(9).len(), 9);
    }

    #[test]
    fn balanced_names_the_class_that_has_too_few() {
        let error = select(&split(&[0, 0, 0, 1]), 2, &Selection::Balanced(4)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("needs 2 rows of class 1, the split has 1"),
            "{error}"
        );
        let error = select(&split(&[0]), 0, &Selection::Balanced(1)).unwrap_err();
        assert!(error.to_string().contains("no classes"), "{error}");
    }

    #[test]
    fn first_and_range_stay_inside_the_split() {
        let split = split(&[0, 1, 0, 1]);
        assert_eq!(select(&split, 2, &Selection::First(2)).unwrap(), [0, 1]);
        assert_eq!(select(&split, 2, &Selection::Range(1..3)).unwrap(), [1, 2]);
        assert_eq!(select(&split, 2, &Selection::All).unwrap(), [0, 1, 2, 3]);
        assert!(select(&split, 2, &Selection::First(5)).is_err());
        assert!(select(&split, 2, &Selection::Range(2..5)).is_err());
        #[expect(clippy::reversed_empty_ranges, reason = "the case under test")]
        let backwards = Selection::Range(3..1);
        assert!(
            select(&split, 2, &backwards)
                .unwrap_err()
                .to_string()
                .contains("ends before")
        );
    }
}
