//! Exit codes: an interface that scripts rely on.

use std::fmt;

/// How the program ends.
///
/// 2 is never used: shells and `make` give it for their own failures, and a gate must be able to
/// tell a regression from those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ExitCode {
    /// All is well.
    Fine = 0,
    /// Something unexpected went wrong.
    Unexpected = 1,
    /// A score or cost has regressed.
    Regression = 10,
    /// There is no baseline to compare with.
    NoBaseline = 11,
    /// The selection is empty: nothing was run or compared.
    NothingSelected = 12,
    /// Some cells failed; the others have their results.
    CellsFailed = 13,
    /// A plugin or file did not pass validation.
    ValidationFailed = 14,
    /// The suite or a flag is wrong.
    BadSuite = 20,
    /// A plugin was refused.
    PluginRefused = 21,
}

impl ExitCode {
    /// All codes, ascending.
    pub const ALL: [Self; 9] = [
        Self::Fine,
        Self::Unexpected,
        Self::Regression,
        Self::NoBaseline,
        Self::NothingSelected,
        Self::CellsFailed,
        Self::ValidationFailed,
        Self::BadSuite,
        Self::PluginRefused,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, in one sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Fine => "All is well.",
            Self::Unexpected => "Something unexpected went wrong.",
            Self::Regression => "A score or cost has regressed.",
            Self::NoBaseline => "There is no baseline to compare with.",
            Self::NothingSelected => "Nothing was selected, so nothing was run or compared.",
            Self::CellsFailed => "Some cells failed; the others have their results.",
            Self::ValidationFailed => "A plugin or file did not pass validation.",
            Self::BadSuite => "The suite or a flag is wrong.",
            Self::PluginRefused => "A plugin was refused.",
        }
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.sentence())
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_documented_one() {
        let codes: Vec<u8> = ExitCode::ALL.iter().map(|code| code.code()).collect();
        assert_eq!(codes, [0, 1, 10, 11, 12, 13, 14, 20, 21]);
    }
}
