//! A CSV read into splits.

use std::path::Path;

use super::content::Loaded;
use super::divide::{self, Divided};
use super::document::{Description, Division, Kind, Table, TableClass, same_value, too_many};
use super::pins::Sums;
use super::text::{self, Csv, MAX_CSV};
use crate::digest::{hex, sha256};
use crate::error::{DataError, Result};
use crate::locate::Splits;
use crate::set::{Split, Values};

/// Cells that say that there is no value.
const MISSING: [&str; 6] = ["", "?", "na", "n/a", "nan", "null"];

fn is_missing(cell: &str) -> bool {
    MISSING
        .iter()
        .any(|missing| cell.eq_ignore_ascii_case(missing))
}

/// Reads, checks and divides the table.
pub(crate) fn load(
    description: &Description,
    spec: &Table,
    folder: &Path,
    splits: Splits,
) -> Result<Loaded> {
    let path = folder.join(&spec.file);
    let bytes = text::bytes(&path, MAX_CSV)?;
    let sums = Sums::from([(spec.file.clone(), hex(&sha256(&bytes)))]);
    drop(bytes);
    let csv = Csv::parse(&path, &text::read(&path, MAX_CSV)?, spec.separator as u8)?;
    let label = csv.column(&spec.label)?;
    let mut notes = Vec::new();
    let columns = columns(spec, &csv, label, &mut notes)?;
    if csv.rows.is_empty() {
        return Err(DataError::table(
            &path,
            2,
            "",
            "there is no row",
            "add rows",
        ));
    }
    let (classes, labels) = labels(spec, &csv, label)?;
    let mut values = Vec::with_capacity(csv.rows.len() * columns.len());
    for (line, row) in &csv.rows {
        for &column in &columns {
            values.push(number(&csv, *line, column, &row[column])?);
        }
    }
    let divided = match description.divisions.get(&description.division) {
        Some(Division::Stratified { shares, seed }) => {
            divide::stratified(&labels, &classes, *shares, *seed)
        }
        _ => Divided::default(),
    };
    let width = columns.len();
    let splits = [0, 1, 2].map(|part| {
        let mut split = Split {
            shape: vec![width],
            ..Split::default()
        };
        let mut own = Vec::new();
        let rows = if splits == Splits::All || part == 2 {
            &divided.rows[part][..]
        } else {
            &[]
        };
        for &row in rows {
            split.labels.push(labels[row]);
            split.names.push(format!("line {}", csv.rows[row].0));
            own.extend_from_slice(&values[row * width..(row + 1) * width]);
        }
        split.values = Values::Features(own);
        split
    });
    let mut kind = spec.clone();
    let features: Vec<String> = columns.iter().map(|&c| csv.columns[c].clone()).collect();
    kind.features = Some(features.clone());
    Ok(Loaded {
        classes,
        features,
        shape: vec![width],
        splits,
        parts: vec![(spec.file.clone(), sums)],
        kind: Kind::Table(kind),
        notes,
    })
}

/// Numbers of the feature columns.
fn columns(spec: &Table, csv: &Csv, label: usize, notes: &mut Vec<String>) -> Result<Vec<usize>> {
    let columns = match &spec.features {
        Some(names) => {
            let mut columns = Vec::with_capacity(names.len());
            for name in names {
                let column = csv.column(name)?;
                if column == label || columns.contains(&column) {
                    return Err(DataError::table(
                        &csv.path,
                        1,
                        name,
                        "it is the label, or stands among the features twice",
                        "name each feature once",
                    ));
                }
                columns.push(column);
            }
            columns
        }
        None => {
            let numeric = |column: usize| {
                csv.rows.first().is_none_or(|(_, row)| {
                    is_missing(&row[column]) || row[column].parse::<f64>().is_ok()
                })
            };
            let others = (0..csv.columns.len()).filter(|&column| column != label);
            let (numbers, text): (Vec<usize>, Vec<usize>) =
                others.partition(|&column| numeric(column));
            if !text.is_empty() {
                let names: Vec<&str> = text.iter().map(|&c| csv.columns[c].as_str()).collect();
                notes.push(format!(
                    "columns that are not numbers were left out: {}",
                    names.join(", ")
                ));
            }
            numbers
        }
    };
    if columns.is_empty() {
        return Err(DataError::table(
            &csv.path,
            1,
            "",
            "there is no feature",
            "name columns of numbers in table.features",
        ));
    }
    Ok(columns)
}

/// A cell as a finite number of 32 bits.
pub(crate) fn number(csv: &Csv, line: u64, column: usize, cell: &str) -> Result<f32> {
    let refuse = |reason: String, remedy: &str| {
        DataError::table(&csv.path, line, &csv.columns[column], reason, remedy)
    };
    if is_missing(cell) {
        let remedy = "take the row out, or fill in a value";
        return Err(refuse(format!("the value is missing (\"{cell}\")"), remedy));
    }
    let Ok(value) = cell.parse::<f32>() else {
        let remedy = "write a number with a decimal point, or take the column out of the features";
        let reason = format!("\"{}\" is not a number", shortened(cell));
        return Err(refuse(reason, remedy));
    };
    if !value.is_finite() {
        let remedy = "write a finite number within the range of 32 bits";
        let reason = format!("\"{}\" is not finite", shortened(cell));
        return Err(refuse(reason, remedy));
    }
    Ok(value)
}

/// As much of a cell as a message can hold.
fn shortened(cell: &str) -> String {
    const SHOWN: usize = 40;
    let start: String = cell.chars().take(SHOWN).collect();
    if start.len() < cell.len() {
        format!("{start}…")
    } else {
        start
    }
}

/// Class names, and each row's class.
fn labels(spec: &Table, csv: &Csv, label: usize) -> Result<(Vec<String>, Vec<u16>)> {
    let refuse = |line: u64, reason: String, remedy: &str| {
        DataError::table(&csv.path, line, &spec.label, reason, remedy)
    };
    let classes = if spec.classes.is_empty() {
        found(csv, label)
    } else {
        spec.classes.clone()
    };
    too_many(classes.len()).map_err(|reason| {
        refuse(
            1,
            reason,
            "name the column of the label; is this one a number?",
        )
    })?;
    let mut counts = vec![0usize; classes.len()];
    let mut labels = Vec::with_capacity(csv.rows.len());
    // Labels come in few different spellings: each is looked up once.
    let mut known = std::collections::HashMap::new();
    for (line, row) in &csv.rows {
        let cell = &row[label];
        let class = *known
            .entry(cell)
            .or_insert_with(|| classes.iter().position(|c| same_value(&c.value, cell)));
        let Some(class) = class.filter(|_| !is_missing(cell)) else {
            let values: Vec<&str> = classes.iter().map(|class| class.value.as_str()).collect();
            let reason = format!(
                "\"{}\" is no class; classes are: {}",
                shortened(cell),
                values.join(", ")
            );
            return Err(refuse(*line, reason, "correct the cell, or add the class"));
        };
        counts[class] += 1;
        labels.push(class as u16);
    }
    for (class, &count) in classes.iter().zip(&counts) {
        let expected = class.rows.unwrap_or(count);
        if count == 0 || count != expected {
            let reason = format!("the class \"{}\" has {count} rows", class.name);
            let remedy = match class.rows {
                Some(rows) => format!("{rows} are expected: restore the file"),
                None => "take the class out of the description".to_owned(),
            };
            return Err(refuse(1, reason, &remedy));
        }
    }
    let names = classes.into_iter().map(|class| class.name).collect();
    Ok((names, labels))
}

/// The values there are, ascending: as numbers where all are, else as text.
fn found(csv: &Csv, label: usize) -> Vec<TableClass> {
    let mut values: Vec<&str> = csv.rows.iter().map(|(_, row)| &row[label]).collect();
    values.retain(|value| !is_missing(value));
    values.sort_unstable();
    values.dedup();
    let numbers: Option<Vec<f64>> = values.iter().map(|value| value.parse().ok()).collect();
    if let Some(numbers) = numbers {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
        order.dedup_by(|a, b| numbers[*a] == numbers[*b]);
        values = order.into_iter().map(|i| values[i]).collect();
    }
    values
        .into_iter()
        .map(|value| TableClass {
            value: value.to_owned(),
            name: value.to_owned(),
            rows: None,
        })
        .collect()
}
