//! Which scores can be computed for arrays of attributions.

use xbench_metrics::localisation::{KnownRegion, known_region};
use xbench_metrics::{Family, ScoreInfo, catalogue};
use xbench_suite::{Perturbation, Scores, Suite};

use super::LeftOut;
use crate::error::RunError;
use crate::evaluate::is_of_map;

/// Settings and names of scores as a suite would read them.
pub(super) fn read(scores: &str, perturbation: &str) -> Result<(Scores, Perturbation), RunError> {
    let scores = match scores.trim() {
        word @ ("standard" | "all") => word.to_owned(),
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
    let suite = Suite::from_str("--scores and --perturbation", &text)?;
    Ok((suite.scores, suite.perturbation))
}

/// What there is beside the maps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
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
    let (mut chosen, mut left_out) = (Vec::new(), Vec::<LeftOut>::new());
    for score in catalogue().iter().filter(is_wanted) {
        let Some((why, remedy)) = obstacle(score, given) else {
            chosen.push(score);
            continue;
        };
        if !listed_whole(score.family) {
            return Err(RunError::Flag(format!("{} {why}; {remedy}", score.id)));
        }
        // Who asks for all scores of explanations does not miss the model's accuracy.
        if !score.family.per_explanation() && !matches!(wanted, Scores::Only(_)) {
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
        Some((
            "is not a score of one map",
            "run a suite for what compares maps, explains anew or measures the model",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(scores: &str, masks: bool, model: bool) -> Result<Vec<&'static str>, String> {
        let (wanted, _) = read(scores, "{}").map_err(|error| error.to_string())?;
        let given = Given {
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
        assert!(error.contains("run a suite"), "{error}");
        let error = chosen("agreement", true, true).unwrap_err();
        assert!(error.contains("none of the scores"), "{error}");
        let error = chosen("ginii", true, true).unwrap_err();
        assert!(error.contains("gini"), "{error}");
        assert!(chosen("", true, true).is_err());
        assert!(read("gini", "{steps: 1}").is_err());
        assert!(read("gini", "{}\nmodels: [x]").is_err());
    }
}
