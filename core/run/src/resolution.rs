//! What can a suite's images tell apart, and how many would be needed?

use std::collections::BTreeMap;

use xbench_record::table::{DifferenceRow, ResolutionRow};
use xbench_stats::{WILCOXON_EFFICIENCY_LEAST, detectable_difference, images_needed, median};

use crate::scored::{Role, ScoredModel};
use crate::significance::{ALPHA, told_apart};

/// Probability with which a difference is to be found.
const POWER: f64 = 0.8;

/// A row per model and score, from the pairs of explainers that are no controls.
///
/// The smallest difference that is found with 80% power at level 0.05 (two-sided, one test alone)
/// is that of the paired t test for the median standard deviation of differences and the median
/// number of images that a pair has in common; for the Wilcoxon test where it is least efficient.
pub(crate) fn resolution(
    scored: &[ScoredModel<'_>],
    differences: &[DifferenceRow],
) -> Vec<ResolutionRow> {
    let mut own: BTreeMap<(&str, &str), Vec<&DifferenceRow>> = BTreeMap::new();
    for row in differences {
        own.entry((&row.model, &row.score)).or_default().push(row);
    }
    scored
        .iter()
        .map(|model| {
            let own = own.get(&(model.model, model.score.id));
            of_model(model, own.map_or(&[], Vec::as_slice))
        })
        .collect()
}

fn of_model(model: &ScoredModel<'_>, rows: &[&DifferenceRow]) -> ResolutionRow {
    let contestant = |label: &str| {
        let mut cells = model.cells.iter();
        cells.any(|cell| cell.explainer == label && cell.role == Role::Contestant)
    };
    let pairs: Vec<&&DifferenceRow> = rows
        .iter()
        .filter(|row| contestant(&row.explainer_a) && contestant(&row.explainer_b))
        .filter(|row| row.found.is_some())
        .collect();
    let found = || pairs.iter().filter_map(|row| row.found.as_ref());
    let deviations: Vec<f64> = found().filter_map(|one| one.deviation).collect();
    let shared: Vec<f64> = found().map(|one| one.difference.n as f64).collect();
    let deviation = median(&deviations);
    let n = median(&shared).unwrap_or(0.0).floor();
    let detectable =
        |efficiency: f64| detectable_difference(deviation?, n * efficiency, ALPHA, POWER);
    let mut row = ResolutionRow {
        dataset: model.dataset.to_owned(),
        model: model.model.to_owned(),
        score: model.score.id.to_owned(),
        n: n as usize,
        pairs: pairs.len(),
        told_apart: pairs.iter().filter(|row| told_apart(row)).count(),
        deviation,
        detectable: detectable(1.0),
        detectable_wilcoxon: detectable(WILCOXON_EFFICIENCY_LEAST),
        best: None,
        difference: None,
        p_holm: None,
        images_needed: None,
        images_needed_wilcoxon: None,
        verdict: String::new(),
    };
    row.verdict = match best_two(model) {
        Err(why) => why.to_owned(),
        Ok((best, second)) => {
            row.best = Some((best.to_owned(), second.to_owned()));
            let pair = pairs.iter().find(|row| {
                let labels = [row.explainer_a.as_str(), row.explainer_b.as_str()];
                labels == [best, second] || labels == [second, best]
            });
            match pair {
                Some(pair) => compare_best(&mut row, pair),
                None => "n/a: no image in common".to_owned(),
            }
        }
    };
    row
}

/// The two contestants with the best means, the first of equals first.
fn best_two<'a>(model: &'a ScoredModel<'_>) -> Result<(&'a str, &'a str), &'static str> {
    let sign = model.sign().ok_or("n/a: no end of the score is better")?;
    let mut ranked: Vec<(&str, f64)> = model
        .contestants()
        .filter_map(|cell| Some((cell.explainer, sign * cell.mean()?)))
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    match ranked.as_slice() {
        [(best, _), (second, _), ..] => Ok((best, second)),
        _ => Err("n/a: fewer than two explainers have a value"),
    }
}

fn compare_best(row: &mut ResolutionRow, pair: &DifferenceRow) -> String {
    let Some(found) = &pair.found else {
        return "n/a: no image in common".to_owned();
    };
    let mean = found.difference.mean;
    row.difference = Some(mean.abs());
    row.p_holm = pair.p_holm;
    let Some(deviation) = found.deviation else {
        return "n/a: one image".to_owned();
    };
    if deviation > 0.0 {
        let needed = |efficiency| images_needed(mean / deviation, ALPHA, POWER, efficiency);
        row.images_needed = needed(1.0);
        row.images_needed_wilcoxon = needed(WILCOXON_EFFICIENCY_LEAST);
    }
    match row.images_needed {
        _ if told_apart(pair) => "told apart".to_owned(),
        _ if mean == 0.0 => "equal".to_owned(),
        Some(needed) if needed > found.difference.n as u64 => {
            format!("undecided: about {needed} images would tell the two best apart")
        }
        Some(_) => "undecided: close, and many pairs are tested at once".to_owned(),
        None => "undecided: no number of images in reach would tell the two best apart".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use xbench_stats::{Resamples, SignFlips};

    use super::*;
    use crate::scored::tests::{model, wave};
    use crate::significance::differences;

    fn found(score: &str, cells: &[(&str, Role, Vec<Option<f64>>)]) -> ResolutionRow {
        let images = cells[0].2.len();
        let model = model(score, cells);
        let rows = differences(
            std::slice::from_ref(&model),
            &Resamples::new(images, 300, 1),
            &SignFlips::new(images, 999, 1),
        );
        resolution(&[model], &rows).remove(0)
    }

    #[test]
    fn the_two_best_are_told_apart_or_the_images_counted() {
        let near = [
            ("a", Role::Contestant, wave(0.500, 0.1, 1, 60)),
            ("b", Role::Contestant, wave(0.501, 0.1, 2, 60)),
            ("c", Role::Contestant, wave(0.200, 0.1, 3, 60)),
            ("oracle", Role::Oracle, wave(0.900, 0.1, 3, 60)),
        ];
        let row = found("auroc", &near);
        assert_eq!((row.n, row.pairs, row.told_apart), (60, 3, 2));
        let (best, second) = row.best.clone().unwrap();
        assert!(["a", "b"].contains(&best.as_str()) && second != "c");
        assert!(row.verdict.starts_with("undecided: about "), "{row:?}");
        assert!(row.images_needed.unwrap() > 60);
        assert!(row.images_needed_wilcoxon > row.images_needed);
        assert!(row.detectable_wilcoxon > row.detectable);
        // Lower is better: the best two are c and one of the others, far apart.
        let row = found("deletion_auc", &near);
        assert_eq!(row.best.unwrap().0, "c");
        assert_eq!(row.verdict, "told apart");
    }

    #[test]
    fn degenerate_suites_have_a_reason() {
        let equal = |label| (label, Role::Contestant, wave(0.5, 0.1, 1, 20));
        assert_eq!(found("auroc", &[equal("a"), equal("b")]).verdict, "equal");
        let one = found("auroc", &[equal("a")]);
        assert_eq!((one.pairs, one.detectable), (0, None));
        assert!(one.verdict.contains("fewer than two"));
        assert!(
            found("gini", &[equal("a"), equal("b")])
                .verdict
                .contains("no end")
        );
        let image = |label, value| (label, Role::Contestant, vec![Some(value)]);
        let row = found("auroc", &[image("a", 0.1), image("b", 0.2)]);
        assert_eq!(row.verdict, "n/a: one image");
        let apart = [
            ("a", Role::Contestant, vec![Some(0.5), None]),
            ("b", Role::Contestant, vec![None, Some(0.5)]),
        ];
        assert_eq!(found("auroc", &apart).verdict, "n/a: no image in common");
        let none = [
            ("a", Role::Contestant, vec![None; 4]),
            ("b", Role::Contestant, vec![None; 4]),
        ];
        assert!(found("auroc", &none).verdict.starts_with("n/a"));
    }
}
