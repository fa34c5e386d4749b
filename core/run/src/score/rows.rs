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
            "there are {count} attributions, but {} rows are selected; each row needs one, in \
             the rows' order",
            rows.len()
        )));
    }
    Ok(rows)
}

/// Row numbers, one a line; of a CSV file the first field, its header skipped.
fn listed(path: &Path, len: usize) -> Result<Vec<usize>, RunError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| RunError::Flag(format!("{}: {error}", path.display())))?;
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let field = line.split(',').next().unwrap_or_default().trim();
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
    }
}
