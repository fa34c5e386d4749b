//! One error type: what is wrong, where, and the remedy.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// Everything that can go wrong between a name of a set and its pixels.
///
/// `Display` gives one or two lines: what, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// No set has this name.
    #[error("unknown data set '{id}'; known are: {known}\n  remedy: use one of these names")]
    UnknownSet {
        /// The name asked for.
        id: String,
        /// The names there are, separated by commas.
        known: String,
    },

    /// A set is not written as it should be.
    #[error(
        "'{text}' does not name a data set: {reason}\n  remedy: write a name, as in busi or busi{{size: 96}}, or the path of a description, as in sets/birds.toml"
    )]
    Reference {
        /// What was written.
        text: String,
        /// Why it cannot be read.
        reason: String,
    },

    /// A set has no such option, or not such a value of it, or no such split.
    #[error("data set '{id}': {reason}\n  remedy: {remedy}")]
    Option {
        /// Name of the set.
        id: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: String,
    },

    /// The files of a set lie in none of the places looked at.
    #[error(
        "data set '{id}' was not found; looked in {}\n  remedy: {remedy}",
        places(looked)
    )]
    NotFound {
        /// Name of the set.
        id: String,
        /// Every folder looked at, in order.
        looked: Vec<PathBuf>,
        /// What to do.
        remedy: String,
    },

    /// The description of a set is wrong.
    #[error("{file}{}: {reason}\n  remedy: {remedy}", line.map(|line| format!(":{line}")).unwrap_or_default())]
    Description {
        /// The description.
        file: String,
        /// Line in it, where one is to blame.
        line: Option<usize>,
        /// What is wrong, with the field.
        reason: String,
        /// What to do.
        remedy: String,
    },

    /// A CSV does not hold what it should.
    #[error("{}:{line}{}: {reason}\n  remedy: {remedy}", path.display(), in_column(column))]
    Table {
        /// The file.
        path: PathBuf,
        /// Line in it; 1 is the header.
        line: u64,
        /// Name of the column; empty where no single one is to blame.
        column: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: String,
    },

    /// A file or folder is not what a set needs.
    #[error("{}: {reason}\n  remedy: {remedy}", path.display())]
    Files {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: String,
    },

    /// The operating system refused.
    #[error("cannot {action} {}: {source}\n  remedy: check that the path exists and that you may use it", path.display())]
    Io {
        /// What was tried, as a verb: `open`, `read`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },

    /// A folder, socket or device stands where a file should.
    #[error("{} is not a regular file\n  remedy: {remedy}", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What to do.
        remedy: String,
    },

    /// A file does not follow its format.
    #[error("{} is malformed: {field} at byte {offset}: expected {expected}, found {found}\n  remedy: {remedy}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The header field or part of the file.
        field: &'static str,
        /// Byte offset in the decompressed content.
        offset: u64,
        /// What the format asks for.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        remedy: String,
    },

    /// A file is well formed but is not the one it should be.
    #[error("{} is not what was pinned: SHA-256 expected {expected}, found {found}\n  remedy: {remedy}", path.display())]
    ChecksumMismatch {
        /// The file.
        path: PathBuf,
        /// Pinned SHA-256, hexadecimal.
        expected: String,
        /// SHA-256 of what is there, hexadecimal.
        found: String,
        /// What to do.
        remedy: String,
    },

    /// A download failed; nothing was kept.
    #[error("cannot download {url}: {reason}\n  remedy: {remedy}")]
    Download {
        /// Address asked.
        url: String,
        /// What happened.
        reason: String,
        /// What to do.
        remedy: String,
    },

    /// A selection asks for rows the split does not have.
    #[error("selection {selection}: {reason}\n  remedy: ask for fewer rows, or for `all`")]
    Selection {
        /// The selection as written.
        selection: String,
        /// Why it cannot be had.
        reason: String,
    },

    /// A picture cannot be used.
    #[error("{place}: {reason}\n  remedy: {remedy}")]
    Photo {
        /// File name, or `image in memory`.
        place: String,
        /// Why it cannot be used.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

impl DataError {
    pub(crate) fn files(path: &Path, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Files {
            path: path.to_owned(),
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn table(
        path: &Path,
        line: u64,
        column: &str,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Table {
            path: path.to_owned(),
            line,
            column: column.to_owned(),
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn no_photos(id: &str) -> Self {
        Self::Option {
            id: id.to_owned(),
            reason: "it has no photographs".to_owned(),
            remedy: "name a set with photographs (fashion-mnist), or another split".to_owned(),
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

fn in_column(column: &str) -> String {
    if column.is_empty() {
        String::new()
    } else {
        format!(", column \"{column}\"")
    }
}

fn places(looked: &[PathBuf]) -> String {
    if looked.is_empty() {
        return "no place (none was named)".to_owned();
    }
    let mut text = String::new();
    for (i, path) in looked.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{}", path.display());
    }
    text
}
