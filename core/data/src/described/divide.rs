//! Rows divided into training, validation and test.

use std::collections::HashMap;

use super::document::{Division, Source};
use super::text::Csv;
use crate::digest::sha256;
use crate::error::{DataError, Result};
use crate::random::Random;

/// Names the stream of random numbers that shuffles rows.
const PURPOSE: u64 = 0x6469_7669_6465;

/// Rows of each split, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Divided {
    /// Train, validation, test.
    pub(crate) rows: [Vec<usize>; 3],
    /// Rows whose mask this division takes away.
    pub(crate) unmasked: Vec<usize>,
    pub(crate) notes: Vec<String>,
}

/// How many of `n` rows go to train, validation and test.
pub(crate) fn counts(n: usize, shares: [f64; 3]) -> [usize; 3] {
    let part = |share: f64, left: usize| ((n as f64 * share).round() as usize).min(left);
    let test = part(shares[2], n);
    let validation = part(shares[1], n - test);
    // Rounding may leave one for a split that should have none.
    if shares[0] == 0.0 {
        return [0, n - test, test];
    }
    [n - test - validation, validation, test]
}

/// Within each class the rows are shuffled by (seed, class name) and cut.
pub(crate) fn stratified(
    labels: &[u16],
    classes: &[String],
    shares: [f64; 3],
    seed: u64,
) -> Divided {
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); classes.len()];
    for (row, &label) in labels.iter().enumerate() {
        if let Some(rows) = of_class.get_mut(usize::from(label)) {
            rows.push(row);
        }
    }
    let mut divided = Divided::default();
    for (rows, class) in of_class.iter_mut().zip(classes) {
        let digest = sha256(class.as_bytes());
        let mut key = [0; 8];
        key.copy_from_slice(&digest[..8]);
        let mut random = Random::new(&[PURPOSE, seed, u64::from_le_bytes(key)]);
        for last in (1..rows.len()).rev() {
            rows.swap(last, random.below(last + 1));
        }
        let [train, validation, _] = counts(rows.len(), shares);
        divided.rows[0].extend(&rows[..train]);
        divided.rows[1].extend(&rows[train..train + validation]);
        divided.rows[2].extend(&rows[train + validation..]);
    }
    divided
        .rows
        .iter_mut()
        .for_each(|rows| rows.sort_unstable());
    divided
}

/// A row as lists name it.
pub(crate) struct Named<'n> {
    /// Class folder.
    pub(crate) class: &'n str,
    /// File name without its extension.
    pub(crate) stem: &'n str,
    /// File name.
    pub(crate) file: &'n str,
}

/// As the lists in a CSV say.
pub(crate) fn listed(
    source: &Source,
    division: &Division,
    rows: &[Named<'_>],
    used: &dyn Fn(&str) -> bool,
) -> Result<Divided> {
    let Division::Lists { file, parts, mask } = division else {
        return Ok(Divided::default());
    };
    let path = std::path::Path::new(file);
    let csv = Csv::parse(path, &source.beside(file)?, b',')?;
    let [list, class, name] = ["list", "class", "name"].map(|column| csv.column(column));
    let (list, class, name) = (list?, class?, name?);
    let mask = mask.as_ref().map(|mask| csv.column(mask)).transpose()?;
    let mut by_name: HashMap<(&str, &str), usize> = HashMap::new();
    for (row, named) in rows.iter().enumerate() {
        by_name.insert((named.class, named.stem), row);
        by_name.insert((named.class, named.file), row);
    }
    for wanted in parts.iter().flatten() {
        if !csv.rows.iter().any(|(_, row)| &row[list] == wanted) {
            let reason = format!("there is no list \"{wanted}\"");
            return Err(DataError::table(
                path,
                1,
                "list",
                reason,
                "name a list that is there",
            ));
        }
    }
    // Per row: in which splits, and whether a list keeps its mask.
    let mut member = vec![[false; 3]; rows.len()];
    let mut kept = vec![true; rows.len()];
    let mut repeats = 0;
    for (line, row) in &csv.rows {
        let part = parts
            .iter()
            .position(|lists| lists.iter().any(|l| l == &row[list]));
        let Some(part) = part.filter(|_| used(&row[class])) else {
            continue;
        };
        let Some(&found) = by_name.get(&(&row[class], &row[name])) else {
            return Err(DataError::table(
                path,
                *line,
                "name",
                format!("there is no image \"{}/{}\"", &row[class], &row[name]),
                "add the image, or take the line out",
            ));
        };
        repeats += usize::from(member[found][part]);
        member[found][part] = true;
        kept[found] &= mask.is_none_or(|mask| row[mask] != *"0");
    }
    let mut divided = Divided::default();
    for (row, member) in member.iter().enumerate() {
        for (rows, _) in divided.rows.iter_mut().zip(member).filter(|(_, m)| **m) {
            rows.push(row);
        }
    }
    divided.unmasked = (0..rows.len()).filter(|&row| !kept[row]).collect();
    let both = |a: usize, b: usize| member.iter().filter(|m| m[a] && m[b]).count();
    let names = ["training", "validation", "test"];
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        if both(a, b) > 0 {
            divided.notes.push(format!(
                "leak: {} images stand in both the {} and the {} split of the lists",
                both(a, b),
                names[a],
                names[b]
            ));
        }
    }
    if repeats > 0 {
        divided.notes.push(format!(
            "{repeats} images stand twice in a list and count once"
        ));
    }
    let left = member.iter().filter(|m| **m == [false; 3]).count();
    if left > 0 {
        divided
            .notes
            .push(format!("{left} images stand in no list and were left out"));
    }
    Ok(divided)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_rounded_shares_that_add_up() {
        assert_eq!(counts(437, [0.8, 0.1, 0.1]), [349, 44, 44]);
        assert_eq!(counts(210, [0.8, 0.1, 0.1]), [168, 21, 21]);
        assert_eq!(counts(1, [0.8, 0.1, 0.1]), [1, 0, 0]);
        assert_eq!(counts(5, [0.0, 0.5, 0.5]), [0, 2, 3]);
        assert_eq!(counts(5, [0.0, 0.0, 1.0]), [0, 0, 5]);
        assert_eq!(counts(1, [0.0, 0.5, 0.5]), [0, 0, 1]);
        assert_eq!(counts(0, [0.8, 0.0, 0.2]), [0, 0, 0]);
    }

    #[test]
    fn every_row_lands_once_and_a_class_does_not_depend_on_the_others() {
        let labels: Vec<u16> = (0..100).map(|i| u16::from(i % 4 == 0)).collect();
        let names = ["a".to_owned(), "b".to_owned()];
        let divided = stratified(&labels, &names, [0.8, 0.1, 0.1], 3);
        let mut all = divided.rows.concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        let of_b = |rows: &[usize]| rows.iter().filter(|&&row| row % 4 == 0).count();
        let found = divided.rows.each_ref().map(|rows| (rows.len(), of_b(rows)));
        // 75 of a: 59, 8, 8; 25 of b: 19, 3, 3 (2.5 rounds up).
        assert_eq!(found, [(78, 19), (11, 3), (11, 3)]);
        assert_eq!(divided, stratified(&labels, &names, [0.8, 0.1, 0.1], 3));
        assert_ne!(divided, stratified(&labels, &names, [0.8, 0.1, 0.1], 4));
        // Class b alone, its rows renumbered.
        let alone = stratified(&[0; 25], &names[1..], [0.8, 0.1, 0.1], 3);
        let b: Vec<usize> = divided.rows[2]
            .iter()
            .filter(|&&row| row % 4 == 0)
            .map(|row| row / 4)
            .collect();
        assert_eq!(alone.rows[2], b);
    }
}
