//! Which explainer is best, over several scores, and where the order is not certain.
//!
//! Scores of different units do not average; their ranks do. Ranks are taken per image, so that
//! the images can be resampled and paired tests apply.

use crate::bootstrap::{Resamples, mean_intervals};
use crate::paired::{holm, wilcoxon_signed_rank};
use serde::{Deserialize, Serialize};

/// Which way a score is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Higher values are better.
    Higher,
    /// Lower values are better.
    Lower,
}

/// One score of all explainers on all images.
#[derive(Debug, Clone)]
pub struct MetricScores<'a> {
    /// Which way is better.
    pub better: Better,
    /// For each explainer its score on each image; `None` where there is none.
    pub by_explainer: Vec<&'a [Option<f64>]>,
}

/// One explainer's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RankRow {
    /// The explainer's place in the input.
    pub index: usize,
    /// Mean rank over images; 1 is best.
    pub mean_rank: f64,
    /// Lower end of the mean rank's 95% bootstrap interval.
    pub low: f64,
    /// Upper end of the mean rank's 95% bootstrap interval.
    pub high: f64,
    /// Group of explainers that the data do not tell from their leader; 1 is best.
    pub group: usize,
}

/// Rank of each value, 1 for the smallest, tied values sharing the mean of their places.
///
/// NaN ranks above all numbers; `0.0` and `-0.0` are equal.
#[must_use]
pub fn average_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| (values[a] + 0.0).total_cmp(&(values[b] + 0.0)));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = before as f64 + (group.len() as f64 + 1.0) / 2.0;
        group.iter().for_each(|&place| ranks[place] = rank);
        before += group.len();
    }
    ranks
}

/// The mean rank of each explainer on each image, `[explainer][image]`; 1 is best.
///
/// On each image each score ranks the explainers, ties sharing the mean of their places; the
/// ranks are then averaged over the scores. An explainer without a (finite) score on an image
/// shares the last places there with the others without, since giving no answer must not pay;
/// where none has a score, all rank alike. Empty without scores or explainers.
///
/// # Panics
/// If the scores differ in their number of explainers or images.
#[must_use]
pub fn per_image_mean_ranks(scores: &[MetricScores]) -> Vec<Vec<f64>> {
    let Some(first) = scores.first() else {
        return Vec::new();
    };
    let explainers = first.by_explainer.len();
    let images = first.by_explainer.first().map_or(0, |images| images.len());
    for score in scores {
        assert_eq!(
            score.by_explainer.len(),
            explainers,
            "every score has every explainer"
        );
        let alike = score
            .by_explainer
            .iter()
            .all(|column| column.len() == images);
        assert!(alike, "every explainer has every image");
    }
    let mut means = vec![vec![0.0; images]; explainers];
    let mut costs = vec![0.0; explainers];
    for image in 0..images {
        for score in scores {
            for (cost, column) in costs.iter_mut().zip(&score.by_explainer) {
                *cost = match (
                    column[image].filter(|value| value.is_finite()),
                    score.better,
                ) {
                    (Some(value), Better::Lower) => value,
                    (Some(value), Better::Higher) => -value,
                    (None, _) => f64::INFINITY,
                };
            }
            for (mean, rank) in means.iter_mut().zip(average_ranks(&costs)) {
                mean[image] += rank / scores.len() as f64;
            }
        }
    }
    means
}

/// Sorts explainers by mean rank and marks which of them the data tell apart.
///
/// `ranks[explainer][image]` is from [`per_image_mean_ranks`]. Groups follow the leader rule:
/// the best explainer leads group 1 and is tested against every explainer below it (Wilcoxon
/// signed-rank on the images, Holm over these tests); explainers follow into its group until
/// the first whose adjusted p is below `alpha`, which leads the next group. So members of a group
/// are not told from its leader; they may differ from one another.
///
/// # Panics
/// If an explainer's number of images is not that of the resamples.
#[must_use]
pub fn rank_groups(ranks: &[Vec<f64>], resamples: &Resamples, alpha: f64) -> Vec<RankRow> {
    let columns: Vec<&[f64]> = ranks.iter().map(Vec::as_slice).collect();
    let mut rows: Vec<RankRow> = mean_intervals(&columns, resamples)
        .into_iter()
        .enumerate()
        .filter_map(|(index, interval)| {
            interval.map(|interval| RankRow {
                index,
                mean_rank: interval.mean,
                low: interval.low,
                high: interval.high,
                group: 0,
            })
        })
        .collect();
    rows.sort_by(|a, b| a.mean_rank.total_cmp(&b.mean_rank));
    let (mut leader, mut group) = (0, 1);
    while leader < rows.len() {
        let p_values: Vec<f64> = rows[leader + 1..]
            .iter()
            .map(|row| p_value(columns[rows[leader].index], columns[row.index]))
            .collect();
        let told_apart = holm(&p_values).iter().position(|&p| p < alpha);
        let next = told_apart.map_or(rows.len(), |place| leader + 1 + place);
        rows[leader..next]
            .iter_mut()
            .for_each(|row| row.group = group);
        (leader, group) = (next, group + 1);
    }
    rows
}

/// p of equal ranks by the signed-rank test; differences within rounding of the mean over scores count as ties.
pub(crate) fn p_value(a: &[f64], b: &[f64]) -> f64 {
    let differences: Vec<f64> = a
        .iter()
        .zip(b)
        .map(|(a, b)| ((a - b) * 1e9).round() / 1e9)
        .collect();
    wilcoxon_signed_rank(&differences).map_or(1.0, |test| test.p_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_ranks_by_hand() {
        assert_eq!(
            average_ranks(&[0.0, 2.0, -0.0, -1.0, 2.0]),
            [2.5, 4.5, 2.5, 1.0, 4.5]
        );
        assert_eq!(average_ranks(&[]), [0.0f64; 0]);
    }

    #[test]
    fn ranks_of_two_scores_by_hand() {
        let higher = [
            [Some(0.9), Some(0.5)],
            [Some(0.1), Some(0.5)],
            [None, Some(0.8)],
        ];
        let lower = [[Some(3.0), None], [Some(1.0), None], [Some(2.0), None]];
        let scores = [
            MetricScores {
                better: Better::Higher,
                by_explainer: higher.iter().map(|row| &row[..]).collect(),
            },
            MetricScores {
                better: Better::Lower,
                by_explainer: lower.iter().map(|row| &row[..]).collect(),
            },
        ];
        // image 0: ranks 1 2 3 and 3 1 2; image 1: 2.5 2.5 1 and 2 2 2
        let means = per_image_mean_ranks(&scores);
        assert_eq!(means, [[2.0, 2.25], [1.5, 2.25], [2.5, 1.5]]);
    }

    #[test]
    fn missing_and_infinite_scores_share_the_last_places() {
        let columns = [[None], [Some(f64::NEG_INFINITY)], [Some(-1e300)]];
        let scores = [MetricScores {
            better: Better::Higher,
            by_explainer: columns.iter().map(|row| &row[..]).collect(),
        }];
        assert_eq!(per_image_mean_ranks(&scores), [[2.5], [2.5], [1.0]]);
        assert!(per_image_mean_ranks(&[]).is_empty());
    }

    #[test]
    fn groups_follow_their_leader() {
        // Explainers 2 and 0 swap places 1 and 2 from image to image, explainer 1 is always 3.
        let images = 40;
        let swap = |first: bool| {
            (0..images)
                .map(|i| 1.0 + f64::from((i % 2 == 0) == first))
                .collect()
        };
        let ranks: Vec<Vec<f64>> = vec![swap(true), vec![3.0; images], swap(false)];
        let rows = rank_groups(&ranks, &Resamples::new(images, 500, 1), 0.05);
        assert_eq!(rows[2].index, 1);
        assert_eq!(
            rows.iter().map(|row| row.group).collect::<Vec<_>>(),
            [1, 1, 2]
        );
        assert_eq!(
            (rows[2].mean_rank, rows[2].low, rows[2].high),
            (3.0, 3.0, 3.0)
        );
        assert!(rows[0].low < 1.5 && rows[0].high > 1.5);
    }

    #[test]
    fn equal_explainers_are_one_group() {
        let rows = rank_groups(&vec![vec![2.0; 10]; 3], &Resamples::new(10, 100, 1), 0.05);
        assert_eq!(
            rows.iter()
                .map(|row| (row.index, row.group))
                .collect::<Vec<_>>(),
            [(0, 1), (1, 1), (2, 1)]
        );
        assert!(rank_groups(&[], &Resamples::new(0, 10, 1), 0.05).is_empty());
    }

    #[test]
    fn few_images_tell_nothing_apart() {
        // Five images: the least two-sided p is 2/32 > 0.05.
        let ranks = vec![vec![1.0; 5], vec![2.0; 5]];
        let rows = rank_groups(&ranks, &Resamples::new(5, 100, 1), 0.05);
        assert_eq!((rows[0].group, rows[1].group), (1, 1));
    }
}
