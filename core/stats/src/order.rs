//! How certain is an order? Ranks under resampling, and which neighbours are told apart.

use crate::bootstrap::Resamples;
use crate::paired::holm;
use crate::quantile::central_95;
use crate::rank::{average_ranks, p_value};
use serde::{Deserialize, Serialize};

/// How far the data pin down one explainer's place in the order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlaceUncertainty {
    /// Share of resamples in which it comes first, ties shared; all explainers' shares add up to
    /// 1.
    pub first: f64,
    /// 2.5% quantile of its place over the resamples; 1 is best.
    pub low: f64,
    /// 97.5% quantile of its place.
    pub high: f64,
}

/// Places of explainers ordered by their mean rank, over resamples of the images (the bootstrap of
/// ranks: Goldstein and Spiegelhalter 1996; Hall and Miller 2009 on where it is too sure: near
/// ties).
///
/// `ranks[explainer][image]` is from [`crate::per_image_mean_ranks`]; explainers tied in a resample
/// share the mean of their places. With one image, every resample is that image. Empty without
/// explainers or images.
///
/// # Panics
/// If an explainer's number of images is not that of the resamples.
#[must_use]
pub fn place_uncertainty(ranks: &[Vec<f64>], resamples: &Resamples) -> Vec<PlaceUncertainty> {
    for row in ranks {
        assert_eq!(
            row.len(),
            resamples.images(),
            "one rank for each resampled image"
        );
    }
    let draws = resamples.draws();
    if resamples.images() == 0 || draws == 0 {
        return Vec::new();
    }
    let columns: Vec<&[f64]> = ranks.iter().map(Vec::as_slice).collect();
    let sums = resamples.sums(&columns);
    let mut first = vec![0.0; ranks.len()];
    let mut places = vec![Vec::with_capacity(draws); ranks.len()];
    let mut means = vec![0.0; ranks.len()];
    for draw in 0..draws {
        for (mean, sums) in means.iter_mut().zip(&sums) {
            // Equal mean ranks may differ in their last bits.
            *mean = rounded(sums[draw] / resamples.images() as f64);
        }
        let found = average_ranks(&means);
        let least = means.iter().copied().fold(f64::INFINITY, f64::min);
        let best = means.iter().filter(|&&mean| mean == least).count() as f64;
        for (index, place) in found.into_iter().enumerate() {
            places[index].push(place);
            if means[index] == least {
                first[index] += 1.0 / best;
            }
        }
    }
    let uncertainty = first.into_iter().zip(&mut places).map(|(first, places)| {
        let (low, high) = central_95(places).unwrap_or((1.0, 1.0));
        PlaceUncertainty {
            first: first / draws as f64,
            low,
            high,
        }
    });
    uncertainty.collect()
}

fn rounded(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

/// Explainers in the order of their mean ranks, with p values of all pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderTests {
    /// Positions in the input, best first; ties in the order of the input.
    pub order: Vec<usize>,
    /// Holm-corrected p of every pair, `[explainer][explainer]` by position in the input; 1 on the
    /// diagonal.
    pub p: Vec<Vec<f64>>,
    /// Places in `order`, first and last, of the longest runs in which no two are told apart; only
    /// runs of two or more, and none within another.
    pub runs: Vec<(usize, usize)>,
}

/// Tests all pairs of explainers by the Wilcoxon signed-rank test on their ranks per image,
/// Holm-corrected over all pairs, as Benavoli, Corani and Mangili (2016) advise in place of tests
/// on mean ranks, whose answer on two hangs on the others.
///
/// A run takes in neighbours in the order as long as every two of them differ with p ≥ `alpha`:
/// what a bar of a critical difference diagram (Demšar 2006) stands for.
#[must_use]
pub fn order_tests(ranks: &[Vec<f64>], alpha: f64) -> OrderTests {
    let mean = |index: &usize| {
        let row = &ranks[*index];
        rounded(row.iter().sum::<f64>() / row.len().max(1) as f64)
    };
    let mut order: Vec<usize> = (0..ranks.len()).collect();
    order.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
    let pairs: Vec<(usize, usize)> = (0..ranks.len())
        .flat_map(|a| (0..a).map(move |b| (a, b)))
        .collect();
    let raw: Vec<f64> = pairs
        .iter()
        .map(|&(a, b)| p_value(&ranks[a], &ranks[b]))
        .collect();
    let mut p = vec![vec![1.0; ranks.len()]; ranks.len()];
    for (&(a, b), corrected) in pairs.iter().zip(holm(&raw)) {
        p[a][b] = corrected;
        p[b][a] = corrected;
    }
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for first in 0..order.len() {
        let mut last = first;
        while last + 1 < order.len()
            && (first..=last).all(|place| p[order[place]][order[last + 1]] >= alpha)
        {
            last += 1;
        }
        let within = runs.last().is_some_and(|&(_, end)| end >= last);
        if last > first && !within {
            runs.push((first, last));
        }
    }
    OrderTests { order, p, runs }
}

impl OrderTests {
    /// Numbers of the groups each explainer belongs to, by position in the input, from 1: its runs,
    /// or a group of its own where it is told apart from all. Two that share a number are not told
    /// apart (the compact letter display of Piepho 2004, for runs).
    #[must_use]
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups = vec![Vec::new(); self.order.len()];
        let mut number = 0;
        let mut runs = self.runs.iter().peekable();
        for place in 0..self.order.len() {
            let alone = !self
                .runs
                .iter()
                .any(|&(first, last)| first <= place && place <= last);
            while let Some(&&(first, last)) = runs.peek()
                && first <= place
            {
                number += 1;
                for member in first..=last {
                    groups[self.order[member]].push(number);
                }
                runs.next();
            }
            if alone {
                number += 1;
                groups[self.order[place]].push(number);
            }
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sure_order_is_sure() {
        let ranks = vec![vec![2.0; 20], vec![1.0; 20], vec![3.0; 20]];
        let found = place_uncertainty(&ranks, &Resamples::new(20, 300, 1));
        assert_eq!(
            found.iter().map(|one| one.first).collect::<Vec<_>>(),
            [0.0, 1.0, 0.0]
        );
        assert_eq!((found[2].low, found[2].high), (3.0, 3.0));
    }

    #[test]
    fn ties_share_the_first_place() {
        let found = place_uncertainty(&vec![vec![1.5; 9]; 2], &Resamples::new(9, 100, 1));
        assert_eq!((found[0].first, found[1].first), (0.5, 0.5));
        assert_eq!((found[0].low, found[0].high), (1.5, 1.5));
        assert!(place_uncertainty(&[], &Resamples::new(9, 100, 1)).is_empty());
        assert!(place_uncertainty(&[vec![]], &Resamples::new(0, 100, 1)).is_empty());
        let one = place_uncertainty(&[vec![1.0], vec![2.0]], &Resamples::new(1, 100, 1));
        assert_eq!((one[0].first, one[1].low), (1.0, 2.0));
    }

    #[test]
    fn the_share_of_firsts_is_what_the_binomial_says() {
        // One wins on 12 of 20 images: it is first in a resample with more than 10 of its wins,
        // and shares with exactly 10. P(B(20, .6) > 10) + P(= 10)/2 = 0.75534 + 0.11714/2.
        let a: Vec<f64> = (0..20).map(|i| if i < 12 { 1.0 } else { 2.0 }).collect();
        let b: Vec<f64> = a.iter().map(|rank| 3.0 - rank).collect();
        let found = place_uncertainty(&[a, b], &Resamples::new(20, 20_000, 1));
        assert!((found[0].first - 0.813_91).abs() < 0.01, "{found:?}");
        assert!((found[0].first + found[1].first - 1.0).abs() < 1e-12);
        assert_eq!((found[0].low, found[0].high), (1.0, 2.0));
    }

    #[test]
    fn runs_hold_those_that_no_test_tells_apart() {
        // 0 and 2 swap places from image to image, 1 is always last.
        let swap = |first: bool| {
            (0..40)
                .map(|i| 1.0 + f64::from((i % 2 == 0) == first))
                .collect()
        };
        let ranks: Vec<Vec<f64>> = vec![swap(true), vec![3.0; 40], swap(false)];
        let found = order_tests(&ranks, 0.05);
        assert_eq!(found.order, [0, 2, 1]);
        assert_eq!(found.runs, [(0, 1)]);
        assert_eq!(found.groups(), [vec![1], vec![2], vec![1]]);
        assert!(found.p[0][1] < 1e-6 && found.p[0][2] == 1.0 && found.p[1][1] == 1.0);
    }

    #[test]
    fn groups_overlap_where_the_ends_of_a_run_differ() {
        let tests = OrderTests {
            order: vec![3, 0, 1, 2, 4],
            p: Vec::new(),
            runs: vec![(1, 2), (2, 3)],
        };
        let groups = tests.groups();
        assert_eq!(groups[3], [1]);
        assert_eq!(groups[0], [2]);
        assert_eq!(groups[1], [2, 3]);
        assert_eq!(groups[2], [3]);
        assert_eq!(groups[4], [4]);
    }

    #[test]
    fn one_or_none_has_no_runs() {
        assert_eq!(order_tests(&[], 0.05).runs, []);
        let one = order_tests(&[vec![1.0, 1.0]], 0.05);
        assert_eq!((one.runs.len(), one.groups()), (0, vec![vec![1]]));
        let equal = order_tests(&vec![vec![2.0; 5]; 3], 0.05);
        assert_eq!(equal.runs, [(0, 2)]);
    }
}
