//! Decision values of rows that a training did not see.

use xbench_plugin::rng::CounterRng;

use crate::cache::KernelRows;
use crate::smo::Smo;
use crate::{Calibration, Stop, SvmError};

/// The columns held out of each fold, for a pair whose rows are these columns.
///
/// As in libsvm the rows are put into a random order and cut into equal pieces; the order is
/// drawn by our own generator, so folds are not libsvm's.
fn folds(columns: &[usize], calibration: Calibration, rng: CounterRng) -> Vec<Vec<usize>> {
    let (count, used) = match calibration {
        Calibration::None => return Vec::new(),
        Calibration::CrossValidation { folds } => (folds, folds),
        Calibration::OneSplit { folds } => (folds, 1),
    };
    let order = rng.permutation(columns.len());
    (0..used)
        .map(|fold| {
            let range = fold * order.len() / count..(fold + 1) * order.len() / count;
            order[range].iter().map(|&i| columns[i]).collect()
        })
        .collect()
}

/// Decision values of held-out columns, and whether each is of the first class.
#[derive(Debug, Default)]
pub(crate) struct HeldOut {
    pub(crate) decisions: Vec<f64>,
    pub(crate) first: Vec<bool>,
}

/// What the folds of one pair have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fold<'a> {
    /// +1 and −1, 0 for padding.
    pub(crate) sign: &'a [f64],
    pub(crate) calibration: Calibration,
    pub(crate) tolerance: f64,
    pub(crate) rng: CounterRng,
}

/// Trains each fold from the solution on all rows, which is near its own, and decides on the rows
/// that it held out. Adds the steps taken to `iterations`.
pub(crate) fn held_out(
    fold: Fold<'_>,
    solved: &Smo,
    rows: &mut KernelRows<'_>,
    iterations: &mut u64,
    check: &dyn Fn() -> Result<(), Stop>,
) -> Result<HeldOut, SvmError> {
    let sign = fold.sign;
    let columns: Vec<usize> = (0..sign.len()).filter(|&c| sign[c] != 0.0).collect();
    let mut result = HeldOut::default();
    for out in folds(&columns, fold.calibration, fold.rng) {
        let count =
            |columns: &[usize], which: f64| columns.iter().filter(|&&c| sign[c] == which).count();
        let left = [1.0, -1.0].map(|which| count(&columns, which) - count(&out, which));
        let constant = match left {
            [0, 0] => Some(0.0),
            [_, 0] => Some(1.0),
            [0, _] => Some(-1.0),
            _ => None,
        };
        let mut smo = None;
        if constant.is_none() {
            let mut fitted = solved.clone();
            fitted.iterations = 0;
            fitted.hold_out(&out, rows);
            fitted.solve(rows, fold.tolerance, check)?;
            *iterations += fitted.iterations;
            smo = Some((fitted.bias(), fitted));
        }
        for column in out {
            result.decisions.push(match &smo {
                // F = y − Σ β K is kept for every column.
                Some((bias, smo)) => sign[column] - smo.f[column] + bias,
                None => constant.unwrap_or(0.0),
            });
            result.first.push(sign[column] > 0.0);
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_hold_each_column_out_once() {
        let columns: Vec<usize> = (0..23).map(|i| 2 * i).collect();
        let rng = CounterRng::new(3);
        let all = folds(&columns, Calibration::CrossValidation { folds: 5 }, rng);
        assert_eq!(all.len(), 5);
        assert!(all.iter().all(|fold| (4..=5).contains(&fold.len())));
        let mut flat: Vec<usize> = all.concat();
        flat.sort_unstable();
        assert_eq!(flat, columns);
        let one = folds(&columns, Calibration::OneSplit { folds: 5 }, rng);
        assert_eq!(one, all[..1]);
        assert!(folds(&columns, Calibration::None, rng).is_empty());
    }
}
