//! What decides a training.

use crate::SvmError;

/// The smallest tolerance.
const SMALLEST: f64 = 1e-9;

/// Width of the kernel: γ in exp(−γ‖x − z‖²).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gamma {
    /// 1 / number of features, "auto" in scikit-learn and libsvm's own default.
    Auto,
    /// 1 / (number of features · variance of all values), "scale" in scikit-learn.
    Scale,
    /// The number itself, above 0.
    Value(f64),
}

impl Gamma {
    /// The number for rows of `width` features; a variance of 0 counts as 1.
    #[must_use]
    pub fn value(self, features: &[f32], width: usize) -> f64 {
        match self {
            Self::Auto => 1.0 / width as f64,
            Self::Scale => {
                let count = features.len().max(1) as f64;
                let mean = features.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
                let square = |&v: &f32| (f64::from(v) - mean).powi(2);
                let variance = features.iter().map(square).sum::<f64>() / count;
                let variance = if variance > 0.0 { variance } else { 1.0 };
                1.0 / (width as f64 * variance)
            }
            Self::Value(value) => value,
        }
    }
}

/// How decision values become probabilities of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calibration {
    /// Not at all: no probabilities.
    None,
    /// Platt's sigmoid, fitted to decision values of held-out rows in a cross-validation of so
    /// many folds (at least 2); libsvm takes 5.
    CrossValidation {
        /// Number of folds.
        folds: usize,
    },
    /// Platt's sigmoid, fitted to the first of so many folds only: one further training instead
    /// of `folds`, and a sigmoid from `1 / folds` of the rows.
    OneSplit {
        /// Number of folds, of which one is held out.
        folds: usize,
    },
}

impl Calibration {
    /// libsvm's: five folds.
    pub const LIBSVM: Self = Self::CrossValidation { folds: 5 };
}

/// What decides a training, its data aside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SvmSettings {
    /// Penalty of a row on the wrong side of its margin, above 0.
    pub c: f64,
    /// Width of the kernel.
    pub gamma: Gamma,
    /// The largest violation of the optimality conditions that is accepted, at least 10⁻⁹;
    /// libsvm's ε, 0.001.
    pub tolerance: f64,
    /// How decision values become probabilities.
    pub calibration: Calibration,
    /// Memory for kernel rows, in bytes, over all threads. Less memory computes rows again, but
    /// never changes a bit of the result. Two rows per thread are always held.
    pub cache_bytes: usize,
    /// Draws the folds.
    pub seed: u64,
}

impl Default for SvmSettings {
    /// libsvm's defaults, with probabilities, half a gibibyte of kernel rows, and seed 0.
    fn default() -> Self {
        Self {
            c: 1.0,
            gamma: Gamma::Auto,
            tolerance: 1e-3,
            calibration: Calibration::LIBSVM,
            cache_bytes: 512 << 20,
            seed: 0,
        }
    }
}

impl SvmSettings {
    pub(crate) fn check(&self) -> Result<(), SvmError> {
        let positive = |name: &'static str, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(SvmError::Setting(format!(
                    "{name} is {value}; give a finite number above 0"
                )))
            }
        };
        positive("c", self.c)?;
        positive("tolerance", self.tolerance)?;
        if self.tolerance < SMALLEST {
            return Err(SvmError::Setting(format!(
                "tolerance is {}; rounding allows no less than {SMALLEST}",
                self.tolerance
            )));
        }
        if let Gamma::Value(value) = self.gamma {
            positive("gamma", value)?;
        }
        match self.calibration {
            Calibration::CrossValidation { folds } | Calibration::OneSplit { folds }
                if folds < 2 =>
            {
                Err(SvmError::Setting(format!(
                    "{folds} folds; give at least 2, libsvm takes 5"
                )))
            }
            _ => Ok(()),
        }
    }
}
