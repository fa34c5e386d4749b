//! The folder of a suite's results.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use crate::atomic::{self, Durable, TEMPORARY};
use crate::cache::{Cached, ChunkRecord, PredictionRecord, ScoreColumns};
use crate::error::{StoreError, check_name};
use crate::record::{CellRecord, complete_length, read_records};

const RECORDS: &str = "records.jsonl";
const CHUNKS: &str = "chunks";
const LOCK: &str = ".lock";

/// The folder of a suite's results, open for one run.
///
/// While it is open no other run can open it. All methods may be called from several threads.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    records: Mutex<File>,
    warnings: Mutex<Vec<String>>,
    /// Held, not used: the lock ends with the file.
    _lock: File,
}

impl Store {
    /// Opens `results/suite`, making it where it is not, and cuts off a record that a killed run
    /// did not finish (see [`Store::take_warnings`]).
    ///
    /// # Errors
    /// [`StoreError::Busy`] when another run has it open, [`StoreError::BadName`] for a suite's
    /// name with path separators or the like, [`StoreError::Io`].
    pub fn open(results: &Path, suite: &str) -> Result<Self, StoreError> {
        check_name(suite)?;
        let folder = results.join(suite);
        let chunks = folder.join(CHUNKS);
        fs::create_dir_all(&chunks).map_err(StoreError::io("cannot make", &chunks))?;
        let lock = lock(&folder)?;
        let mut warnings = sweep(&folder)?;
        warnings.extend(sweep(&chunks)?);
        let path = folder.join(RECORDS);
        let (records, torn) = open_records(&path)?;
        warnings.extend(torn);
        Ok(Self {
            folder,
            records: Mutex::new(records),
            warnings: Mutex::new(warnings),
            _lock: lock,
        })
    }

    /// The folder, `results/suite`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was found damaged since the last call, and what was done about it.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *held(&self.warnings))
    }

    /// All records, in the order of writing. Lines that cannot be used become warnings.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn records(&self) -> Result<Vec<CellRecord>, StoreError> {
        let (records, warnings) = read_records(&self.folder.join(RECORDS))?;
        held(&self.warnings).extend(warnings);
        Ok(records)
    }

    /// Appends a record: one write, synced, so that a kill loses at most this one.
    ///
    /// # Errors
    /// When it holds a number that is not finite, or cannot be written.
    pub fn append(&self, record: &CellRecord) -> Result<(), StoreError> {
        let line = record.line()?;
        let path = self.folder.join(RECORDS);
        let mut file = held(&self.records);
        file.write_all(line.as_bytes())
            .map_err(StoreError::io("cannot write", &path))?;
        file.sync_data()
            .map_err(StoreError::io("cannot sync", &path))
    }

    /// The attributions under a cache key; `None` if there are none, or none that can be
    /// trusted (which becomes a warning).
    #[must_use]
    pub fn chunk(&self, key: &str) -> Option<ChunkRecord> {
        self.get(key)
    }

    /// Keeps attributions. The file carries a checksum and is not synced: after a loss of power
    /// it may be computed again.
    ///
    /// # Errors
    /// When its parts do not fit together, or it cannot be written.
    pub fn put_chunk(&self, key: &str, chunk: &ChunkRecord) -> Result<(), StoreError> {
        self.put(key, chunk)
    }

    /// The score columns under a cache key, as [`Store::chunk`].
    #[must_use]
    pub fn scores(&self, key: &str) -> Option<ScoreColumns> {
        self.get(key)
    }

    /// Keeps score columns, in place of those there were.
    ///
    /// # Errors
    /// As [`Store::put_chunk`].
    pub fn put_scores(&self, key: &str, scores: &ScoreColumns) -> Result<(), StoreError> {
        self.put(key, scores)
    }

    /// The outputs of a model under a cache key, as [`Store::chunk`].
    #[must_use]
    pub fn predictions(&self, key: &str) -> Option<PredictionRecord> {
        self.get(key)
    }

    /// Keeps outputs of a model.
    ///
    /// # Errors
    /// As [`Store::put_chunk`].
    pub fn put_predictions(
        &self,
        key: &str,
        predictions: &PredictionRecord,
    ) -> Result<(), StoreError> {
        self.put(key, predictions)
    }

    fn path<T: Cached>(&self, key: &str) -> PathBuf {
        self.folder.join(CHUNKS).join(format!("{key}.{}", T::KIND))
    }

    fn put<T: Cached>(&self, key: &str, value: &T) -> Result<(), StoreError> {
        check_name(key)?;
        atomic::write(&self.path::<T>(key), &value.encode(key)?, Durable::No)
    }

    fn get<T: Cached>(&self, key: &str) -> Option<T> {
        let path = self.path::<T>(key);
        let why = match fs::read(&path) {
            Ok(bytes) => match T::decode(key, &bytes) {
                Ok(value) => return Some(value),
                Err(why) => why,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => error.to_string(),
        };
        held(&self.warnings).push(format!(
            "{}: not used and to be computed again: {why}",
            path.display()
        ));
        None
    }
}

/// The guarded value, also after a thread panicked while holding it: every change made under
/// these locks is one call, so none is left half done.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(StoreError::io("cannot open", &path))?;
    match file.try_lock() {
        Ok(()) => {
            // Who holds it, for the message of whoever comes next.
            file.set_len(0)
                .map_err(StoreError::io("cannot write", &path))?;
            write!(file, "{}", std::process::id())
                .map_err(StoreError::io("cannot write", &path))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let owner = match file.read_to_string(&mut text) {
                Ok(_) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                    format!(" (process {text})")
                }
                _ => String::new(),
            };
            Err(StoreError::Busy {
                path: folder.to_owned(),
                owner,
            })
        }
        Err(TryLockError::Error(error)) => Err(StoreError::io("cannot lock", &path)(error)),
    }
}

/// Opens the records to append to, without a last line that was not finished.
fn open_records(path: &Path) -> Result<(File, Option<String>), StoreError> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)
        .map_err(StoreError::io("cannot open", path))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(StoreError::io("cannot read", path))?;
    let whole = complete_length(&bytes);
    if whole == bytes.len() {
        return Ok((file, None));
    }
    file.set_len(whole as u64)
        .map_err(StoreError::io("cannot cut", path))?;
    let warning = format!(
        "{}: an unfinished last record was cut off ({} bytes)",
        path.display(),
        bytes.len() - whole
    );
    Ok((file, Some(warning)))
}

/// Removes temporary files that a killed run left. Nobody else writes here: the lock is held.
fn sweep(folder: &Path) -> Result<Vec<String>, StoreError> {
    let mut warnings = Vec::new();
    for path in files(folder)? {
        if path.to_str().is_some_and(|name| name.ends_with(TEMPORARY)) {
            fs::remove_file(&path).map_err(StoreError::io("cannot remove", &path))?;
            warnings.push(format!(
                "{}: left by a run that was stopped, removed",
                path.display()
            ));
        }
    }
    Ok(warnings)
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = fs::read_dir(folder).map_err(StoreError::io("cannot read", folder))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(StoreError::io("cannot read", folder))?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cache::{Column, ColumnKey};
    use crate::record::{Status, sample};

    fn chunk() -> ChunkRecord {
        ChunkRecord {
            rows: vec![0, 1],
            shape: vec![1, 2, 2],
            attributions: (0..8_u8).map(|i| f32::from(i) / 3.0).collect(),
            forward_rows: 2,
            backward_rows: 2,
            status: Status::Ok,
            text: String::new(),
        }
    }

    #[test]
    fn records_survive_and_a_torn_one_is_cut_off() {
        let results = tempfile::tempdir().unwrap();
        let path = results.path().join("tiny/records.jsonl");
        {
            let store = Store::open(results.path(), "tiny").unwrap();
            store.append(&sample("lenet", "ig")).unwrap();
            store.append(&sample("lenet", "cam")).unwrap();
            assert_eq!(store.records().unwrap().len(), 2);
            assert_eq!(store.take_warnings(), [""; 0]);
        }
        let whole = fs::read(&path).unwrap();
        let first = complete_length(&whole[..whole.len() - 1]);
        for cut in (first..whole.len()).step_by(53) {
            fs::write(&path, &whole[..cut]).unwrap();
            let store = Store::open(results.path(), "tiny").unwrap();
            let warned = store.take_warnings();
            assert_eq!(warned.len(), usize::from(cut > first), "{warned:?}");
            store.append(&sample("lenet", "cam")).unwrap();
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn two_runs_do_not_share_a_folder() {
        let results = tempfile::tempdir().unwrap();
        let first = Store::open(results.path(), "tiny").unwrap();
        let refused = Store::open(results.path(), "tiny").unwrap_err().to_string();
        assert!(
            refused.contains(&format!(
                "in use by another run (process {})",
                std::process::id()
            )),
            "{refused}"
        );
        assert!(Store::open(results.path(), "other").is_ok());
        drop(first);
        assert!(Store::open(results.path(), "tiny").is_ok());
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let results = tempfile::tempdir().unwrap();
        for bad in ["", "..", "../x", "a/b", "/a", ".hidden", "a\\b"] {
            assert!(
                matches!(
                    Store::open(results.path(), bad),
                    Err(StoreError::BadName { .. })
                ),
                "{bad}"
            );
        }
        let store = Store::open(results.path(), "tiny").unwrap();
        assert!(store.put_chunk("../../x", &chunk()).is_err());
    }

    #[test]
    fn the_cache_answers_only_what_it_was_given() {
        let results = tempfile::tempdir().unwrap();
        let store = Store::open(results.path(), "tiny").unwrap();
        assert_eq!(store.chunk("k"), None);
        store.put_chunk("k", &chunk()).unwrap();
        let mut scores = ScoreColumns::default();
        scores.columns.insert(
            ColumnKey {
                score: "gini".into(),
                version: 1,
                params: "{}".into(),
            },
            Column {
                values: vec![Some(0.5), None],
                reasons: BTreeMap::new(),
            },
        );
        store.put_scores("k", &scores).unwrap();
        let predictions = PredictionRecord {
            rows: vec![0],
            outputs: 2,
            values: vec![0.5, 0.25],
        };
        store.put_predictions("k", &predictions).unwrap();
        assert_eq!(store.chunk("k"), Some(chunk()));
        assert_eq!(store.scores("k"), Some(scores));
        assert_eq!(store.predictions("k"), Some(predictions));
        assert_eq!(store.take_warnings(), [""; 0]);

        let path = store.folder().join("chunks/k.chunk");
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(store.chunk("k"), None);
        assert!(store.take_warnings()[0].contains("computed again"));
        // A block under another name does not become what the name says.
        fs::copy(
            store.folder().join("chunks/k.scores"),
            store.folder().join("chunks/other.scores"),
        )
        .unwrap();
        assert_eq!(store.scores("other"), None);
    }

    #[test]
    fn leftovers_of_a_killed_run_are_swept() {
        let results = tempfile::tempdir().unwrap();
        drop(Store::open(results.path(), "tiny").unwrap());
        let left = results.path().join("tiny/chunks/k.chunk.1-0.tmp");
        fs::write(&left, "half").unwrap();
        let store = Store::open(results.path(), "tiny").unwrap();
        assert!(!left.exists());
        assert_eq!(store.take_warnings().len(), 1);
    }
}
