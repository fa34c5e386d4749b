//! Which scores can be computed for arrays of attributions.

use xbench_metrics::localisation::{KnownRegion, known_region};
use xbench_metrics::{Family, ScoreInfo, catalogue};
use xbench_suite::{Perturbation, Scores, Suite, SuiteErrors};

use super::LeftOut;
use crate::error::RunError;
use crate::evaluate::is_of_map;

/// Settings and names of scores as a suite would read them.
pub(super) fn read(scores: &str, perturbation: &str) -> Result<(Scores, Perturbation), RunError> {
    let scores = match scores.trim() {
        word @ ("standard" | "all") => word.to_owned(),
        list if list.split(',').all(|name| name.trim().is_empty()) => {
            return Err(RunError::Flag(
                "--scores names no score; write standard, all, or scores and families, \
                 comma-separated (`xbench scores` lists them)"
                    .to_owned(),
            ));
        }
        list => {
            let names: Vec<String> = list
                .split(',')
                .map(|name| serde_json::Value::from(name.trim()).to_string())
                .collect();
            format!("[{}]", names.join(", "))
        }
    };
    if perturbation.contains('\n') {
        return Err(RunError::Flag(
            "--perturbation takes one line, such as '{baseline: 0.5, steps: 14}'".to_owned(),
        ));
    }
    // What a suite says of its scores is checked, with its remedies, by what reads suites.
    let text = format!(
        "scores: {scores}\nperturbation: {perturbation}\nsuite: score\nversion: 1\n\
         data: {{set: garments}}\nmodels: [none]\nexplainers: [none]\n"
    );
    let suite = Suite::from_str("", &text).map_err(of_flags)?;
    Ok((suite.scores, suite.perturbation))
}

/// Names the flag that is to blame, in place of a line that the user has not written.
fn of_flags(mut errors: SuiteErrors) -> SuiteErrors {
    for error in &mut errors.0 {
        let line = error.at.take().map_or(1, |at| at.line);
        error.file = if line == 1 {
            "--scores"
        } else {
            "--perturbation"
        }
        .to_owned();
    }
    errors.0.dedup();
    errors
}

/// What there is beside the maps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    /// Whether the rows are a table's, which have no place for a mask.
    pub(super) table: bool,
    pub(super) masks: bool,
    pub(super) model: bool,
    /// Whether the set knows a planted cause, and distractors.
    pub(super) cause: bool,
    pub(super) distractors: bool,
}

/// The scores to compute, and those of the wanted groups that cannot be.
///
/// # Errors
/// When a score that is named itself cannot be computed, or none can.
pub(super) fn choose(
    wanted: &Scores,
    given: Given,
) -> Result<(Vec<&'static ScoreInfo>, Vec<LeftOut>), RunError> {
    let is_wanted = |score: &&ScoreInfo| match wanted {
        Scores::Standard => score.standard,
        Scores::All => true,
        Scores::Only(names) => names.iter().any(|name| name.id == score.id),
    };
    // A list of one family's scores in full is taken for the family's name.
    let listed_whole = |family: Family| match wanted {
        Scores::Only(names) => catalogue()
            .iter()
            .filter(|score| score.family == family)
            .all(|score| names.iter().any(|name| name.id == score.id)),
        _ => true,
    };
    // And a list with all standard scores has them from that word.
    let standard = catalogue().iter().filter(|score| score.standard);
    let listed_standard = match wanted {
        Scores::Only(names) => standard
            .map(|score| score.id)
            .all(|id| names.iter().any(|name| name.id == id)),
        _ => true,
    };
    let (mut chosen, mut left_out) = (Vec::new(), Vec::<LeftOut>::new());
    for score in catalogue().iter().filter(is_wanted) {
        let Some((why, remedy)) = obstacle(score, given) else {
            chosen.push(score);
            continue;
        };
        if !(listed_whole(score.family) || listed_standard && score.standard) {
            return Err(RunError::Flag(format!("{} {why}; {remedy}", score.id)));
        }
        // Who asks for all scores of explanations does not miss the model's accuracy, and who asks
        // for none in particular only those that something more would bring.
        let missed = match wanted {
            Scores::Only(_) => listed_whole(score.family) || is_of_map(score),
            Scores::All => score.family.per_explanation(),
            Scores::Standard => is_of_map(score) && !(score.needs.mask && given.table),
        };
        if !missed {
            continue;
        }
        match left_out.iter_mut().find(|other| other.why == why) {
            Some(other) => other.scores.push(score.id),
            None => left_out.push(LeftOut {
                why,
                remedy,
                scores: vec![score.id],
            }),
        }
    }
    if chosen.is_empty() {
        let reasons: Vec<String> = left_out
            .iter()
            .map(|left| format!("{} {}; {}", left.scores.join(", "), left.why, left.remedy))
            .collect();
        return Err(RunError::Flag(format!(
            "none of the scores can be computed\n{}",
            reasons.join("\n")
        )));
    }
    Ok((chosen, left_out))
}

/// Why a score cannot be computed of arrays alone, and what to do about it.
fn obstacle(score: &ScoreInfo, given: Given) -> Option<(&'static str, &'static str)> {
    if let Some(region) = known_region(score.id) {
        let is_there = match region {
            KnownRegion::Cause => given.cause,
            KnownRegion::Distractors => given.distractors,
        };
        (!is_there).then_some((
            "needs a set that knows its cause or its distractors",
            "take garments-shortcut or garments-cluttered",
        ))
    } else if !is_of_map(score) {
        Some(no_score_of_one_map(score))
    } else if score.needs.mask && given.table {
        Some((
            "needs masks, which rows of a table cannot have",
            "take a set of images",
        ))
    } else if score.needs.mask && !given.masks {
        Some((
            "needs masks, which the data set has not",
            "give them with --masks FILE.npy",
        ))
    } else if score.needs.model && !given.model {
        Some(("needs the model that was explained", "name it with --model"))
    } else {
        None
    }
}

/// Why a score is not of one map, and where it is had.
fn no_score_of_one_map(score: &ScoreInfo) -> (&'static str, &'static str) {
    match score.family {
        Family::Agreement => (
            "compares maps of several explainers",
            "run a suite with these explainers",
        ),
        Family::Accuracy | Family::Cost => (
            "measures the model or what explaining costs, not a map",
            "run a suite, which measures both",
        ),
        _ if score.needs.explainer => (
            "explains other inputs or other models, for which arrays do not do",
            "run a suite with the explainer as a plugin",
        ),
        _ => (
            "is told by the explainer itself, with its map",
            "run a suite with the explainer as a plugin",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(scores: &str, masks: bool, model: bool) -> Result<Vec<&'static str>, String> {
        let (wanted, _) = read(scores, "{}").map_err(|error| error.to_string())?;
        let given = Given {
            table: false,
            masks,
            model,
            cause: false,
            distractors: false,
        };
        choose(&wanted, given)
            .map(|(chosen, _)| chosen.iter().map(|score| score.id).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn groups_are_narrowed_to_what_can_be_computed() {
        let maps = chosen("standard", false, false).unwrap();
        assert_eq!(maps, ["gini", "entropy"]);
        let masked = chosen("standard", true, false).unwrap();
        assert!(masked.contains(&"auroc") && !masked.contains(&"deletion_auc"));
        let all = chosen("all", true, true).unwrap();
        assert!(all.contains(&"deletion_auc") && all.contains(&"mst_compactness"));
        assert!(!all.contains(&"spearman") && !all.contains(&"accuracy"));
        assert_eq!(
            chosen("complexity, auroc", true, false).unwrap()[0],
            "auroc"
        );
    }

    #[test]
    fn a_group_says_what_it_leaves_out_if_that_can_be_had() {
        let left = |scores: &str, table: bool| {
            let (wanted, _) = read(scores, "{}").unwrap();
            let given = Given {
                table,
                masks: false,
                model: false,
                cause: false,
                distractors: false,
            };
            let (_, left) = choose(&wanted, given).unwrap();
            left.into_iter()
                .flat_map(|left| left.scores)
                .collect::<Vec<_>>()
        };
        let images = left("standard", false);
        assert!(images.contains(&"auroc") && images.contains(&"deletion_auc"));
        assert!(!images.contains(&"local_fit"), "no file brings it");
        let table = left("standard", true);
        assert!(!table.contains(&"auroc") && table.contains(&"deletion_auc"));
        let all = left("all", true);
        assert!(all.contains(&"auroc") && all.contains(&"local_fit") && all.contains(&"mprt"));
        assert!(!all.contains(&"accuracy"));
    }

    #[test]
    fn standard_stands_in_a_list_with_others() {
        let both = chosen("standard, axiomatic", true, true).unwrap();
        assert!(both.contains(&"auroc") && both.contains(&"completeness"));
        assert!(!both.contains(&"local_fit") && !both.contains(&"accuracy"));
        let maps = chosen("standard,shortcut_auroc", true, true).unwrap_err();
        assert!(maps.contains("garments-shortcut"), "{maps}");
    }

    #[test]
    fn errors_name_the_flag() {
        let wrong = |scores: &str, perturbation: &str| {
            let error = read(scores, perturbation).unwrap_err();
            error.to_string()
        };
        let error = wrong("ginii", "{}");
        assert!(
            error.starts_with("--scores: unknown score \"ginii\""),
            "{error}"
        );
        let error = wrong("gini", "{steps: -3}");
        assert!(error.starts_with("--perturbation: "), "{error}");
        for empty in ["", " ", ",", " , ,"] {
            let error = wrong(empty, "{}");
            assert!(error.starts_with("--scores names no score"), "{error}");
        }
    }

    #[test]
    fn named_scores_that_cannot_be_computed_are_refused() {
        let error = chosen("auroc", false, false).unwrap_err();
        assert!(
            error.contains("auroc needs masks") && error.contains("--masks"),
            "{error}"
        );
        let error = chosen("gini,deletion_auc", true, false).unwrap_err();
        assert!(error.contains("name it with --model"), "{error}");
        let error = chosen("shortcut_auroc", true, true).unwrap_err();
        assert!(error.contains("garments-shortcut"), "{error}");
        let error = chosen("ssim", true, true).unwrap_err();
        assert!(
            error.contains("ssim compares maps") && error.contains("run a suite"),
            "{error}"
        );
        let error = chosen("local_fit", true, true).unwrap_err();
        assert!(error.contains("told by the explainer itself"), "{error}");
        let error = chosen("mprt", true, true).unwrap_err();
        assert!(error.contains("explains other inputs"), "{error}");
        let error = chosen("agreement", true, true).unwrap_err();
        assert!(error.contains("none of the scores"), "{error}");
        let error = chosen("ginii", true, true).unwrap_err();
        assert!(error.contains("gini"), "{error}");
        assert!(chosen("", true, true).is_err());
        assert!(read("gini", "{steps: 1}").is_err());
        assert!(read("gini", "{}\nmodels: [x]").is_err());
    }
}
