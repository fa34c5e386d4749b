//! Digests of the files that were read, compared with what is pinned.

use std::collections::BTreeMap;
use std::path::Path;

use super::text;
use crate::digest::{hex, sha256};
use crate::error::{DataError, Result};

/// Most bytes in a list of digests.
const MAX_SUMS: u64 = 64 << 20;

/// The part that is the whole folder.
pub(crate) const WHOLE: &str = ".";

/// SHA-256 in hexadecimal of files, by path in the data folder.
pub(crate) type Sums = BTreeMap<String, String>;

/// The digest that stands for several files: of what `sha256sum` prints, sorted by path.
pub(crate) fn pin(sums: &Sums) -> String {
    let mut lines = String::new();
    for (path, digest) in sums {
        lines.push_str(digest);
        lines.push_str("  ");
        lines.push_str(path);
        lines.push('\n');
    }
    hex(&sha256(lines.as_bytes()))
}

/// Reads a list in the format of `sha256sum`: `<digest>  <path>`, a path perhaps with `./`.
pub(crate) fn read_sums(path: &Path) -> Result<Sums> {
    let text = text::read(path, MAX_SUMS)?;
    let mut sums = Sums::new();
    for (number, line) in text.lines().enumerate().filter(|(_, l)| !l.is_empty()) {
        let parsed = line.split_once([' ', '\t']).filter(|(digest, _)| {
            digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())
        });
        let Some((digest, name)) = parsed else {
            return Err(DataError::files(
                path,
                format!("line {} is not a digest and a path", number + 1),
                "write it with sha256sum",
            ));
        };
        let name = name.trim_start_matches([' ', '*']);
        let name = name.strip_prefix("./").unwrap_or(name);
        sums.insert(name.to_owned(), digest.to_ascii_lowercase());
    }
    Ok(sums)
}

/// Checks that every file stands in the list and agrees.
pub(crate) fn check_listed(found: &Sums, list: &Sums, folder: &Path, name: &str) -> Result<()> {
    for (path, digest) in found {
        match list.get(path) {
            Some(expected) if expected == digest => {}
            Some(expected) => {
                return Err(mismatch(
                    &folder.join(path),
                    expected,
                    digest,
                    "restore the file, or write the list anew if the change is meant",
                ));
            }
            None => {
                return Err(DataError::files(
                    &folder.join(path),
                    format!("it does not stand in {name}"),
                    "remove the file, or write the list anew",
                ));
            }
        }
    }
    Ok(())
}

/// Checks the files of `part` (a class, a table) against its pin. A `SHA256SUMS` in the
/// data folder or above, if it is the pinned one, tells which file differs.
pub(crate) fn check_pin(found: &Sums, expected: &str, folder: &Path, part: &str) -> Result<()> {
    let own = pin(found);
    if own == expected {
        return Ok(());
    }
    let remedy = "restore the files of the distribution";
    let Some(list) = pinned_list(folder, part, expected) else {
        return Err(mismatch(
            &folder.join(part),
            expected,
            &own,
            &format!(
                "{remedy}; with its SHA256SUMS in the folder or the one above, the file that \
                 differs is named"
            ),
        ));
    };
    check_listed(found, &list, folder, "SHA256SUMS")?;
    let missing = list.keys().find(|path| !found.contains_key(*path));
    Err(match missing {
        Some(path) => DataError::files(&folder.join(path), "the file is missing", remedy),
        None => mismatch(&folder.join(part), expected, &own, remedy),
    })
}

/// The lines of a `SHA256SUMS` that are those pinned.
fn pinned_list(folder: &Path, part: &str, expected: &str) -> Option<Sums> {
    let name = folder.file_name().and_then(|name| name.to_str());
    let above = folder.parent().zip(name.map(|name| format!("{name}/")));
    let candidates = [Some((folder, String::new())), above];
    candidates
        .into_iter()
        .flatten()
        .find_map(|(place, prefix)| {
            let sums = read_sums(&place.join("SHA256SUMS")).ok()?;
            let own: Sums = sums
                .into_iter()
                .filter_map(|(path, digest)| {
                    let path = path.strip_prefix(&prefix)?.to_owned();
                    // A part is a file, or a folder at any depth: `a/part/b`.
                    let mut above = path.split('/').rev().skip(1);
                    let inside = part == WHOLE || path == part || above.any(|p| p == part);
                    inside.then_some((path, digest))
                })
                .collect();
            (pin(&own) == expected).then_some(own)
        })
}

fn mismatch(path: &Path, expected: &str, found: &str, remedy: &str) -> DataError {
    DataError::ChecksumMismatch {
        path: path.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
        remedy: remedy.to_owned(),
    }
}
