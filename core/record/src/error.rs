//! What can go wrong with files of results.

use std::io;
use std::path::{Path, PathBuf};

/// Why results could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused.
    #[error("{action} {path}: {source}", path = path.display())]
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
