//! Rows of a table in a file of the user's, for a model that knows such rows.

use std::path::Path;

use crate::described::number;
use crate::described::text::{self, Csv};
use crate::error::{DataError, Result};

/// Most bytes of such a file.
const MAX_BYTES: u64 = 256 << 20;

/// Rows that were read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRows {
    /// Line of each row in the file; the header is line 1.
    pub lines: Vec<u64>,
    /// Finite numbers, `[rows, features]` row-major.
    pub values: Vec<f32>,
    /// Columns of the file that are no features, and were not read.
    pub left_out: Vec<String>,
}

/// Reads a CSV (UTF-8, commas, a header) that has a column of each name in `features`, in any order;
/// other columns are left out. At least one row and at most `most`.
///
/// # Errors
/// With file, line and column: no or several columns of a name, cells that are missing, no numbers or
/// not finite, rows of other lengths, no rows or too many.
pub fn read_table(path: &Path, features: &[String], most: usize) -> Result<TableRows> {
    let csv = Csv::parse(path, &text::read(path, MAX_BYTES)?, b',')?;
    let columns = columns(&csv, features)?;
    let refuse = |line, reason: String, remedy: String| {
        Err(DataError::table(path, line, "", reason, remedy))
    };
    if csv.rows.is_empty() {
        return refuse(2, "there is no row".to_owned(), "add rows".to_owned());
    }
    if let Some((line, _)) = csv.rows.get(most) {
        let reason = format!("there are {} rows", csv.rows.len());
        let remedy = format!("at most {most} are read at a time: divide the file here");
        return refuse(*line, reason, remedy);
    }
    let mut rows = TableRows {
        lines: csv.rows.iter().map(|(line, _)| *line).collect(),
        values: Vec::with_capacity(csv.rows.len() * columns.len()),
        left_out: Vec::new(),
    };
    for (line, row) in &csv.rows {
        for &column in &columns {
            let value = number(&csv, *line, column, &row[column]).map_err(of_rows)?;
            rows.values.push(value);
        }
    }
    let others = csv.columns.iter().enumerate();
    rows.left_out = others
        .filter(|(number, _)| !columns.contains(number))
        .map(|(_, name)| name.clone())
        .collect();
    Ok(rows)
}

/// A cell's error with a remedy for rows that are to be explained, not for a data set.
fn of_rows(mut error: DataError) -> DataError {
    if let DataError::Table { remedy, .. } = &mut error {
        *remedy = "write a finite number with a decimal point, or take the row out".to_owned();
    }
    error
}

/// Where each feature stands in the file.
fn columns(csv: &Csv, features: &[String]) -> Result<Vec<usize>> {
    let place = |name: &String| csv.columns.iter().position(|column| column == name);
    let missing: Vec<&str> = features
        .iter()
        .filter(|name| place(name).is_none())
        .map(String::as_str)
        .collect();
    let Some(first) = missing.first() else {
        return Ok(features.iter().filter_map(place).collect());
    };
    let reason = match missing.len() {
        1 => "there is no such column".to_owned(),
        several => format!("{several} columns are missing: {}", missing.join(", ")),
    };
    let separated = match &csv.columns[..] {
        [one] if one.contains([';', '\t']) => "; separate cells by commas",
        _ => "",
    };
    let remedy = format!(
        "begin the file with a header that names every feature: {}{separated}",
        features.join(", ")
    );
    let column = if missing.len() == 1 { first } else { "" };
    Err(DataError::table(&csv.path, 1, column, reason, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TableRows> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, text).unwrap();
        read_table(&path, &["a".to_owned(), "b".to_owned()], 2)
    }

    #[test]
    fn columns_are_found_by_name() {
        let rows = read("\u{feff}id,b,a,label\n7,2.5,1e2,x\n\n8, -3 ,0,y\n").unwrap();
        assert_eq!(rows.values, [100.0, 2.5, 0.0, -3.0]);
        assert_eq!(rows.lines, [2, 4]);
        assert_eq!(rows.left_out, ["id", "label"]);
    }

    #[test]
    fn errors_name_file_line_and_column() {
        for (text, told) in [
            ("", "there is no header"),
            ("a,b\n", "rows.csv:2: there is no row"),
            (
                "a,c\n1,2\n",
                "rows.csv:1, column \"b\": there is no such column",
            ),
            ("c\n1\n", "rows.csv:1: 2 columns are missing: a, b"),
            ("a;b\n1;2\n", "separate cells by commas"),
            ("a,b,a\n1,2,3\n", "column \"a\": two columns have this name"),
            (
                "a,b\n1,2\n3,x\n",
                "rows.csv:3, column \"b\": \"x\" is not a number",
            ),
            (
                "a,b\n1,NaN\n",
                "rows.csv:2, column \"b\": the value is missing",
            ),
            (
                "a,b\n,2\n",
                "rows.csv:2, column \"a\": the value is missing",
            ),
            (
                "a,b\ninf,2\n",
                "rows.csv:2, column \"a\": \"inf\" is not finite",
            ),
            ("a,b\n1e99,2\n", "is not finite"),
            (
                "a,b\n1,2\n3\n",
                "rows.csv:3: 1 cells where the header has 2",
            ),
            ("a,b\n1,2\n3,4\n5,6\n", "rows.csv:4: there are 3 rows"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }
}
