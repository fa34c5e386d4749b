//! The machine of one pair of classes.

use xbench_plugin::rng::CounterRng;

use crate::cache::{Columns, KernelRows};
use crate::folds::{Fold, held_out};
use crate::panels::Panels;
use crate::platt::Sigmoid;
use crate::smo::Smo;
use crate::{Calibration, Stop, SvmError, SvmSettings};

/// What a pair was trained to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PairSolution {
    /// Rows of the first class with a coefficient other than 0, ascending, and it: y α.
    pub(crate) first: Vec<(u32, f64)>,
    /// Rows of the second class.
    pub(crate) second: Vec<(u32, f64)>,
    /// The constant of the decision, libsvm's −rho.
    pub(crate) bias: f64,
    pub(crate) sigmoid: Option<Sigmoid>,
    pub(crate) record: PairRecord,
}

/// How the training of a pair went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PairRecord {
    /// Steps on all rows.
    pub(crate) iterations: u64,
    /// Steps of all folds together.
    pub(crate) fold_iterations: u64,
    /// Kernel rows computed.
    pub(crate) kernel_rows: u64,
    /// Mean hinge loss over the pair's rows.
    pub(crate) hinge: f64,
    /// Share of the pair's rows decided right.
    pub(crate) accuracy: f64,
}

/// What a pair is trained on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PairProblem<'a> {
    pub(crate) first: &'a Panels,
    pub(crate) second: &'a Panels,
    pub(crate) width: usize,
    /// γ.
    pub(crate) gamma: f64,
    pub(crate) settings: &'a SvmSettings,
    pub(crate) cache_bytes: usize,
    pub(crate) rng: CounterRng,
}

impl PairProblem<'_> {
    /// Solves the pair; `check` is asked now and then whether to go on.
    pub(crate) fn solve(
        self,
        check: &dyn Fn() -> Result<(), Stop>,
    ) -> Result<PairSolution, SvmError> {
        let columns = Columns::new(self.first, self.second);
        let sign: Vec<f64> = (0..columns.len())
            .map(|column| match columns.place(column) {
                Some((0, _)) => 1.0,
                Some(_) => -1.0,
                None => 0.0,
            })
            .collect();
        let mut rows = KernelRows::new(columns, self.width, self.gamma as f32, self.cache_bytes);
        let mut smo = Smo::new(&sign, self.settings.c);
        smo.solve(&mut rows, self.settings.tolerance, check)?;
        let bias = smo.bias();
        let mut record = PairRecord {
            iterations: smo.iterations,
            ..PairRecord::default()
        };
        let sigmoid = if self.settings.calibration == Calibration::None {
            None
        } else {
            let fold = Fold {
                sign: &sign,
                calibration: self.settings.calibration,
                tolerance: self.settings.tolerance,
                rng: self.rng,
            };
            let held = held_out(fold, &smo, &mut rows, &mut record.fold_iterations, check)?;
            Some(Sigmoid::fit(&held.decisions, &held.first))
        };
        record.kernel_rows = rows.computed();
        let count = (self.first.len() + self.second.len()) as f64;
        for (column, &y) in sign.iter().enumerate().filter(|(_, y)| **y != 0.0) {
            let margin = y * (y - smo.f[column] + bias);
            record.hinge += (1.0 - margin).max(0.0) / count;
            record.accuracy += f64::from(margin > 0.0) / count;
        }
        let coefficients = |side: usize, panels: &Panels| {
            (0..panels.len())
                .map(|row| (row as u32, smo.beta[columns.column(side, row)]))
                .filter(|&(_, beta)| beta != 0.0)
                .collect()
        };
        Ok(PairSolution {
            first: coefficients(0, self.first),
            second: coefficients(1, self.second),
            bias,
            sigmoid,
            record,
        })
    }
}
