//! Which explainer is better: ranks within an image, tests over images.

use xbench_metrics::{Direction, ScoreInfo};
use xbench_stats::{
    Better, MetricScores, OrderTests, PlaceUncertainty, Resamples, friedman, holm,
    nemenyi_critical_difference, order_tests, per_image_mean_ranks, place_uncertainty, rank_groups,
    wilcoxon_signed_rank,
};

use crate::cells::CellResult;
use crate::session::Session;
use crate::significance::ALPHA;
use crate::summary::{Estimate, OrderSummary};

/// Ranks of a model's explainers, per image and over images.
pub(crate) struct Ranks {
    /// Position among the cells of each ranked row.
    positions: Vec<usize>,
    per_image: Vec<Vec<f64>>,
    rows: Vec<xbench_stats::RankRow>,
    places: Vec<PlaceUncertainty>,
    tests: OrderTests,
    groups: Vec<Vec<usize>>,
}

impl Ranks {
    pub(crate) fn of(session: &Session<'_>, cells: &[&CellResult], resamples: &Resamples) -> Self {
        let ranking = &session.checked.ranking;
        let complete = |cell: &CellResult| {
            cell.is_ok()
                && ranking
                    .iter()
                    .all(|score| cell.columns.contains_key(score.id))
        };
        let positions: Vec<usize> = (0..cells.len())
            .filter(|&position| complete(cells[position]))
            .collect();
        let positions = if ranking.is_empty() {
            Vec::new()
        } else {
            positions
        };
        let scores: Vec<MetricScores<'_>> = ranking
            .iter()
            .map(|score| MetricScores {
                better: better(score),
                by_explainer: positions
                    .iter()
                    .map(|&position| cells[position].columns[score.id].values.as_slice())
                    .collect(),
            })
            .collect();
        let per_image = per_image_mean_ranks(&scores);
        let rows = rank_groups(&per_image, resamples, ALPHA);
        let tests = order_tests(&per_image, ALPHA);
        Self {
            positions,
            rows,
            places: place_uncertainty(&per_image, resamples),
            groups: tests.groups(),
            tests,
            per_image,
        }
    }

    fn row(&self, position: usize) -> Option<&xbench_stats::RankRow> {
        let index = self.index(position)?;
        self.rows.iter().find(|row| row.index == index)
    }

    pub(crate) fn mean_rank(&self, position: usize) -> Option<Estimate> {
        self.row(position).map(|row| Estimate {
            value: row.mean_rank,
            low: row.low,
            high: row.high,
            n: self.per_image.first().map_or(0, Vec::len),
        })
    }

    pub(crate) fn group(&self, position: usize) -> Option<usize> {
        self.row(position).map(|row| row.group)
    }

    fn index(&self, position: usize) -> Option<usize> {
        self.positions.iter().position(|&known| known == position)
    }

    /// How certain an explainer's place is.
    pub(crate) fn place(&self, position: usize) -> Option<PlaceUncertainty> {
        self.places.get(self.index(position)?).copied()
    }

    /// Groups an explainer belongs to; two that share one are not told apart.
    pub(crate) fn groups(&self, position: usize) -> Vec<usize> {
        let index = self.index(position);
        index.map_or_else(Vec::new, |index| self.groups[index].clone())
    }

    /// The order with its groups; `None` with fewer than two explainers.
    pub(crate) fn order(
        &self,
        session: &Session<'_>,
        cells: &[&CellResult],
    ) -> Option<OrderSummary> {
        if self.positions.len() < 2 {
            return None;
        }
        let images = self.per_image.first().map_or(0, Vec::len);
        let order = || self.tests.order.iter().map(|&index| self.positions[index]);
        let label = |position: usize| &session.checked.explainers[cells[position].explainer];
        let columns: Vec<&[f64]> = self.per_image.iter().map(Vec::as_slice).collect();
        Some(OrderSummary {
            explainers: order().map(|at| label(at).label.clone()).collect(),
            controls: order().map(|at| label(at).plugin.control).collect(),
            mean_ranks: order().filter_map(|at| self.mean_rank(at)).collect(),
            runs: self.tests.runs.clone(),
            friedman_p: friedman(&columns).map(|test| test.p_f),
            critical_difference: nemenyi_critical_difference(columns.len(), images, ALPHA),
            n: images,
        })
    }

    /// Whether a method's ranks are better than those of every control that does not see the
    /// mask, each by a paired test, corrected together.
    pub(crate) fn beats_controls(
        &self,
        session: &Session<'_>,
        cells: &[&CellResult],
        position: usize,
    ) -> Option<bool> {
        let plugin =
            |position: usize| &session.checked.explainers[cells[position].explainer].plugin;
        let own = self.index(position)?;
        if plugin(position).control {
            return None;
        }
        let rivals: Vec<usize> = (0..self.positions.len())
            .filter(|&rival| {
                let rival = plugin(self.positions[rival]);
                rival.control && !rival.wants_mask
            })
            .collect();
        if rivals.is_empty() {
            return None;
        }
        let mut better = true;
        let mut p_values = Vec::with_capacity(rivals.len());
        for rival in rivals {
            let pairs = self.per_image[own].iter().zip(&self.per_image[rival]);
            let differences: Vec<f64> = pairs.map(|(own, rival)| own - rival).collect();
            better &= differences.iter().sum::<f64>() < 0.0;
            p_values.push(wilcoxon_signed_rank(&differences).map_or(1.0, |test| test.p_value));
        }
        Some(better && holm(&p_values).iter().all(|&p| p < ALPHA))
    }
}

fn better(score: &ScoreInfo) -> Better {
    match score.direction {
        Direction::Lower => Better::Lower,
        Direction::Higher | Direction::None => Better::Higher,
    }
}
