//! Is the order of explainers real? Whether scores, models and seeds agree on it.

use rayon::prelude::*;
use xbench_metrics::Family;
use xbench_record::table::ConcordanceRow;
use xbench_stats::{Concordance, kendall_w};

use crate::scored::ScoredModel;
use crate::significance::ALPHA;

/// The order of a model's explainers over all ranking scores: label and mean rank, controls aside.
pub(crate) struct Order {
    /// Position of the model in the suite.
    pub(crate) model: usize,
    pub(crate) ranks: Vec<(String, f64)>,
}

/// What is compared: the judges, each with the explainers it judges, the least first.
struct Question {
    across: &'static str,
    within: String,
    judges: Vec<(String, Vec<(String, f64)>)>,
}

/// Kendall's W over explainers that are no controls: across scores within each model (all scores
/// that have a better end, and those of each family), across models on each score and in the
/// ranking, across the seeds of each model likewise.
///
/// `seeds` holds the positions of models that differ in their seed alone, each group in the suite's
/// order, models without such company among them; of a group the first stands for the model.
pub(crate) fn concordance(
    scored: &[ScoredModel<'_>],
    orders: &[Order],
    seeds: &[Vec<usize>],
    seed: u64,
) -> Vec<ConcordanceRow> {
    let mut questions = across_scores(scored);
    let first: Vec<usize> = seeds
        .iter()
        .filter_map(|group| group.first().copied())
        .collect();
    questions.extend(across_models("models", "", scored, orders, &first));
    for group in seeds.iter().filter(|group| group.len() > 1) {
        let name = scored.iter().find(|one| one.index == group[0]);
        let name = name.map_or("", |one| one.model);
        questions.extend(across_models("seeds", name, scored, orders, group));
    }
    let dataset = scored.first().map_or("", |one| one.dataset);
    questions
        .into_par_iter()
        .map(|question| answer(dataset, question, seed))
        .collect()
}

/// Labels and values, the best first when sorted rising.
fn judged(one: &ScoredModel<'_>) -> Option<Vec<(String, f64)>> {
    let sign = one.sign()?;
    let of = one
        .contestants()
        .filter_map(|cell| Some((cell.explainer.to_owned(), -sign * cell.mean()?)));
    Some(of.collect())
}

fn across_scores(scored: &[ScoredModel<'_>]) -> Vec<Question> {
    let mut questions = Vec::new();
    for of_model in scored.chunk_by(|a, b| a.index == b.index) {
        let judges = |family: Option<Family>| -> Vec<(String, Vec<(String, f64)>)> {
            let of_family =
                |one: &&ScoredModel<'_>| family.is_none_or(|family| one.score.family == family);
            let judges = of_model.iter().filter(of_family);
            judges
                .filter_map(|one| Some((one.score.id.to_owned(), judged(one)?)))
                .collect()
        };
        let model = of_model[0].model;
        questions.push(Question {
            across: "scores",
            within: model.to_owned(),
            judges: judges(None),
        });
        let all = questions.last().map_or(0, |question| question.judges.len());
        for family in Family::ALL {
            let judges = judges(Some(family));
            if judges.len() > 1 && judges.len() < all {
                questions.push(Question {
                    across: "scores",
                    within: format!("{model}, {}", family.word()),
                    judges,
                });
            }
        }
    }
    questions
}

fn across_models(
    across: &'static str,
    name: &str,
    scored: &[ScoredModel<'_>],
    orders: &[Order],
    members: &[usize],
) -> Vec<Question> {
    if members.len() < 2 {
        return Vec::new();
    }
    let within = |what: &str| match name {
        "" => what.to_owned(),
        name => format!("{name}, {what}"),
    };
    let label = |index: usize| {
        let one = scored.iter().find(|one| one.index == index);
        one.map_or_else(|| index.to_string(), |one| one.model.to_owned())
    };
    let mut questions = Vec::new();
    let ranked = orders.iter().filter(|order| members.contains(&order.model));
    questions.push(Question {
        across,
        within: within("ranking"),
        judges: ranked
            .map(|order| (label(order.model), order.ranks.clone()))
            .collect(),
    });
    let mut ids: Vec<&str> = Vec::new();
    for one in scored.iter().filter(|one| one.sign().is_some()) {
        if !ids.contains(&one.score.id) {
            ids.push(one.score.id);
        }
    }
    for id in ids {
        let own = scored
            .iter()
            .filter(|one| one.score.id == id && members.contains(&one.index));
        questions.push(Question {
            across,
            within: within(id),
            judges: own
                .filter_map(|one| Some((one.model.to_owned(), judged(one)?)))
                .collect(),
        });
    }
    questions
}

fn answer(dataset: &str, question: Question, seed: u64) -> ConcordanceRow {
    // A judge without any value has no say; explainers are those that all others judge.
    let judges: Vec<&(String, Vec<(String, f64)>)> = question
        .judges
        .iter()
        .filter(|(_, values)| !values.is_empty())
        .collect();
    let common: Vec<&String> = judges.first().map_or_else(Vec::new, |(_, values)| {
        let labels = values.iter().map(|(label, _)| label);
        labels
            .filter(|label| {
                judges
                    .iter()
                    .all(|(_, values)| values.iter().any(|(l, _)| l == *label))
            })
            .collect()
    });
    let values: Vec<Vec<f64>> = judges
        .iter()
        .map(|(_, values)| {
            let of = |label: &&String| values.iter().find(|(l, _)| l == *label);
            common
                .iter()
                .filter_map(|label| Some(of(label)?.1))
                .collect()
        })
        .collect();
    let found = kendall_w(&values, seed);
    ConcordanceRow {
        dataset: dataset.to_owned(),
        across: question.across,
        within: question.within,
        judges: judges.iter().map(|(name, _)| name.clone()).collect(),
        items: common.len(),
        verdict: match found {
            Some(found) => verdict(&found),
            None if judges.len() < 2 => format!("n/a: fewer than two {}", question.across),
            None if common.len() < 2 => "n/a: fewer than two explainers in common".to_owned(),
            None => "n/a: all explainers alike".to_owned(),
        },
        found,
    }
}

/// What W comes to, in the words of Schmidt (1997).
fn verdict(found: &Concordance) -> String {
    let words = match found.w {
        w if w >= 0.9 => "very strong agreement",
        w if w >= 0.7 => "strong agreement",
        w if w >= 0.5 => "moderate agreement",
        _ => "weak agreement",
    };
    if found.p_permutation < ALPHA {
        words.to_owned()
    } else if found.w >= 0.7 {
        format!("{words}, but too few to rule out chance")
    } else {
        "no more agreement than chance".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scored::Role;
    use crate::scored::tests::model;

    type Cells = Vec<(&'static str, Role, Vec<Option<f64>>)>;

    /// Five explainers and an oracle that would be first everywhere.
    fn cells(values: [f64; 5]) -> Cells {
        let mut cells: Cells = ["a", "b", "c", "d", "e"]
            .into_iter()
            .zip(values)
            .map(|(label, value)| (label, Role::Contestant, vec![Some(value); 3]))
            .collect();
        cells.push(("oracle", Role::Oracle, vec![Some(1.0); 3]));
        cells
    }

    #[test]
    fn scores_that_agree_are_found_to_whatever_end_is_better() {
        let rising = cells([0.1, 0.2, 0.3, 0.4, 0.5]);
        let falling = cells([0.5, 0.4, 0.3, 0.2, 0.1]);
        let scored = [
            model("auroc", &rising),
            model("auprc", &rising),
            model("deletion_auc", &falling),
            model("gini", &falling),
        ];
        let rows = concordance(&scored, &[], &[vec![0]], 1);
        assert_eq!(rows[0].within, "lenet");
        assert_eq!(rows[0].judges, ["auroc", "auprc", "deletion_auc"]);
        assert_eq!((rows[0].items, rows[0].found.unwrap().w), (5, 1.0));
        assert_eq!(rows[0].verdict, "very strong agreement");
        assert_eq!(rows[1].within, "lenet, localisation");
        // Two judges of five: one order of 120 (and its like) cannot be ruled out below 1/120.
        assert!(rows[1].found.unwrap().p_permutation < 0.05);
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn opposed_scores_agree_no_more_than_chance() {
        let rising = cells([0.1, 0.2, 0.3, 0.4, 0.5]);
        let scored = [model("auroc", &rising), model("deletion_auc", &rising)];
        let rows = concordance(&scored, &[], &[vec![0]], 1);
        assert_eq!(rows[0].found.unwrap().w, 0.0);
        assert_eq!(rows[0].verdict, "no more agreement than chance");
    }

    #[test]
    fn models_and_seeds_are_compared_apart() {
        let values = cells([0.1, 0.2, 0.3, 0.4, 0.5]);
        let mut scored = Vec::new();
        for (index, name) in ["a-s1", "a-s2", "b"].into_iter().enumerate() {
            let mut one = model("auroc", &values);
            (one.index, one.model) = (index, name);
            scored.push(one);
        }
        let order = |model| Order {
            model,
            ranks: vec![("a".into(), 1.0), ("b".into(), 2.0), ("c".into(), 3.0)],
        };
        let orders = [order(0), order(1), order(2)];
        let rows = concordance(&scored, &orders, &[vec![0, 1], vec![2]], 1);
        let kinds: Vec<(&str, &str)> = rows
            .iter()
            .map(|row| (row.across, row.within.as_str()))
            .collect();
        assert_eq!(
            kinds,
            [
                ("scores", "a-s1"),
                ("scores", "a-s2"),
                ("scores", "b"),
                ("models", "ranking"),
                ("models", "auroc"),
                ("seeds", "a-s1, ranking"),
                ("seeds", "a-s1, auroc"),
            ]
        );
        assert_eq!(rows[0].verdict, "n/a: fewer than two scores");
        assert_eq!(rows[3].judges, ["a-s1", "b"]);
        assert_eq!(
            rows[3].verdict,
            "very strong agreement, but too few to rule out chance"
        );
        assert_eq!(rows[5].judges, ["a-s1", "a-s2"]);
    }

    #[test]
    fn nothing_to_compare_has_a_reason() {
        assert!(concordance(&[], &[], &[], 1).is_empty());
        let one = vec![("a", Role::Contestant, vec![Some(0.5)])];
        let scored = [model("auroc", &one), model("auprc", &one)];
        let rows = concordance(&scored, &[], &[vec![0]], 1);
        assert_eq!(rows[0].verdict, "n/a: fewer than two explainers in common");
        let equal = cells([0.5; 5]);
        let scored = [model("auroc", &equal), model("auprc", &equal)];
        let rows = concordance(&scored, &[], &[vec![0]], 1);
        assert_eq!(rows[0].verdict, "n/a: all explainers alike");
        let none = vec![
            ("a", Role::Contestant, vec![None]),
            ("b", Role::Contestant, vec![None]),
        ];
        let scored = [model("auroc", &none), model("auprc", &none)];
        let rows = concordance(&scored, &[], &[vec![0]], 1);
        assert_eq!(rows[0].verdict, "n/a: fewer than two scores");
    }
}
