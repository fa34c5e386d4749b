//! What can stop a command as a whole. What stops one cell is a result, not an error.

use xbench_data::DataError;
use xbench_record::ExitCode;
use xbench_suite::{SuiteError, SuiteErrors};

/// Why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The suite, or something it names, is wrong.
    #[error("{0}")]
    Suite(#[from] SuiteErrors),
    /// A name or flag on the command line is wrong.
    #[error("{0}")]
    Flag(String),
    /// Data cannot be had or is damaged.
    #[error("{0}")]
    Data(#[from] DataError),
    /// A plugin that everything depends on was refused or failed.
    #[error("{0}")]
    Plugin(String),
    /// Nothing is left to do.
    #[error("{0}")]
    NothingSelected(String),
    /// Reading or writing files failed.
    #[error("{0}")]
    Files(String),
}

impl RunError {
    /// The exit code of a command that ends with this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Suite(_) | Self::Flag(_) | Self::Data(DataError::Selection { .. }) => {
                ExitCode::BadSuite
            }
            Self::Plugin(_) => ExitCode::PluginRefused,
            Self::NothingSelected(_) => ExitCode::NothingSelected,
            Self::Data(_) | Self::Files(_) => ExitCode::Unexpected,
        }
    }
}

impl From<SuiteError> for RunError {
    fn from(error: SuiteError) -> Self {
        Self::Suite(error.into())
    }
}

/// Puts a file's name before an input or output error.
pub(crate) fn at(path: &std::path::Path) -> impl Fn(std::io::Error) -> RunError + '_ {
    move |error| RunError::Files(format!("{}: {error}", path.display()))
}
