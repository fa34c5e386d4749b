//! What can go wrong with files of results.

use std::io;
use std::path::{Path, PathBuf};

/// Why results could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused.
    #[error("{action} {path}: {source}{remedy}", path = path.display(), remedy = remedy(source))]
    Io {
        /// What was tried, such as `cannot write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another run writes to the same folder.
    #[error(
        "{path} is in use by another run{owner}\n  wait for it, or give --results another folder",
        path = path.display()
    )]
    Busy {
        /// The folder of the suite.
        path: PathBuf,
        /// ` (process 123)` if it said so, else empty.
        owner: String,
    },
    /// A name that would leave the folder of results, or is none.
    #[error("\"{name}\" cannot name a file of results\n  use letters, digits, '.', '-' and '_'")]
    BadName {
        /// The name.
        name: String,
    },
    /// A number that no table or record may hold.
    #[error("{place} is not a finite number\n  this is a defect of the program: please report it")]
    NotFinite {
        /// Which.
        place: String,
    },
    /// Parts of a result that do not belong together.
    #[error("{what}\n  this is a defect of the program: please report it")]
    Inconsistent {
        /// What does not fit.
        what: String,
    },
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// What to do about the commonest refusals of the system: a line to put behind its words, or
/// nothing.
#[must_use]
pub fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "\n  make room there, or name another folder; a run goes on where it stopped"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "\n  name a folder that you may write to, such as with --results"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "\n  a file stands where a folder should: name another folder, or move the file"
        }
        _ => "",
    }
}

/// Whether `name` is one plain file name.
pub(crate) fn check_name(name: &str) -> Result<(), StoreError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 150
        && name.bytes().all(plain)
    {
        Ok(())
    } else {
        Err(StoreError::BadName {
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_the_system_has_a_remedy() {
        let text = |kind: io::ErrorKind| {
            let error = StoreError::io("cannot write", Path::new("results/x"))(kind.into());
            error.to_string()
        };
        assert!(text(io::ErrorKind::StorageFull).contains("\n  make room there"));
        assert!(text(io::ErrorKind::ReadOnlyFilesystem).contains("you may write to"));
        assert!(text(io::ErrorKind::NotADirectory).contains("a file stands where a folder should"));
        let other = text(io::ErrorKind::Other);
        assert!(other.starts_with("cannot write results/x: ") && !other.contains('\n'));
    }
}
