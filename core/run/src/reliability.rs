//! Which scores deserve trust here? A score is judged by what it says of explanations whose worth
//! is known, and by whether it tells explainers apart at all.

use rayon::prelude::*;
use xbench_metrics::Family;
use xbench_metrics::localisation::known_region;
use xbench_record::table::ReliabilityRow;
use xbench_stats::{Effect, cohen_dz, icc, krippendorff_alpha, superiority};

use crate::scored::{Role, ScoredCell, ScoredModel};
use crate::significance::ALPHA;

pub(crate) const TRUST: &str = "trust";
pub(crate) const CAUTION: &str = "caution";
pub(crate) const NOTHING: &str = "says nothing here";
pub(crate) const DESCRIBES: &str = "describes";

/// An oracle that wins on a smaller share of images than this leaves doubt.
const CLEAR: f64 = 0.75;
/// A mean over images less reliable than this (Nunnally 1978's bar for basic research) leaves the
/// order of explainers to the choice of images.
const STEADY: f64 = 0.8;

/// A row per model and score, then for each score one over all models (`all`).
///
/// The verdict of a score on a model, by the first rule that applies:
/// - `describes`: no end of the score is better, so there is nothing to be right about;
/// - `says nothing here`: the 95% interval of the probability that the oracle beats the random
///   control on an image reaches down to one half, or lies below it;
/// - `caution`: there is no oracle or no random control to check it by; or the oracle wins on less
///   than three quarters of the images; or it does not beat its own values in other places
///   (`shuffled`); or the explainers' means do not differ (F test of the intraclass correlation);
///   or the mean over the images is less reliable than 0.8 (ICC(3,k));
/// - `trust`: none of these.
///
/// Over models: `trust` where every model says so, `says nothing here` where every model does, else
/// `caution`.
pub(crate) fn reliability(scored: &[ScoredModel<'_>]) -> Vec<ReliabilityRow> {
    let mut rows: Vec<ReliabilityRow> = scored.par_iter().map(of_model).collect();
    let mut ids: Vec<&str> = Vec::new();
    for model in scored {
        if !ids.contains(&model.score.id) {
            ids.push(model.score.id);
        }
    }
    let over: Vec<ReliabilityRow> = ids
        .iter()
        .filter_map(|id| {
            let own: Vec<&ReliabilityRow> = rows.iter().filter(|row| row.score == *id).collect();
            over_models(&own)
        })
        .collect();
    rows.extend(over);
    rows
}

fn of_model(model: &ScoredModel<'_>) -> ReliabilityRow {
    let sign = model.sign();
    // The object's mask is the answer to questions about the object alone: not to where a planted
    // cause lies, nor to how a map changes when image or model do, which the mask never does.
    let oracle = model.role(Role::Oracle).filter(|_| {
        known_region(model.score.id).is_none()
            && !matches!(
                model.score.family,
                Family::Robustness | Family::Randomisation | Family::Axiomatic
            )
    });
    let beats = |other: Option<&ScoredCell<'_>>| {
        let (sign, oracle, other) = (sign?, oracle?, other?);
        let turned = |cell: &ScoredCell<'_>| -> Vec<Option<f64>> {
            let values = cell.values.iter();
            values.map(|value| value.map(|v| sign * v)).collect()
        };
        let (oracle, other) = (turned(oracle), turned(other));
        let pairs = oracle.iter().zip(&other);
        let differences: Vec<f64> = pairs.filter_map(|(a, b)| Some((*a)? - (*b)?)).collect();
        Some((
            superiority(&oracle, &other)?,
            cohen_dz(&differences),
            differences.len(),
        ))
    };
    let random = beats(model.role(Role::Random));
    let contestants: Vec<&[Option<f64>]> = model.contestants().map(|cell| cell.values).collect();
    let mut row = ReliabilityRow {
        dataset: model.dataset.to_owned(),
        model: model.model.to_owned(),
        score: model.score.id.to_owned(),
        n: random.map_or(0, |(_, _, n)| n),
        superiority: random.map(|(superiority, ..)| superiority),
        distance: random.and_then(|(_, distance, _)| distance),
        superiority_shuffled: beats(model.role(Role::Shuffled)).map(|(one, ..)| one),
        models_above: None,
        models: 1,
        icc: separation(&contestants),
        alpha: krippendorff_alpha(&contestants),
        verdict: TRUST,
        reason: String::new(),
    };
    let (verdict, reason) = judge(&row, sign.is_some());
    row.verdict = verdict;
    row.reason = reason;
    row
}

/// Intraclass correlation over the images on which all explainers have a value.
fn separation(columns: &[&[Option<f64>]]) -> Option<xbench_stats::Icc> {
    let images = columns.first()?.len();
    let complete: Vec<usize> = (0..images)
        .filter(|&image| columns.iter().all(|column| column[image].is_some()))
        .collect();
    let values: Vec<Vec<f64>> = columns
        .iter()
        .map(|column| complete.iter().filter_map(|&image| column[image]).collect())
        .collect();
    icc(&values.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn share(effect: Effect) -> String {
    format!(
        "{:.0}% of images [{:.0}–{:.0}]",
        100.0 * effect.value,
        100.0 * effect.low,
        100.0 * effect.high
    )
}

fn judge(row: &ReliabilityRow, directed: bool) -> (&'static str, String) {
    if !directed {
        return (DESCRIBES, "no end of it is better".to_owned());
    }
    let Some(oracle) = row.superiority else {
        let why = "no image with a value of both an oracle and a random control to check it by";
        return (CAUTION, why.to_owned());
    };
    let wins = format!("oracle above random on {}", share(oracle));
    if oracle.high < 0.5 {
        return (NOTHING, format!("{wins}: it ranks the wrong way round"));
    }
    if oracle.low <= 0.5 {
        return (NOTHING, format!("{wins}: it does not tell them apart"));
    }
    if oracle.value < CLEAR {
        return (CAUTION, wins);
    }
    if let Some(shuffled) = row.superiority_shuffled
        && shuffled.low <= 0.5
    {
        let on = share(shuffled);
        return (
            CAUTION,
            format!("{wins}; above its shuffled values on {on} only"),
        );
    }
    match &row.icc {
        Some(icc) if icc.p_value >= ALPHA => {
            let p = icc.p_value;
            (
                CAUTION,
                format!("{wins}; explainers do not differ (p = {p:.2})"),
            )
        }
        Some(icc) if icc.mean < STEADY => {
            let mean = icc.mean;
            let order = "the explainers' order hangs on the choice of images";
            (
                CAUTION,
                format!("{wins}; {order} (ICC of the mean {mean:.2})"),
            )
        }
        Some(_) => (TRUST, format!("{wins}; explainers differ")),
        None => (TRUST, format!("{wins}; too few explainers to separate")),
    }
}

/// The row over models; `None` where there is one model alone.
fn over_models(rows: &[&ReliabilityRow]) -> Option<ReliabilityRow> {
    let first = rows.first().filter(|_| rows.len() > 1)?;
    let checked: Vec<&Effect> = rows
        .iter()
        .filter_map(|row| row.superiority.as_ref())
        .collect();
    let above = checked.iter().filter(|effect| effect.low > 0.5).count();
    let all = |word: &str| rows.iter().all(|row| row.verdict == word);
    let verdict = [DESCRIBES, TRUST, NOTHING]
        .into_iter()
        .find(|word| all(word))
        .unwrap_or(CAUTION);
    let told = format!("above random in {above} of {} models", checked.len());
    Some(ReliabilityRow {
        dataset: first.dataset.clone(),
        model: "all".to_owned(),
        score: first.score.clone(),
        n: rows.iter().map(|row| row.n).sum(),
        superiority: None,
        distance: None,
        superiority_shuffled: None,
        models_above: Some(above),
        models: checked.len(),
        icc: None,
        alpha: None,
        verdict,
        reason: match verdict {
            DESCRIBES => first.reason.clone(),
            _ if checked.is_empty() => first.reason.clone(),
            _ => {
                let trusted = rows.iter().filter(|row| row.verdict == TRUST).count();
                format!("{told}, trusted in {trusted}")
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scored::tests::{model, wave};

    type Cells<'a> = Vec<(&'a str, Role, Vec<Option<f64>>)>;

    fn cells(oracle: f64, random: f64, spread: f64) -> Cells<'static> {
        vec![
            ("a", Role::Contestant, wave(0.8, 0.1, 1, 80)),
            ("b", Role::Contestant, wave(0.6, 0.1, 2, 80)),
            ("c", Role::Contestant, wave(0.5, 0.1, 3, 80)),
            ("random", Role::Random, wave(random, spread, 4, 80)),
            ("oracle", Role::Oracle, wave(oracle, spread, 5, 80)),
        ]
    }

    fn found(score: &str, cells: &Cells<'_>) -> ReliabilityRow {
        reliability(&[model(score, cells)]).remove(0)
    }

    #[test]
    fn a_score_that_knows_the_oracle_and_separates_is_trusted() {
        let row = found("auroc", &cells(1.0, 0.5, 0.1));
        assert_eq!(row.verdict, TRUST, "{}", row.reason);
        assert_eq!(row.superiority.unwrap().value, 1.0);
        assert!(row.icc.unwrap().single > 0.3 && row.alpha.unwrap() > 0.3);
        assert!(row.distance.unwrap().low > 0.0);
    }

    #[test]
    fn direction_counts() {
        let row = found("deletion_auc", &cells(1.0, 0.5, 0.1));
        assert_eq!(row.verdict, NOTHING);
        assert!(row.reason.contains("wrong way round"), "{}", row.reason);
        assert_eq!(found("gini", &cells(1.0, 0.5, 0.1)).verdict, DESCRIBES);
    }

    #[test]
    fn a_score_that_does_not_know_the_oracle_says_nothing() {
        let row = found("auroc", &cells(0.5, 0.5, 0.1));
        assert_eq!(row.verdict, NOTHING, "{}", row.reason);
    }

    #[test]
    fn doubts_are_named() {
        let weak = found("auroc", &cells(0.56, 0.5, 0.1));
        assert_eq!(weak.verdict, CAUTION, "{}", weak.reason);
        let mut same = cells(1.0, 0.5, 0.1);
        for (place, label) in ["a", "b", "c"].into_iter().enumerate() {
            same[place] = (label, Role::Contestant, wave(0.5, 0.1, place as u32, 80));
        }
        let same = found("auroc", &same);
        assert_eq!(same.verdict, CAUTION);
        assert!(same.reason.contains("do not differ"), "{}", same.reason);
        let mut shuffled = cells(1.0, 0.5, 0.1);
        shuffled.push(("shuffled", Role::Shuffled, wave(1.0, 0.1, 6, 80)));
        let shuffled = found("auroc", &shuffled);
        assert_eq!(shuffled.verdict, CAUTION);
        assert!(shuffled.reason.contains("shuffled"), "{}", shuffled.reason);
        let unchecked = found("auroc", &cells(1.0, 0.5, 0.1)[..4].to_vec());
        assert_eq!((unchecked.verdict, unchecked.superiority), (CAUTION, None));
    }

    #[test]
    fn degenerate_suites_have_a_verdict() {
        let one_image = found(
            "auroc",
            &vec![
                ("a", Role::Contestant, vec![Some(0.5)]),
                ("random", Role::Random, vec![Some(0.1)]),
                ("oracle", Role::Oracle, vec![Some(0.9)]),
            ],
        );
        assert_eq!(one_image.verdict, NOTHING, "{}", one_image.reason);
        let nothing = found(
            "auroc",
            &vec![
                ("random", Role::Random, vec![None; 3]),
                ("oracle", Role::Oracle, vec![None; 3]),
            ],
        );
        assert_eq!(nothing.verdict, CAUTION);
        let alone = found("auroc", &cells(1.0, 0.5, 0.1)[3..].to_vec());
        assert_eq!(alone.verdict, TRUST);
        assert!(alone.reason.contains("too few explainers"));
        assert!(reliability(&[]).is_empty());
    }

    #[test]
    fn models_are_summed_up() {
        let (good, poor) = (cells(1.0, 0.5, 0.1), cells(0.5, 0.5, 0.1));
        let (good, poor) = (model("auroc", &good), model("auroc", &poor));
        let rows = reliability(&[good.clone(), poor]);
        assert_eq!(rows.len(), 3);
        let over = &rows[2];
        assert_eq!((over.model.as_str(), over.verdict), ("all", CAUTION));
        assert_eq!((over.models_above, over.models), (Some(1), 2));
        assert!(over.reason.contains("in 1 of 2 models"));
        let rows = reliability(&[good.clone(), good]);
        assert_eq!(rows[2].verdict, TRUST);
    }
}
