//! Are the explanations of some models better than those of others? Paired over the same rows.
//!
//! A row counts where every model of both sides has a value; of several models (seeds of one
//! training, say) their mean counts. The difference comes with a bootstrap interval over the rows
//! (percentiles, as everywhere) and a Wilcoxon signed-rank test, Holm-corrected over the lines of
//! one comparison.

use xbench_metrics::Direction;
use xbench_stats::{Resamples, holm, mean_interval_masked, wilcoxon_signed_rank};
use xbench_suite::Compare;

use crate::cells::CellResult;
use crate::session::Session;
use crate::summary::{ContrastSummary, Estimate};

/// All comparisons of the suite.
pub(crate) fn contrasts(
    session: &Session<'_>,
    results: &[CellResult],
    resamples: &Resamples,
) -> Vec<ContrastSummary> {
    let compare = &session.suite.compare;
    compare
        .iter()
        .flat_map(|one| corrected(lines(session, results, one, resamples)))
        .collect()
}

fn lines(
    session: &Session<'_>,
    results: &[CellResult],
    compare: &Compare,
    resamples: &Resamples,
) -> Vec<ContrastSummary> {
    let mut all = Vec::new();
    for explainer in &compare.explainers {
        for score in &compare.scores {
            let side = |labels: &[String]| -> Option<Vec<Option<f64>>> {
                let columns: Option<Vec<&[Option<f64>]>> = labels
                    .iter()
                    .map(|label| column(session, results, label, explainer, score))
                    .collect();
                columns.map(|columns| row_means(&columns))
            };
            let line = ContrastSummary {
                name: compare.name.clone(),
                explainer: explainer.clone(),
                score: score.clone(),
                models: None,
                against: None,
                difference: None,
                p: None,
                verdict: "not measured".to_owned(),
            };
            all.push(match (side(&compare.models), side(&compare.against)) {
                (Some(models), Some(against)) => measured(line, &models, &against, resamples),
                _ => line,
            });
        }
    }
    all
}

fn column<'r>(
    session: &Session<'_>,
    results: &'r [CellResult],
    model: &str,
    explainer: &str,
    score: &str,
) -> Option<&'r [Option<f64>]> {
    let cell = results.iter().find(|cell| {
        session.checked.models[cell.model].label == model
            && session.checked.explainers[cell.explainer].label == explainer
    })?;
    Some(cell.columns.get(score)?.values.as_slice())
}

/// Mean of the models' values of each row; none where one of them has none.
fn row_means(columns: &[&[Option<f64>]]) -> Vec<Option<f64>> {
    let rows = columns.first().map_or(0, |column| column.len());
    (0..rows)
        .map(|row| {
            let values: Option<Vec<f64>> = columns.iter().map(|column| column[row]).collect();
            values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
        })
        .collect()
}

fn measured(
    line: ContrastSummary,
    models: &[Option<f64>],
    against: &[Option<f64>],
    resamples: &Resamples,
) -> ContrastSummary {
    let pairs = || models.iter().zip(against);
    let both = |pick: fn(f64, f64) -> f64| -> Vec<Option<f64>> {
        pairs().map(|(a, b)| Some(pick((*a)?, (*b)?))).collect()
    };
    let estimate =
        |values: &[Option<f64>]| mean_interval_masked(values, resamples).map(Estimate::from);
    let differences = both(|a, b| a - b);
    let present: Vec<f64> = differences.iter().copied().flatten().collect();
    ContrastSummary {
        models: estimate(&both(|a, _| a)),
        against: estimate(&both(|_, b| b)),
        difference: estimate(&differences),
        p: wilcoxon_signed_rank(&present).map(|test| test.p_value),
        ..line
    }
}

/// Corrects the tests together and says what each line comes to.
fn corrected(mut lines: Vec<ContrastSummary>) -> Vec<ContrastSummary> {
    let tested: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].p.is_some()).collect();
    let raw: Vec<f64> = tested.iter().filter_map(|&i| lines[i].p).collect();
    for (&i, p) in tested.iter().zip(holm(&raw)) {
        lines[i].p = Some(p);
    }
    for line in &mut lines {
        let Some(difference) = line.difference else {
            continue;
        };
        let lower = xbench_metrics::find(&line.score)
            .is_some_and(|score| score.direction == Direction::Lower);
        let word = match (difference.low > 0.0, difference.high < 0.0) {
            (true, _) if lower => "worse",
            (_, true) if lower => "better",
            (true, _) => "better",
            (_, true) => "worse",
            _ => "undecided",
        };
        line.verdict = word.to_owned();
    }
    lines
}

/// `contrasts.csv`.
pub(crate) fn table(lines: &[ContrastSummary]) -> String {
    let mut text = String::from(
        "comparison,explainer,score,n,models,against,difference,low,high,p_holm,verdict\n",
    );
    let cell = |value: Option<f64>| value.map(|v| format!("{v:.6}")).unwrap_or_default();
    for line in lines {
        text.push_str(&format!(
            "{},{},{},{},{},{},{},{},{},{},{}\n",
            line.name,
            line.explainer,
            line.score,
            line.difference.map_or(0, |d| d.n),
            cell(line.models.map(|m| m.value)),
            cell(line.against.map(|m| m.value)),
            cell(line.difference.map(|d| d.value)),
            cell(line.difference.map(|d| d.low)),
            cell(line.difference.map(|d| d.high)),
            cell(line.p),
            line.verdict
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(score: &str) -> ContrastSummary {
        ContrastSummary {
            name: "masks".to_owned(),
            explainer: "gradient".to_owned(),
            score: score.to_owned(),
            models: None,
            against: None,
            difference: None,
            p: None,
            verdict: String::new(),
        }
    }

    #[test]
    fn rows_are_paired_and_averaged_over_models() {
        let a = [Some(0.5), Some(0.7), None];
        let b = [Some(0.7), Some(0.9), Some(1.0)];
        let means = row_means(&[&a, &b]);
        assert!((means[0].unwrap() - 0.6).abs() < 1e-12);
        assert!((means[1].unwrap() - 0.8).abs() < 1e-12);
        assert_eq!(means[2], None);
        let resamples = Resamples::new(3, 200, 1);
        let against = [Some(0.5), Some(0.6), Some(0.0)];
        let found = measured(line("relevance_mass"), &means, &against, &resamples);
        let difference = found.difference.unwrap();
        assert_eq!(difference.n, 2);
        assert!((difference.value - 0.15).abs() < 1e-12);
    }

    #[test]
    fn verdicts_follow_the_interval_and_the_scores_direction() {
        let shift = |score: &str, by: f64| {
            let a: Vec<Option<f64>> = (0..40).map(|i| Some(f64::from(i) * 0.01 + by)).collect();
            let b: Vec<Option<f64>> = (0..40)
                .map(|i| Some(f64::from(i % 7) * 1e-4 + f64::from(i) * 0.01))
                .collect();
            let resamples = Resamples::new(40, 400, 1);
            let lines = corrected(vec![measured(line(score), &a, &b, &resamples)]);
            (lines[0].verdict.clone(), lines[0].p.unwrap())
        };
        assert_eq!(shift("relevance_mass", 0.1).0, "better");
        assert_eq!(shift("relevance_mass", -0.1).0, "worse");
        assert_eq!(shift("deletion_auc", 0.1).0, "worse");
        assert!(shift("relevance_mass", 0.1).1 < 1e-4);
    }
}
