//! The scores of a run as its statistics see them: score by score, explainers side by side.

use xbench_metrics::{Direction, ScoreInfo};

use crate::cells::CellResult;
use crate::session::Session;

/// What an explainer is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// To be judged.
    Contestant,
    /// The control that knows the object's mask.
    Oracle,
    /// The control that knows nothing.
    Random,
    /// The control with an explanation's own values in other places.
    Shuffled,
    /// Another control.
    Control,
}

impl Role {
    fn of(chosen: &xbench_suite::Chosen) -> Self {
        match (chosen.plugin.control, chosen.plugin.short.as_str()) {
            (false, _) => Self::Contestant,
            (true, "oracle") => Self::Oracle,
            (true, "random") => Self::Random,
            (true, "shuffled") => Self::Shuffled,
            (true, _) => Self::Control,
        }
    }
}

/// One explainer's values of a score.
#[derive(Debug, Clone)]
pub(crate) struct ScoredCell<'a> {
    pub(crate) explainer: &'a str,
    pub(crate) role: Role,
    /// An entry per image; `None` where the score does not apply.
    pub(crate) values: &'a [Option<f64>],
}

impl ScoredCell<'_> {
    pub(crate) fn mean(&self) -> Option<f64> {
        let count = self.values.iter().flatten().count();
        (count > 0).then(|| self.values.iter().flatten().sum::<f64>() / count as f64)
    }
}

/// A score of all explainers of a model.
#[derive(Debug, Clone)]
pub(crate) struct ScoredModel<'a> {
    pub(crate) dataset: &'a str,
    pub(crate) model: &'a str,
    /// Position of the model in the suite.
    pub(crate) index: usize,
    pub(crate) score: &'static ScoreInfo,
    /// Those that were explained and scored, in the suite's order.
    pub(crate) cells: Vec<ScoredCell<'a>>,
}

impl ScoredModel<'_> {
    pub(crate) fn contestants(&self) -> impl Iterator<Item = &ScoredCell<'_>> {
        self.cells
            .iter()
            .filter(|cell| cell.role == Role::Contestant)
    }

    pub(crate) fn role(&self, role: Role) -> Option<&ScoredCell<'_>> {
        self.cells.iter().find(|cell| cell.role == role)
    }

    /// 1 where more is better, −1 where less is; `None` for a score without a better end.
    pub(crate) fn sign(&self) -> Option<f64> {
        match self.score.direction {
            Direction::Higher => Some(1.0),
            Direction::Lower => Some(-1.0),
            Direction::None => None,
        }
    }
}

/// All scores of all models, models outermost.
pub(crate) fn scored<'a>(
    session: &'a Session<'_>,
    results: &'a [CellResult],
) -> Vec<ScoredModel<'a>> {
    let mut found = Vec::new();
    for (index, chosen) in session.checked.models.iter().enumerate() {
        let cells: Vec<&CellResult> = results
            .iter()
            .filter(|cell| cell.model == index && cell.is_ok())
            .collect();
        if cells.is_empty() {
            continue;
        }
        for score in session.checked.explanation_scores() {
            let of = |cell: &&'a CellResult| {
                let explainer = &session.checked.explainers[cell.explainer];
                Some(ScoredCell {
                    explainer: explainer.label.as_str(),
                    role: Role::of(explainer),
                    values: cell.columns.get(score.id)?.values.as_slice(),
                })
            };
            let cells: Vec<ScoredCell<'_>> = cells.iter().filter_map(of).collect();
            // A score that no explanation here can have, as that of a fit there is none of.
            if cells.is_empty() {
                continue;
            }
            found.push(ScoredModel {
                dataset: &session.set.id,
                model: &chosen.label,
                index,
                score,
                cells,
            });
        }
    }
    found
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Values of an explainer: `mean` give or take a fixed wave of size `spread` whose phase is
    /// `phase`, so that every test sees the same.
    pub(crate) fn wave(mean: f64, spread: f64, phase: u32, images: u32) -> Vec<Option<f64>> {
        (0..images)
            .map(|i| Some(mean + spread * (f64::from(i * 7 + phase * 13) * 0.61).sin()))
            .collect()
    }

    pub(crate) fn model<'a>(
        score: &str,
        cells: &'a [(&'a str, Role, Vec<Option<f64>>)],
    ) -> ScoredModel<'a> {
        ScoredModel {
            dataset: "garments",
            model: "lenet",
            index: 0,
            score: xbench_metrics::find(score).expect("a score of the catalogue"),
            cells: cells
                .iter()
                .map(|(explainer, role, values)| ScoredCell {
                    explainer,
                    role: *role,
                    values,
                })
                .collect(),
        }
    }

    #[test]
    fn means_leave_out_what_is_missing() {
        let cells = [
            ("a", Role::Contestant, vec![Some(1.0), None, Some(2.0)]),
            ("b", Role::Random, vec![None; 3]),
        ];
        let model = model("auroc", &cells);
        assert_eq!(model.cells[0].mean(), Some(1.5));
        assert_eq!(model.cells[1].mean(), None);
        assert_eq!(model.contestants().count(), 1);
        assert!(model.role(Role::Random).is_some() && model.role(Role::Oracle).is_none());
        assert_eq!(model.sign(), Some(1.0));
    }
}
