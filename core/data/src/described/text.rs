//! Text files and CSV, read without trusting them.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::idx::open_regular;

/// Most bytes in a CSV.
pub(crate) const MAX_CSV: u64 = 1 << 30;

/// The bytes of a regular file of at most `max` bytes.
pub(crate) fn bytes(path: &Path, max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path, "name a file")?
        .take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| DataError::io("read", path, e))?;
    if bytes.len() as u64 > max {
        return Err(DataError::files(
            path,
            format!("it is larger than {max} bytes"),
            "make it smaller",
        ));
    }
    Ok(bytes)
}

/// UTF-8 text, without a byte-order mark.
pub(crate) fn read(path: &Path, max: u64) -> Result<String> {
    let text = String::from_utf8(bytes(path, max)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        DataError::files(
            path,
            format!("byte {at} is not UTF-8"),
            "save the file as UTF-8",
        )
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// A CSV with a header: every row has as many cells.
pub(crate) struct Csv {
    pub(crate) path: PathBuf,
    pub(crate) columns: Vec<String>,
    /// Line number and cells, trimmed.
    pub(crate) rows: Vec<(u64, csv::StringRecord)>,
}

impl Csv {
    pub(crate) fn parse(path: &Path, text: &str, separator: u8) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let damaged = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            DataError::table(path, line, "", error.to_string(), "save it as CSV in UTF-8")
        };
        let columns: Vec<String> = reader
            .headers()
            .map_err(damaged)?
            .iter()
            .map(str::to_owned)
            .collect();
        if columns.iter().all(String::is_empty) {
            return Err(DataError::table(
                path,
                1,
                "",
                "there is no header",
                "begin with the names of the columns",
            ));
        }
        for (i, column) in columns.iter().enumerate() {
            if columns[..i].contains(column) {
                return Err(DataError::table(
                    path,
                    1,
                    column,
                    "two columns have this name",
                    "give each column a name of its own",
                ));
            }
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(damaged)?;
            let line = record.position().map_or(0, |place| {
                // A record's place is where the empty lines before it begin.
                let rest = text.as_bytes().get(place.byte() as usize..).unwrap_or(&[]);
                let empty = rest.iter().take_while(|byte| b"\r\n".contains(byte));
                place.line() + empty.filter(|&&byte| byte == b'\n').count() as u64
            });
            if record.len() != columns.len() {
                let reason = format!(
                    "{} cells where the header has {}",
                    record.len(),
                    columns.len()
                );
                let remedy =
                    "give every row one cell per column; quote cells that hold the separator";
                return Err(DataError::table(path, line, "", reason, remedy));
            }
            rows.push((line, record));
        }
        Ok(Self {
            path: path.to_owned(),
            columns,
            rows,
        })
    }

    /// Number of the column of this name.
    /// What separates the header's names where it was read as a single one.
    fn other_separator(&self) -> Option<char> {
        let [only] = self.columns.as_slice() else {
            return None;
        };
        [';', '\t', ','].into_iter().find(|&c| only.contains(c))
    }

    pub(crate) fn column(&self, name: &str) -> Result<usize> {
        self.columns
            .iter()
            .position(|column| column == name)
            .ok_or_else(|| {
                let reason = format!(
                    "there is no such column; there are: {}",
                    self.columns.join(", ")
                );
                let remedy = match self.other_separator() {
                    Some(separator) => format!(
                        "the header looks like one with another separator: say separator = \
                         \"{}\" in the section [table]",
                        separator.escape_default()
                    ),
                    None => "name one of these in the description".to_owned(),
                };
                DataError::table(&self.path, 1, name, reason, remedy)
            })
    }
}
