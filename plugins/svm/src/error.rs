//! What can go wrong.

/// The caller's wish to stop, given as the answer to a [`Progress`](crate::Progress).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// Why a machine cannot be trained, read or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SvmError {
    /// A setting makes no sense.
    #[error("support vector machine: {0}")]
    Setting(String),
    /// A slice has the wrong length.
    #[error("{what}: {got} values, expected {expected}")]
    Length {
        /// Of what.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The right one.
        expected: usize,
    },
    /// A label is not below the number of classes.
    #[error("row {row} has label {label}, but there are {classes} classes")]
    Label {
        /// The row.
        row: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A class has no rows.
    #[error("class {class} of {classes} has no training rows; give rows of every class")]
    EmptyClass {
        /// The class.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A feature is NaN, infinite, or so large that distances are.
    #[error(
        "row {row}, feature {feature} is {value}: squared distances would not be finite; clean \
         or scale the features"
    )]
    Value {
        /// The row.
        row: usize,
        /// The feature.
        feature: usize,
        /// Its value.
        value: f32,
    },
    /// The stopping rule was not reached.
    #[error(
        "classes {a} and {b}: not optimal after {iterations} iterations (violation {violation}); \
         scale the features, or take a smaller c or a larger tolerance"
    )]
    NotConverged {
        /// One class.
        a: usize,
        /// The other.
        b: usize,
        /// Iterations done.
        iterations: u64,
        /// The largest violation of the optimality conditions.
        violation: f64,
    },
    /// The caller wanted to stop.
    #[error("stopped")]
    Stopped,
    /// The machine was trained without probabilities.
    #[error("this support vector machine was trained without probabilities")]
    NoProbabilities,
    /// Bytes of an interrupted training that do not belong to this one.
    #[error("state of an interrupted training: {0}; start anew")]
    Resume(String),
    /// Bytes that are no such machine.
    #[error("support vector machine file: {0}")]
    File(String),
    /// The threads could not be started.
    #[error(transparent)]
    Threads(#[from] xbench_nn::Error),
}

pub(crate) fn length(what: &'static str, got: usize, expected: usize) -> Result<(), SvmError> {
    if got == expected {
        Ok(())
    } else {
        Err(SvmError::Length {
            what,
            got,
            expected,
        })
    }
}
