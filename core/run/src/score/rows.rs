//! Which rows of a split the arrays are about.

use std::path::Path;

use xbench_data::{DataSet, Selection, Split, select};

use crate::error::RunError;

/// How the rows are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RowChoice {
    /// The first ones of the split, as many as there are attributions.
    #[default]
    First,
    /// A selection of the split.
    Select(Selection),
    /// Numbers in a file.
    Listed(std::path::PathBuf),
}

/// Reads a selection: `all`, `first:100`, `20..80` or `balanced:50`.
///
/// # Errors
/// When it is none of these.
pub fn parse_selection(text: &str) -> Result<Selection, RunError> {
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let parsed = if text == "all" {
        Some(Selection::All)
    } else if let Some((low, high)) = text.split_once("..") {
        number(low)
            .zip(number(high))
            .map(|(low, high)| Selection::Range(low..high))
    } else {
        match text.split_once(':') {
            Some(("first", count)) => number(count).map(Selection::First),
            Some(("balanced", count)) => number(count).map(Selection::Balanced),
            _ => None,
        }
    };
    parsed.ok_or_else(|| {
        RunError::Flag(format!(
            "cannot read the selection '{text}'; write all, first:100, 20..80 or balanced:50"
        ))
    })
}

/// The rows of the arrays, in their order.
pub(super) fn chosen_rows(
    choice: &RowChoice,
    count: usize,
    set: &DataSet,
    split: &Split,
) -> Result<Vec<usize>, RunError> {
    let rows = match choice {
        RowChoice::First if count > split.len() => {
            return Err(RunError::Flag(format!(
                "there are {count} attributions, but the split has {} rows; name the data they \
                 were made for with --data and --split",
                split.len()
            )));
        }
        RowChoice::First => (0..count).collect(),
        RowChoice::Select(selection) => select(split, set.classes.len(), selection)?,
        RowChoice::Listed(path) => listed(path, split.len())?,
    };
    if rows.len() != count {
        return Err(RunError::Flag(format!(
            "there are {count} attributions, but {} selected; each row needs one, in the rows' \
             order",
            match rows.len() {
                1 => "1 row is".to_owned(),
                rows => format!("{rows} rows are"),
            }
        )));
    }
    Ok(rows)
}

/// Largest file of row numbers that is read, in bytes: more than any split needs.
const LARGEST: u64 = 64 << 20;

/// The text of a file that has an end.
fn text_of(path: &Path) -> Result<String, RunError> {
    let refused = |what: &str| RunError::Flag(format!("{} {what}", path.display()));
    let failed =
        |error: std::io::Error| refused(&format!("cannot be read: {error}; check its path"));
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(refused(
            "is not a regular file; write row numbers to one, one a line",
        ));
    }
    if metadata.len() > LARGEST {
        return Err(refused(
            "is larger than 64 MiB; it should hold row numbers, one a line",
        ));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    String::from_utf8(bytes)
        .map_err(|_| refused("is not text; write row numbers, one a line, as numpy.savetxt does"))
}

/// Row numbers, one a line; of a CSV file the first field, its header skipped.
fn listed(path: &Path, len: usize) -> Result<Vec<usize>, RunError> {
    let text = text_of(path)?;
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let field = line.split(',').next().unwrap_or_default();
        let field = field.trim_start_matches('\u{feff}').trim();
        let heading = number == 0 && field == "row";
        if field.is_empty() || heading {
            continue;
        }
        match field.parse::<usize>() {
            Ok(row) if row < len => rows.push(row),
            _ => {
                return Err(RunError::Flag(format!(
                    "{}:{}: '{field}' is no row of the split, which has rows 0 to {}; write one \
                     row number a line",
                    path.display(),
                    number + 1,
                    len.saturating_sub(1)
                )));
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_are_read() {
        for (text, selection) in [
            ("all", Selection::All),
            ("first:7", Selection::First(7)),
            ("3..9", Selection::Range(3..9)),
            ("balanced:20", Selection::Balanced(20)),
        ] {
            assert_eq!(parse_selection(text).unwrap(), selection);
        }
        for wrong in ["", "7", "first", "first:x", "last:3", "1..", "-1..3"] {
            assert!(parse_selection(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rows_are_listed_one_a_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "row,picture\n4,a\n\n 2 ,b\n").unwrap();
        assert_eq!(listed(file.path(), 5).unwrap(), [4, 2]);
        let error = listed(file.path(), 4).unwrap_err().to_string();
        assert!(error.contains(":2: '4' is no row"), "{error}");
        std::fs::write(file.path(), "four\n").unwrap();
        assert!(listed(file.path(), 5).is_err());
        std::fs::write(file.path(), "\u{feff}3\r\n1\r\n").unwrap();
        assert_eq!(listed(file.path(), 5).unwrap(), [3, 1]);
        for number in ["-1", "1.5", "1e3", "99999999999999999999"] {
            std::fs::write(file.path(), number).unwrap();
            assert!(listed(file.path(), 5).is_err(), "{number}");
        }
    }

    #[test]
    fn a_file_of_rows_is_text_with_an_end() {
        let refusal = |path: &Path| listed(path, 5).unwrap_err().to_string();
        let folder = tempfile::tempdir().unwrap();
        assert!(refusal(folder.path()).contains("is not a regular file"));
        assert!(refusal(&folder.path().join("rows.txt")).contains("check its path"));
        #[cfg(unix)]
        assert!(refusal(Path::new("/dev/zero")).contains("is not a regular file"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\x93NUMPY\x01").unwrap();
        assert!(refusal(file.path()).contains("is not text"));
        if file.as_file().set_len(1 << 40).is_ok() {
            assert!(refusal(file.path()).contains("is larger than 64 MiB"));
        }
    }
}
