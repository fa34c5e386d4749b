//! A description as tables for the terminal.

use xbench_describe::images::ImageDescription;
use xbench_describe::leakage::{Copy, Leakage};
use xbench_describe::masks::MaskDescription;
use xbench_describe::table::TableDescription;
use xbench_describe::{Description, Summary};

use crate::number::{fixed, significant};
use crate::style::{Emphasis, Style, clean};
use crate::table::{Cell, Table, TableColumn};

/// Copies that are listed; the rest is counted.
const LISTED_COPIES: usize = 10;
/// Pairs of columns that are listed.
const LISTED_PAIRS: usize = 8;
/// A correlation worth listing.
const STRONG: f64 = 0.7;
/// Mean shares beyond this are of images without a black ground.
const NO_GROUND: f64 = 0.9;
/// Below this a difference is marked, as studies do.
const SIGNIFICANT: f64 = 0.05;

/// All tables of a description, with a heading each.
#[must_use]
pub fn describe_text(description: &Description, style: &Style) -> String {
    let mut text = head(description, style);
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            text.push_str(&format!("\n{}\n{body}", style.paint(title, Emphasis::Bold)));
        }
    };
    section("Rows per class", counts(description, style));
    if let Some(images) = &description.images {
        section(
            "Share of pixels above 0",
            foreground(description, images, style),
        );
        section("Pixels / 255", pixels(images, style));
    }
    if let Some(masks) = &description.masks {
        let title = if masks.by_rule {
            "Object masks (by rule, from the pixels)"
        } else {
            "Object masks"
        };
        section(title, mask_table(description, masks, style));
    }
    if let Some(table) = &description.table {
        section("Columns, over all splits", columns(table, style));
        section(
            "Mean of each column by class",
            means(description, table, style),
        );
        section("Strongest correlations", pairs(table, style));
    }
    section("Embeddings", embeddings(description, style));
    section(
        "Rows that stand in the set twice",
        copies(description, &description.leakage, style),
    );
    let notes: Vec<String> = description
        .notes
        .iter()
        .map(|note| format!("{} {}\n", style.dot(), clean(note)))
        .collect();
    section("Notes", notes.concat());
    text
}

fn class(description: &Description, class: usize, style: &Style) -> String {
    let name = description.classes.get(class).map_or("?", String::as_str);
    style.elide_middle(&clean(name), 24)
}

fn head(description: &Description, style: &Style) -> String {
    let rows: usize = description.splits.iter().map(|split| split.rows).sum();
    let shape = match *description.shape {
        [c, h, w] => format!("{rows} images of {c}{x}{h}{x}{w}", x = style.pick("×", "x")),
        [columns] => format!("{rows} rows of {columns} columns"),
        _ => format!("{rows} rows"),
    };
    let hash = description.content_hash.get(..12).unwrap_or_default();
    let title = style.paint(&clean(&description.set), Emphasis::Bold);
    let classes = description.classes.len();
    format!("{title}  {shape}, {classes} classes, content {hash}\n")
}

fn counts(description: &Description, style: &Style) -> String {
    if description.splits.is_empty() {
        return String::new();
    }
    let mut columns = vec![TableColumn::left("class")];
    for split in &description.splits {
        columns.push(TableColumn::right(&split.split));
        columns.push(TableColumn::right("%"));
    }
    let mut table = Table::new(columns);
    let share = |part: usize, whole: usize| fixed(part as f64 / whole as f64 * 100.0, 1, style);
    for number in 0..description.classes.len() {
        let mut cells = vec![Cell::new(class(description, number, style))];
        for split in &description.splits {
            let rows = split.per_class.get(number).copied().unwrap_or(0);
            cells.push(Cell::new(rows.to_string()));
            cells.push(Cell::styled(share(rows, split.rows), Emphasis::Dim));
        }
        table.row(cells);
    }
    let mut cells = vec![Cell::styled("all", Emphasis::Bold)];
    for split in &description.splits {
        cells.push(Cell::styled(split.rows.to_string(), Emphasis::Bold));
        cells.push(Cell::default());
    }
    table.row(cells);
    table.render(style)
}

fn summary_cells(share: Option<Summary>, style: &Style) -> Vec<Cell> {
    let Some(share) = share else {
        return vec![Cell::styled(style.dash(), Emphasis::Dim); 3];
    };
    [(share.median, 4), (share.mean, 4), (share.variance, 5)]
        .map(|(value, decimals)| Cell::new(fixed(value, decimals, style)))
        .to_vec()
}

fn foreground(description: &Description, images: &ImageDescription, style: &Style) -> String {
    // Three splits side by side are too wide; the others stand in the CSV file.
    let all = description.splits.iter().map(|s| s.split.as_str());
    let splits: Vec<&str> = if description.splits.len() > 2 {
        all.filter(|name| ["train", "test"].contains(name))
            .collect()
    } else {
        all.collect()
    };
    let mut columns = vec![TableColumn::left("class")];
    for split in &splits {
        columns.push(TableColumn::right(&format!("{split}: median")));
        columns.extend(["mean", "variance"].map(TableColumn::right));
    }
    let tested = !images.train_against_test.is_empty();
    if tested {
        columns.push(TableColumn::right("train/test: F"));
        columns.push(TableColumn::right("p"));
    }
    let mut table = Table::new(columns);
    for number in 0..description.classes.len() {
        let mut cells = vec![Cell::new(class(description, number, style))];
        for split in &splits {
            let mut rows = images.foreground.iter();
            let row = rows.find(|row| row.class == number && row.split == *split);
            cells.extend(summary_cells(row.and_then(|row| row.share), style));
        }
        if tested {
            let mut tests = images.train_against_test.iter();
            let anova = tests.find(|t| t.class == number).and_then(|t| t.anova);
            match anova {
                Some(anova) => {
                    cells.push(Cell::new(fixed(anova.f, 3, style)));
                    let emphasis = if anova.p_value < SIGNIFICANT {
                        Emphasis::Caution
                    } else {
                        Emphasis::Plain
                    };
                    cells.push(Cell::styled(fixed(anova.p_value, 4, style), emphasis));
                }
                None => cells.extend(vec![Cell::styled(style.dash(), Emphasis::Dim); 2]),
            }
        }
        table.row(cells);
    }
    let cut = if splits.len() < description.splits.len() {
        "the other splits stand in foreground.csv\n"
    } else {
        ""
    };
    let mut means = images.foreground.iter().filter_map(|row| row.share);
    let note = if means.all(|share| share.mean > NO_GROUND) {
        "nearly every pixel is above 0: the ground is not black, so these shares say little\n"
    } else {
        ""
    };
    table.render(style) + &style.paint(&format!("{cut}{note}"), Emphasis::Dim)
}

fn pixels(images: &ImageDescription, style: &Style) -> String {
    let mut table = Table::new(vec![
        TableColumn::left("split"),
        TableColumn::right("channel"),
        TableColumn::right("mean"),
        TableColumn::right("sd"),
    ]);
    for row in &images.pixels {
        table.row(vec![
            Cell::new(&row.split),
            Cell::new(row.channel.to_string()),
            Cell::new(fixed(row.mean, 4, style)),
            Cell::new(fixed(row.sd, 4, style)),
        ]);
    }
    table.render(style)
}

fn mask_table(description: &Description, masks: &MaskDescription, style: &Style) -> String {
    let mut table = Table::new(vec![
        TableColumn::left("class"),
        TableColumn::left("split"),
        TableColumn::right("images"),
        TableColumn::right("no mask"),
        TableColumn::right("empty mask"),
        TableColumn::right("object share: median"),
        TableColumn::right("mean"),
        TableColumn::right("variance"),
    ]);
    let marked = |count: usize| {
        if count == 0 {
            Cell::styled(style.dot(), Emphasis::Dim)
        } else {
            Cell::styled(count.to_string(), Emphasis::Caution)
        }
    };
    for row in &masks.rows {
        let mut cells = vec![
            Cell::new(class(description, row.class, style)),
            Cell::new(&row.split),
            Cell::new(row.images.to_string()),
            marked(row.images - row.with_mask),
            marked(row.empty),
        ];
        cells.extend(summary_cells(row.share, style));
        table.row(cells);
    }
    table.render(style)
}

fn columns(table: &TableDescription, style: &Style) -> String {
    if table.columns.is_empty() {
        return String::new();
    }
    let heading = [
        "missing", "unique", "mean", "sd", "min", "q1", "median", "q3", "max", "F",
    ];
    let mut columns = vec![TableColumn::left("column")];
    columns.extend(heading.map(TableColumn::right));
    let mut text = Table::new(columns);
    let number = |value: Option<f64>| value.map_or_else(|| style.dash().to_owned(), significant);
    for column in &table.columns {
        let mut cells = vec![
            Cell::new(style.elide_middle(&clean(&column.name), (style.width / 3).max(12))),
            Cell::new(column.missing.to_string()),
            Cell::new(column.unique.to_string()),
        ];
        let values = [
            column.mean,
            column.sd,
            column.min,
            column.q1,
            column.median,
            column.q3,
            column.max,
            column.classes_differ.map(|anova| anova.f),
        ];
        cells.extend(values.map(|value| Cell::new(number(value))));
        text.row(cells);
    }
    let note = "sd: divided by n - 1; F: one-way analysis of variance over the classes";
    format!(
        "{}{}\n",
        text.render(style),
        style.paint(note, Emphasis::Dim)
    )
}

fn means(description: &Description, table: &TableDescription, style: &Style) -> String {
    let classes = description.classes.len();
    // Twelve columns of text for a class are the least that can be read.
    if table.columns.is_empty() || classes > style.width / 12 {
        return String::new();
    }
    let mut columns = vec![TableColumn::left("column")];
    columns.extend((0..classes).map(|c| TableColumn::right(&class(description, c, style))));
    let mut text = Table::new(columns);
    for column in &table.columns {
        let name = style.elide_middle(&clean(&column.name), (style.width / 3).max(12));
        let mut cells = vec![Cell::new(name)];
        cells.extend(
            column
                .class_means
                .iter()
                .map(|mean| Cell::new(mean.map_or_else(|| style.dash().to_owned(), significant))),
        );
        text.row(cells);
    }
    text.render(style)
}

fn pairs(table: &TableDescription, style: &Style) -> String {
    let mut found = Vec::new();
    for (a, row) in table.pearson.iter().enumerate() {
        for (b, value) in row.iter().enumerate().take(a) {
            let rank = table.spearman.get(a).and_then(|r| r.get(b)).copied();
            if let Some(r) = value.filter(|r| r.abs() >= STRONG) {
                found.push((r, rank.flatten(), b, a));
            }
        }
    }
    if found.is_empty() {
        return String::new();
    }
    found.sort_by(|x, y| y.0.abs().total_cmp(&x.0.abs()));
    let mut text = Table::new(vec![
        TableColumn::right("Pearson"),
        TableColumn::right("Spearman"),
        TableColumn::prose("columns"),
    ]);
    let name = |i: usize| table.columns.get(i).map_or("?", |c| c.name.as_str());
    for &(r, rank, a, b) in found.iter().take(LISTED_PAIRS) {
        text.row(vec![
            Cell::new(fixed(r, 3, style)),
            Cell::new(fixed(rank.unwrap_or(f64::NAN), 3, style)),
            Cell::new(format!("{}, {}", name(a), name(b))),
        ]);
    }
    let rest = found.len().saturating_sub(LISTED_PAIRS);
    let rest = if rest > 0 {
        format!("and {rest} more pairs with a Pearson correlation of {STRONG} or beyond\n")
    } else {
        String::new()
    };
    text.render(style) + &style.paint(&rest, Emphasis::Dim)
}

fn embeddings(description: &Description, style: &Style) -> String {
    let Some(embeddings) = &description.embeddings else {
        return String::new();
    };
    let mut table = Table::new(vec![
        TableColumn::left("layout"),
        TableColumn::right("rows"),
        TableColumn::right("trustworthiness"),
        TableColumn::right("continuity"),
        TableColumn::right("neighbours"),
    ]);
    for layout in &embeddings.layouts {
        let trust = &layout.trust;
        table.row(vec![
            Cell::new(layout.method.title()),
            Cell::new(layout.points.len().to_string()),
            Cell::new(fixed(trust.trustworthiness, 4, style)),
            Cell::new(fixed(trust.continuity, 4, style)),
            Cell::new(trust.neighbours.to_string()),
        ]);
    }
    let note = "1: all neighbours of the layout (of the data) are neighbours in the data (in the \
                layout); about .5: chance";
    format!(
        "{}{}\n",
        table.render(style),
        style.paint(note, Emphasis::Dim)
    )
}

fn copies(description: &Description, leakage: &Leakage, style: &Style) -> String {
    let mut text = String::new();
    let kinds = [
        ("also in an earlier split", Some(&leakage.across)),
        (
            "nearly the same as one in an earlier split (to look at)",
            leakage.near.as_ref(),
        ),
        ("repeated within their split", Some(&leakage.within)),
    ];
    for (kind, found) in kinds {
        let Some(found) = found else {
            continue;
        };
        let differ = found.iter().filter(|copy| !copy.same_label).count();
        let emphasis = if found.is_empty() {
            Emphasis::Plain
        } else {
            Emphasis::Caution
        };
        let count = style.paint(&found.len().to_string(), emphasis);
        text.push_str(&format!("{count} rows {kind}"));
        if differ > 0 {
            text.push_str(&format!(", {differ} of them with another label"));
        }
        text.push('\n');
        for copy in found.iter().take(LISTED_COPIES) {
            text.push_str(&format!("  {}\n", copy_line(description, copy, style)));
        }
        if found.len() > LISTED_COPIES {
            let rest = format!(
                "  and {} more, in duplicates.csv",
                found.len() - LISTED_COPIES
            );
            text.push_str(&style.paint(&rest, Emphasis::Dim));
            text.push('\n');
        }
    }
    text
}

fn copy_line(description: &Description, copy: &Copy, style: &Style) -> String {
    let place = |place: &xbench_describe::leakage::Place| {
        let name = if place.name.is_empty() {
            String::new()
        } else {
            format!(" {}", clean(&place.name))
        };
        let class = class(description, place.class, style);
        format!("{}[{}]{name} ({class})", place.split, place.row)
    };
    let (copied, original) = (place(&copy.copy), place(&copy.original));
    if copy.similarity < 1.0 {
        let near = style.pick("≈", "~");
        // Rounded down: 1 is for equal rows alone.
        let similarity = (f64::from(copy.similarity) * 1e4).floor() / 1e4;
        let similarity = fixed(similarity, 4, style);
        format!("{copied} {near} {original}, similarity {similarity}")
    } else {
        format!("{copied} = {original}")
    }
}
