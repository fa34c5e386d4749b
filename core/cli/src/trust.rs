//! Which scores to trust, and whether the order of explainers is real, for the terminal.

use xbench_metrics::find;
use xbench_report::{Direction, Estimate, TrustLine};
use xbench_run::Summary;

use crate::view::direction;

/// A line per score. With several models it shows what is weakest among them: the verdict over
/// models must not look better than its worst.
pub(crate) fn lines(summary: &Summary) -> Vec<TrustLine> {
    let mut ids: Vec<&str> = Vec::new();
    for row in &summary.reliability {
        if !ids.contains(&row.score.as_str()) {
            ids.push(&row.score);
        }
    }
    let line = |id: &str| {
        let mut own = summary.reliability.iter().filter(|row| row.score == id);
        let over = own.clone().find(|row| row.model == "all");
        let told = over.or_else(|| own.next())?;
        let models = || {
            let rows = summary.reliability.iter();
            rows.filter(|row| row.score == id && row.model != "all")
        };
        let weakest = models()
            .filter_map(|row| Some((row.superiority?, row.distance)))
            .min_by(|a, b| a.0.value.total_cmp(&b.0.value));
        Some(TrustLine {
            score: id.to_owned(),
            better: find(id).map_or(Direction::Neither, |score| direction(score.direction)),
            superiority: weakest.map(|(one, _)| Estimate::new(one.value, one.low, one.high)),
            distance: weakest.and_then(|(_, distance)| Some(distance?.value)),
            separation: models()
                .filter_map(|row| Some(row.icc?.single))
                .min_by(f64::total_cmp),
            verdict: told.verdict.to_owned(),
            reason: told.reason.clone(),
        })
    };
    ids.into_iter().filter_map(line).collect()
}

fn p_text(p: f64) -> String {
    if p < 0.001 {
        "p < .001".to_owned()
    } else {
        format!("p = {p:.3}")
    }
}

/// How far scores, models and seeds agree on the order of explainers, a sentence each, and what the
/// images can resolve on the scores that rank.
pub(crate) fn notes(summary: &Summary) -> Vec<String> {
    let mut notes: Vec<String> = summary
        .concordance
        .iter()
        .filter(|row| {
            let whole = !row.within.contains(", ") || row.within.ends_with(", ranking");
            (row.across == "scores" && whole) || row.within.ends_with("ranking")
        })
        .filter_map(|row| {
            let found = row.found?;
            Some(format!(
                "order of {} explainers across {} {} ({}): Kendall's W {:.2}, {}, {}",
                row.items,
                row.judges.len(),
                row.across,
                row.within,
                found.w,
                p_text(found.p_permutation),
                row.verdict
            ))
        })
        .collect();
    for model in &summary.models {
        let ranking = summary
            .resolution
            .iter()
            .filter(|row| row.model == model.model && summary.ranking.contains(&row.score));
        let shown: Vec<String> = ranking
            .filter_map(|row| {
                let detectable = row.detectable?;
                let apart = format!("{} of {} pairs told apart", row.told_apart, row.pairs);
                Some(format!("{} {detectable:.3} ({apart})", row.score))
            })
            .collect();
        if !shown.is_empty() {
            notes.push(format!(
                "smallest difference that the images show with 80% power, {}: {}",
                model.model,
                shown.join(", ")
            ));
        }
    }
    notes
}
