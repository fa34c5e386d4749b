//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::StoreError;

/// Ending of temporary names; what is left of a killed run is swept by it.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Whether a file must survive a loss of power the moment it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    /// Synced before it is renamed, the folder after.
    Yes,
    /// Left to the system. For files that carry a checksum and can be computed again: syncing
    /// hundreds of them costs more than the rare recomputation.
    No,
}

/// Writes a file whole or not at all, synced before it takes the place of what was there.
///
/// # Errors
/// [`StoreError::Io`].
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write(path, bytes, Durable::Yes)
}

/// Writes `bytes` as `path`: to a temporary name in the same folder, then renamed.
pub(crate) fn write(path: &Path, bytes: &[u8], durable: Durable) -> Result<(), StoreError> {
    let temporary = temporary_name(path);
    let outcome = write_new(&temporary, bytes, durable).and_then(|()| {
        fs::rename(&temporary, path).map_err(StoreError::io("cannot rename to", path))
    });
    if outcome.is_err() {
        // The error at hand says more than a second one about the leftover would.
        drop(fs::remove_file(&temporary));
        return outcome;
    }
    if durable == Durable::Yes {
        sync_folder(path)?;
    }
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8], durable: Durable) -> Result<(), StoreError> {
    let mut file = File::create_new(path).map_err(StoreError::io("cannot create", path))?;
    file.write_all(bytes)
        .map_err(StoreError::io("cannot write", path))?;
    if durable == Durable::Yes {
        file.sync_all()
            .map_err(StoreError::io("cannot sync", path))?;
    }
    Ok(())
}

fn temporary_name(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{count}{TEMPORARY}", std::process::id()));
    path.with_file_name(name)
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(StoreError::io("cannot sync", folder))
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), StoreError> {
    // Elsewhere a folder cannot be opened to be synced; the rename itself is durable enough.
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        for (text, durable) in [
            ("first", Durable::Yes),
            ("second, longer", Durable::No),
            ("", Durable::Yes),
        ] {
            write(&path, text.as_bytes(), durable).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn failure_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/such/folder.csv");
        assert!(
            write(&path, b"x", Durable::Yes)
                .unwrap_err()
                .to_string()
                .contains("no/such")
        );
    }
}
