//! A description as CSV files.

use crate::table::{Column, TableDescription};
use crate::{Description, Summary};

/// A CSV file: a name without ending, and its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvTable {
    /// File name without `.csv`.
    pub name: &'static str,
    /// Heading and rows, each line ended by a newline.
    pub text: String,
}

/// Everything countable, as CSV with a heading each: numbers in full precision, empty where there
/// is none. Tables that the set does not have are left out.
#[must_use]
pub fn tables(description: &Description) -> Vec<CsvTable> {
    let mut files = vec![class_counts(description)];
    if let Some(images) = &description.images {
        let mut csv = Csv::new(&["split", "channel", "mean", "sd"]);
        for row in &images.pixels {
            csv.row([
                row.split.clone(),
                row.channel.to_string(),
                row.mean.to_string(),
                row.sd.to_string(),
            ]);
        }
        files.push(csv.named("pixels"));
        files.push(foreground(description));
    }
    if let Some(masks) = &description.masks {
        let heading = ["class", "split", "images", "with_mask", "empty_masks"];
        let mut csv = Csv::new(&[&heading[..], &SHARE].concat());
        for row in &masks.rows {
            let mut cells = vec![class_name(description, row.class), row.split.clone()];
            cells.extend([row.images, row.with_mask, row.empty].map(|n| n.to_string()));
            cells.extend(share(row.share));
            csv.row(cells);
        }
        files.push(csv.named("masks"));
    }
    if let Some(table) = &description.table {
        files.push(columns(description, table));
        files.push(matrix(table, &table.pearson).named("pearson"));
        files.push(matrix(table, &table.spearman).named("spearman"));
        files.push(distributions(description, table));
    }
    files.push(duplicates(description));
    files.extend(layouts(description));
    files
}

const SHARE: [&str; 3] = ["median", "mean", "variance"];

fn class_name(description: &Description, class: usize) -> String {
    let name = description.classes.get(class).cloned();
    name.unwrap_or_else(|| class.to_string())
}

fn class_counts(description: &Description) -> CsvTable {
    let mut csv = Csv::new(&["split", "class", "rows", "share"]);
    for split in &description.splits {
        for (class, &rows) in split.per_class.iter().enumerate() {
            csv.row([
                split.split.clone(),
                class_name(description, class),
                rows.to_string(),
                (rows as f64 / split.rows as f64).to_string(),
            ]);
        }
    }
    csv.named("classes")
}

fn foreground(description: &Description) -> CsvTable {
    let heading = [&["class", "split", "images"][..], &SHARE, &["f", "p"]].concat();
    let mut csv = Csv::new(&heading);
    let images = description.images.as_ref();
    for row in images.iter().flat_map(|images| &images.foreground) {
        let tests = images.iter().flat_map(|i| &i.train_against_test);
        let anova = tests
            .filter(|test| test.class == row.class && ["train", "test"].contains(&&*row.split))
            .find_map(|test| test.anova);
        let mut cells = vec![
            class_name(description, row.class),
            row.split.clone(),
            row.share.map_or(0, |share| share.count).to_string(),
        ];
        cells.extend(share(row.share));
        cells.extend([number(anova.map(|a| a.f)), number(anova.map(|a| a.p_value))]);
        csv.row(cells);
    }
    csv.named("foreground")
}

fn columns(description: &Description, table: &TableDescription) -> CsvTable {
    let mut heading: Vec<String> = [
        "column", "count", "missing", "unique", "mean", "sd", "min", "q1", "median", "q3", "max",
        "f", "p",
    ]
    .map(str::to_owned)
    .to_vec();
    heading.extend(description.classes.iter().map(|c| format!("mean of {c}")));
    let mut csv = Csv::new(&heading);
    for column in &table.columns {
        let Column {
            mean,
            sd,
            min,
            q1,
            median,
            q3,
            max,
            ..
        } = *column;
        let mut cells = vec![column.name.clone()];
        cells.extend([column.count, column.missing, column.unique].map(|n| n.to_string()));
        cells.extend([mean, sd, min, q1, median, q3, max].map(number));
        let anova = column.classes_differ;
        cells.extend([number(anova.map(|a| a.f)), number(anova.map(|a| a.p_value))]);
        cells.extend(column.class_means.iter().copied().map(number));
        csv.row(cells);
    }
    csv.named("columns")
}

fn matrix(table: &TableDescription, values: &[Vec<Option<f64>>]) -> Csv {
    let names = table.columns.iter().take(values.len());
    let names: Vec<String> = names.map(|column| column.name.clone()).collect();
    let mut csv = Csv::new(&[&["column".to_owned()][..], &names].concat());
    for (name, row) in names.iter().zip(values) {
        let cells = row.iter().copied().map(number);
        csv.row(std::iter::once(name.clone()).chain(cells));
    }
    csv
}

fn distributions(description: &Description, table: &TableDescription) -> CsvTable {
    let mut csv = Csv::new(&["column", "class", "from", "to", "rows"]);
    for column in &table.columns {
        let Some(distribution) = &column.distribution else {
            continue;
        };
        for (class, counts) in distribution.counts.iter().enumerate() {
            for (bin, rows) in distribution.edges.windows(2).zip(counts) {
                csv.row([
                    column.name.clone(),
                    class_name(description, class),
                    bin[0].to_string(),
                    bin[1].to_string(),
                    rows.to_string(),
                ]);
            }
        }
    }
    csv.named("distributions")
}

fn duplicates(description: &Description) -> CsvTable {
    let mut csv = Csv::new(&[
        "split",
        "row",
        "name",
        "class",
        "first_split",
        "first_row",
        "first_name",
        "first_class",
        "similarity",
    ]);
    let leakage = &description.leakage;
    let near = leakage.near.iter().flatten();
    for found in leakage.across.iter().chain(near).chain(&leakage.within) {
        let place = |place: &crate::leakage::Place| {
            let class = class_name(description, place.class);
            [
                place.split.clone(),
                place.row.to_string(),
                place.name.clone(),
                class,
            ]
        };
        let both = [place(&found.copy), place(&found.original)].concat();
        csv.row(both.into_iter().chain([found.similarity.to_string()]));
    }
    csv.named("duplicates")
}

fn layouts(description: &Description) -> Vec<CsvTable> {
    let Some(embeddings) = &description.embeddings else {
        return Vec::new();
    };
    let one = |layout: &crate::embed::Layout| {
        let mut csv = Csv::new(&["split", "row", "class", "x", "y"]);
        for (row, [x, y]) in embeddings.rows.iter().zip(&layout.points) {
            csv.row([
                row.split.clone(),
                row.row.to_string(),
                class_name(description, row.class),
                x.to_string(),
                y.to_string(),
            ]);
        }
        csv.named(layout.method.name())
    };
    embeddings.layouts.iter().map(one).collect()
}

fn share(summary: Option<Summary>) -> [String; 3] {
    [
        number(summary.map(|s| s.median)),
        number(summary.map(|s| s.mean)),
        number(summary.map(|s| s.variance)),
    ]
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

/// Lines of comma-separated cells (RFC 4180, with line feeds alone).
struct Csv(String);

impl Csv {
    fn new(heading: &[impl AsRef<str>]) -> Self {
        let mut csv = Self(String::new());
        csv.row(heading.iter().map(|cell| cell.as_ref().to_owned()));
        csv
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let quoted = cells.into_iter().map(|cell| {
            if cell.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell
            }
        });
        let line: Vec<String> = quoted.collect();
        self.0.push_str(&line.join(","));
        self.0.push('\n');
    }

    fn named(self, name: &'static str) -> CsvTable {
        CsvTable { name, text: self.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        let mut csv = Csv::new(&["a", "b"]);
        csv.row(["T-shirt, top".to_owned(), "5\" wide".to_owned()]);
        assert_eq!(csv.0, "a,b\n\"T-shirt, top\",\"5\"\" wide\"\n");
    }
}
