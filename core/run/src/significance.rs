//! Which explainers differ on which score, by how much, and how sure that is.

use rayon::prelude::*;
use xbench_record::table::DifferenceRow;
use xbench_stats::{PairedComparison, Resamples, SignFlips, compare_pairs, holm};

use crate::scored::{Role, ScoredModel};

/// Level of all tests.
pub(crate) const ALPHA: f64 = 0.05;

/// Every pair of explainers of a model on every score, pairs of two controls left out.
///
/// Differences are paired image by image; an image counts where both have a value. p values are
/// corrected over the pairs of one model and score (Holm).
pub(crate) fn differences(
    scored: &[ScoredModel<'_>],
    resamples: &Resamples,
    flips: &SignFlips,
) -> Vec<DifferenceRow> {
    scored
        .par_iter()
        .flat_map_iter(|model| of_model(model, resamples, flips))
        .collect()
}

fn of_model(
    model: &ScoredModel<'_>,
    resamples: &Resamples,
    flips: &SignFlips,
) -> Vec<DifferenceRow> {
    let cells = &model.cells;
    let pairs: Vec<(usize, usize)> = (0..cells.len())
        .flat_map(|a| (a + 1..cells.len()).map(move |b| (a, b)))
        .filter(|&(a, b)| [a, b].map(|at| cells[at].role).contains(&Role::Contestant))
        .collect();
    let columns: Vec<&[Option<f64>]> = cells.iter().map(|cell| cell.values).collect();
    let found = compare_pairs(&columns, &pairs, resamples, flips);
    let tested: Vec<f64> = found.iter().flatten().map(|one| one.wilcoxon).collect();
    let mut corrected = holm(&tested).into_iter();
    pairs
        .iter()
        .zip(found)
        .map(|(&(a, b), found)| {
            let p_holm = found.and_then(|_| corrected.next());
            let shared = found.map_or(0, |found| found.difference.n);
            DifferenceRow {
                dataset: model.dataset.to_owned(),
                model: model.model.to_owned(),
                score: model.score.id.to_owned(),
                explainer_a: cells[a].explainer.to_owned(),
                explainer_b: cells[b].explainer.to_owned(),
                not_applicable: resamples.images() - shared,
                verdict: verdict(found.as_ref(), p_holm, model.sign()),
                found,
                p_holm,
            }
        })
        .collect()
}

/// What a pair comes to: told apart where the corrected test says so and the interval of the mean
/// lies on one side of 0, since the two can disagree on skewed differences.
fn verdict(
    found: Option<&PairedComparison>,
    p_holm: Option<f64>,
    sign: Option<f64>,
) -> &'static str {
    let (Some(found), Some(p)) = (found, p_holm) else {
        return "not measured";
    };
    let one_sided = found.difference.low > 0.0 || found.difference.high < 0.0;
    if p >= ALPHA || !one_sided {
        return "undecided";
    }
    match sign.map(|sign| sign * found.difference.mean > 0.0) {
        Some(true) => "better",
        Some(false) => "worse",
        None if found.difference.mean > 0.0 => "higher",
        None => "lower",
    }
}

/// Whether a row's explainers are told apart.
pub(crate) fn told_apart(row: &DifferenceRow) -> bool {
    matches!(row.verdict, "better" | "worse" | "higher" | "lower")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scored::tests::{model, wave};

    fn found(score: &str, cells: &[(&str, Role, Vec<Option<f64>>)]) -> Vec<DifferenceRow> {
        let images = cells[0].2.len();
        let (resamples, flips) = (
            Resamples::new(images, 300, 1),
            SignFlips::new(images, 999, 1),
        );
        differences(&[model(score, cells)], &resamples, &flips)
    }

    #[test]
    fn pairs_are_judged_by_the_scores_direction() {
        let cells = [
            ("good", Role::Contestant, wave(0.8, 0.1, 1, 60)),
            ("poor", Role::Contestant, wave(0.4, 0.1, 2, 60)),
            ("random", Role::Random, wave(0.4, 0.1, 2, 60)),
            ("constant", Role::Control, vec![None; 60]),
        ];
        let rows = found("auroc", &cells);
        let verdicts: Vec<&str> = rows.iter().map(|row| row.verdict).collect();
        assert_eq!(
            verdicts,
            [
                "better",
                "better",
                "not measured",
                "undecided",
                "not measured"
            ]
        );
        assert_eq!(rows[2].not_applicable, 60);
        assert!(rows[0].p_holm.unwrap() >= rows[0].found.unwrap().wilcoxon);
        assert_eq!(rows[3].p_holm, Some(1.0));
        assert_eq!(found("deletion_auc", &cells)[0].verdict, "worse");
        assert_eq!(found("gini", &cells)[0].verdict, "higher");
        assert!(told_apart(&rows[0]) && !told_apart(&rows[3]));
    }

    #[test]
    fn one_image_or_one_explainer_decides_nothing() {
        let cells = [
            ("a", Role::Contestant, vec![Some(1.0)]),
            ("b", Role::Contestant, vec![Some(0.0)]),
        ];
        assert_eq!(found("auroc", &cells)[0].verdict, "undecided");
        assert!(found("auroc", &cells[..1]).is_empty());
    }
}
