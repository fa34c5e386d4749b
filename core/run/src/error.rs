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
            Self::Suite(_) | Self::Flag(_) => ExitCode::BadSuite,
            Self::Plugin(_) => ExitCode::PluginRefused,
            Self::NothingSelected(_) => ExitCode::NothingSelected,
            Self::Data(error) => code_of(error),
            Self::Files(_) => ExitCode::Unexpected,
        }
    }
}

/// Whether the user's words, the files' content or the system is to blame.
fn code_of(error: &DataError) -> ExitCode {
    match error {
        DataError::UnknownSet { .. }
        | DataError::Reference { .. }
        | DataError::Option { .. }
        | DataError::Description { .. }
        | DataError::Selection { .. } => ExitCode::BadSuite,
        DataError::Table { .. }
        | DataError::Files { .. }
        | DataError::NotAFile { .. }
        | DataError::Malformed { .. }
        | DataError::ChecksumMismatch { .. }
        | DataError::Photo { .. } => ExitCode::ValidationFailed,
        _ => ExitCode::Unexpected,
    }
}

impl From<SuiteError> for RunError {
    fn from(error: SuiteError) -> Self {
        Self::Suite(error.into())
    }
}

/// Puts a file's name before an input or output error.
pub(crate) fn at(path: &std::path::Path) -> impl Fn(std::io::Error) -> RunError + '_ {
    move |error| {
        let remedy = xbench_record::remedy(&error);
        RunError::Files(format!("{}: {error}{remedy}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_files_and_system_have_codes_of_their_own() {
        let code = |error: DataError| RunError::from(error).exit_code();
        let unknown = DataError::UnknownSet {
            id: "x".to_owned(),
            known: String::new(),
        };
        assert_eq!(code(unknown), ExitCode::BadSuite);
        let damaged = DataError::NotAFile {
            path: "x".into(),
            remedy: String::new(),
        };
        assert_eq!(code(damaged), ExitCode::ValidationFailed);
        let absent = DataError::NotFound {
            id: "x".to_owned(),
            looked: Vec::new(),
            remedy: String::new(),
        };
        assert_eq!(code(absent), ExitCode::Unexpected);
    }
}
