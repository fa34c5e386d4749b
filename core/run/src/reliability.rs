//! Which scores deserve trust here? A score is judged by what it says of explanations whose worth
//! is known, and by whether it tells explainers apart at all.

use rayon::prelude::*;
use xbench_metrics::localisation::{KnownRegion, known_region};
use xbench_metrics::{Family, ScoreInfo};
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
/// - `caution`: there is nothing to check it by (see [`Answer`]); or the oracle wins on less than
///   three quarters of the images; or it does not beat its own values in other places (`shuffled`);
///   or the explainers' means do not differ (F test of the intraclass correlation); or the mean over
///   the images is less reliable than 0.8 (ICC(3,k));
/// - `trust`: none of these.
///
/// Of a score of a planted cause, a map of that cause takes the oracle's place.
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

/// The explanation that is known to be right, by what a score asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The object's mask, the control `oracle`. Where distractors are, too: the object is not there.
    Mask,
    /// The planted cause, whose own map has the highest value there is, 1.
    Cause,
    /// None: how a map changes when image or model do, which a mask never does.
    Unknown,
}

impl Answer {
    fn to(score: &ScoreInfo) -> Self {
        match (known_region(score.id), score.family) {
            (Some(KnownRegion::Cause), _) => Self::Cause,
            (Some(KnownRegion::Distractors), _) => Self::Mask,
            (None, Family::Robustness | Family::Randomisation | Family::Axiomatic) => Self::Unknown,
            (None, _) => Self::Mask,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Cause => "the planted cause",
            Self::Mask | Self::Unknown => "oracle",
        }
    }

    /// Its score on each image, where there is one; `random` has that of the random control.
    fn values(
        self,
        model: &ScoredModel<'_>,
        random: Option<&ScoredCell<'_>>,
    ) -> Option<Vec<Option<f64>>> {
        match self {
            Self::Mask => Some(model.role(Role::Oracle)?.values.to_vec()),
            Self::Cause => Some(random?.values.iter().map(|v| v.map(|_| 1.0)).collect()),
            Self::Unknown => None,
        }
    }
}

fn of_model(model: &ScoredModel<'_>) -> ReliabilityRow {
    let sign = model.sign();
    let answer = Answer::to(model.score);
    let random = model.role(Role::Random);
    let right = answer.values(model, random);
    let beats = |other: Option<&ScoredCell<'_>>| {
        let (sign, right, other) = (sign?, right.as_deref()?, other?);
        let turned = |values: &[Option<f64>]| -> Vec<Option<f64>> {
            values.iter().map(|value| value.map(|v| sign * v)).collect()
        };
        let (right, other) = (turned(right), turned(other.values));
        let pairs = right.iter().zip(&other);
        let differences: Vec<f64> = pairs.filter_map(|(a, b)| Some((*a)? - (*b)?)).collect();
        Some((
            superiority(&right, &other)?,
            cohen_dz(&differences),
            differences.len(),
        ))
    };
    let above = beats(random);
    // The values that `shuffled` puts elsewhere are the mask's.
    let shuffled = model
        .role(Role::Shuffled)
        .filter(|_| answer == Answer::Mask);
    let contestants: Vec<&[Option<f64>]> = model.contestants().map(|cell| cell.values).collect();
    let mut row = ReliabilityRow {
        dataset: model.dataset.to_owned(),
        model: model.model.to_owned(),
        score: model.score.id.to_owned(),
        n: above.map_or(0, |(_, _, n)| n),
        superiority: above.map(|(superiority, ..)| superiority),
        distance: above.and_then(|(_, distance, _)| distance),
        superiority_shuffled: beats(shuffled).map(|(one, ..)| one),
        models_above: None,
        models: 1,
        icc: separation(&contestants),
        alpha: krippendorff_alpha(&contestants),
        verdict: TRUST,
        reason: String::new(),
    };
    let (verdict, reason) = if sign.is_none() {
        (DESCRIBES, "no end of it is better".to_owned())
    } else {
        judge(&row, answer)
    };
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

fn judge(row: &ReliabilityRow, answer: Answer) -> (&'static str, String) {
    let Some(oracle) = row.superiority else {
        let why = match answer {
            Answer::Unknown => "no explanation is known to be right by it",
            Answer::Mask => "no image with a value of both an oracle and a random control",
            Answer::Cause => "no image with a value of a random control",
        };
        return (CAUTION, why.to_owned());
    };
    let wins = format!("{} above random on {}", answer.name(), share(oracle));
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
    fn a_planted_cause_is_its_own_answer() {
        // The object's mask lies elsewhere: what it scores does not count.
        let mut cells = cells(0.0, 0.02, 0.01);
        cells.push(("shuffled", Role::Shuffled, wave(0.02, 0.01, 6, 80)));
        let row = found("shortcut_detection", &cells);
        assert_eq!(row.verdict, TRUST, "{}", row.reason);
        assert!(row.reason.starts_with("the planted cause above random on"));
        assert_eq!((row.n, row.superiority.unwrap().value), (80, 1.0));
        assert!(row.superiority_shuffled.is_none());
        let without = found("shortcut_detection", &cells[..3].to_vec());
        assert_eq!((without.verdict, without.superiority), (CAUTION, None));
    }

    #[test]
    fn the_object_is_not_where_distractors_are() {
        let row = found("distractor_attribution", &cells(0.0, 0.2, 0.01));
        assert_eq!(row.verdict, TRUST, "{}", row.reason);
        let wrong = found("distractor_attribution", &cells(0.4, 0.2, 0.01));
        assert_eq!(wrong.verdict, NOTHING, "{}", wrong.reason);
    }

    #[test]
    fn a_mask_is_no_answer_to_how_a_map_changes() {
        for score in ["mprt", "max_sensitivity", "completeness"] {
            let row = found(score, &cells(1.0, 0.5, 0.1));
            assert_eq!((row.verdict, row.superiority), (CAUTION, None), "{score}");
            assert!(row.reason.contains("known to be right"), "{}", row.reason);
        }
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
