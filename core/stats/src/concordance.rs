//! Do several judges put the same things into the same order? Kendall's coefficient of
//! concordance.

use crate::distributions::chi_square_survival;
use crate::random::{Stream, mix};
use crate::rank::average_ranks;
use serde::{Deserialize, Serialize};

/// Kendall's coefficient of concordance with its tests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Concordance {
    /// W in 0..=1: 0 where the judges' mean ranks are all equal, 1 where all orders are the same.
    pub w: f64,
    /// `m (k − 1) W` of m judges and k items.
    pub chi_square: f64,
    /// P of that or more under independent random orders, by χ² with k − 1 degrees of freedom: good
    /// for more than about seven items, too large for fewer.
    pub p_chi_square: f64,
    /// The same by permuting the ranks of each judge: all ways where they are few, else drawn.
    pub p_permutation: f64,
    /// Judges m.
    pub judges: usize,
    /// Items k.
    pub items: usize,
}

/// Orders that are gone through one by one.
const EXACT_LIMIT: usize = 50_000;
/// Random orders drawn where there are more.
const DRAWS: u64 = 9999;
const PURPOSE: u64 = 0x434f_4e43_4f52_4421;

/// Kendall's W of `values[judge][item]`, with the correction for ties (Kendall and Babington Smith
/// 1939; Siegel and Castellan 1988, section 9.5).
///
/// Each judge's values are ranked, the smallest first, ties sharing the mean of their places; give
/// values so that all judges prefer the same end. A judge for whom all items are equal has no order
/// and is left out. `None` with fewer than two judges or two items, where a value is not finite, or
/// where judges give different numbers of items. `seed` matters only where orders are drawn.
#[must_use]
pub fn kendall_w(values: &[Vec<f64>], seed: u64) -> Option<Concordance> {
    let items = values.first()?.len();
    let bad = |row: &Vec<f64>| row.len() != items || row.iter().any(|value| !value.is_finite());
    if items < 2 || values.iter().any(bad) {
        return None;
    }
    // Twice an average rank is whole, so that sums are exact and equal orders compare as equal.
    let doubled: Vec<Vec<i64>> = values
        .iter()
        .map(|row| {
            let ranks = average_ranks(row);
            ranks.iter().map(|rank| (2.0 * rank) as i64).collect()
        })
        .filter(|ranks: &Vec<i64>| ranks.iter().any(|rank| rank != &ranks[0]))
        .collect();
    let judges = doubled.len();
    if judges < 2 {
        return None;
    }
    let spread = spread(&doubled);
    let (m, k) = (judges as f64, items as f64);
    let ties: f64 = doubled.iter().map(|ranks| tie_term(ranks)).sum();
    // The spread is that of doubled rank sums: four times that of the sums themselves.
    let w = 12.0 * (spread as f64 / 4.0) / (m * m * (k * k * k - k) - m * ties);
    let chi_square = m * (k - 1.0) * w;
    Some(Concordance {
        w: w.clamp(0.0, 1.0),
        chi_square,
        p_chi_square: chi_square_survival(chi_square, k - 1.0)?,
        p_permutation: permutation(&doubled, spread, seed),
        judges,
        items,
    })
}

/// `Σ (R − mean R)²` of the items' sums of doubled ranks, times the number of items squared over
/// itself: exact in whole numbers, since the mean of doubled ranks, k + 1, is whole.
fn spread(doubled: &[Vec<i64>]) -> i64 {
    let items = doubled[0].len();
    let mean = doubled.len() as i64 * (items as i64 + 1);
    let sums = (0..items).map(|item| doubled.iter().map(|ranks| ranks[item]).sum::<i64>());
    sums.map(|sum| (sum - mean) * (sum - mean)).sum()
}

fn tie_term(ranks: &[i64]) -> f64 {
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable();
    let groups = sorted.chunk_by(|a, b| a == b);
    let sizes = groups.map(|group| group.len() as f64);
    sizes.map(|size| size * size * size - size).sum()
}

/// Share of the ways to order each judge's ranks that spread the sums at least as far.
fn permutation(doubled: &[Vec<i64>], spread_found: i64, seed: u64) -> f64 {
    let items = doubled[0].len();
    let orders = (1..=items).try_fold(1usize, |product, i| product.checked_mul(i));
    let ways = orders.and_then(|orders| {
        // The first judge may stay as it is: only the orders relative to it matter.
        let others = u32::try_from(doubled.len() - 1).ok()?;
        orders
            .checked_pow(others)
            .filter(|&ways| ways <= EXACT_LIMIT)
    });
    if ways.is_some() {
        let mut sums = doubled[0].clone();
        let (mut far, mut all) = (0u64, 0u64);
        let mean = doubled.len() as i64 * (items as i64 + 1);
        count_orders(&doubled[1..], &mut sums, &mut |sums| {
            let spread: i64 = sums.iter().map(|sum| (sum - mean) * (sum - mean)).sum();
            all += 1;
            far += u64::from(spread >= spread_found);
        });
        return far as f64 / all as f64;
    }
    let mut far = 0u64;
    let mut shuffled = doubled.to_vec();
    for draw in 0..DRAWS {
        let mut stream = Stream::new(mix(seed ^ PURPOSE), draw);
        for ranks in &mut shuffled[1..] {
            stream.shuffle(ranks);
        }
        far += u64::from(spread(&shuffled) >= spread_found);
    }
    (1 + far) as f64 / (1 + DRAWS) as f64
}

/// Calls `visit` with the sums for every order of every judge's ranks.
fn count_orders(judges: &[Vec<i64>], sums: &mut [i64], visit: &mut dyn FnMut(&[i64])) {
    let Some((first, rest)) = judges.split_first() else {
        visit(sums);
        return;
    };
    let mut ranks = first.clone();
    orders(&mut ranks, 0, &mut |ranks| {
        let add = |sums: &mut [i64], sign: i64| {
            for (sum, rank) in sums.iter_mut().zip(ranks) {
                *sum += sign * rank;
            }
        };
        add(sums, 1);
        count_orders(rest, sums, visit);
        add(sums, -1);
    });
}

fn orders(ranks: &mut [i64], from: usize, visit: &mut dyn FnMut(&[i64])) {
    if from + 1 >= ranks.len() {
        visit(ranks);
        return;
    }
    for other in from..ranks.len() {
        ranks.swap(from, other);
        orders(ranks, from + 1, visit);
        ranks.swap(from, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_and_opposition() {
        let same = kendall_w(&[vec![1.0, 2.0, 3.0], vec![10.0, 20.0, 30.0]], 0).unwrap();
        assert_eq!((same.w, same.judges, same.items), (1.0, 2, 3));
        // Of the six orders of the second judge, one gives W = 1 (the reverse gives 0).
        assert_eq!(same.p_permutation, 1.0 / 6.0);
        let opposed = kendall_w(&[vec![1.0, 2.0, 3.0], vec![3.0, 2.0, 1.0]], 0).unwrap();
        assert_eq!((opposed.w, opposed.p_permutation), (0.0, 1.0));
    }

    #[test]
    fn by_hand() {
        // Kendall's W of 1 2 3 4, 1 3 2 4, 2 1 3 4: sums 4 6 8 12 about 7.5, S = 35,
        // W = 12·35/(9·60) = 7/9.
        let values = [
            vec![1.0, 2.0, 3.0, 4.0],
            vec![1.0, 3.0, 2.0, 4.0],
            vec![2.0, 1.0, 3.0, 4.0],
        ];
        let found = kendall_w(&values, 0).unwrap();
        assert!((found.w - 7.0 / 9.0).abs() < 1e-15);
        assert!((found.chi_square - 7.0).abs() < 1e-12);
        // With two judges of two items each order has probability one half.
        let pair = kendall_w(&[vec![1.0, 2.0], vec![1.0, 2.0]], 0).unwrap();
        assert_eq!(pair.p_permutation, 0.5);
    }

    #[test]
    fn drawn_orders_come_near_the_exact_share() {
        // Three judges of five items: 14 400 orders, exactly; the same again by drawing.
        let ranks = [
            vec![2, 4, 6, 8, 10],
            vec![4, 2, 6, 10, 8],
            vec![2, 6, 4, 8, 10],
        ];
        let found = spread(&ranks);
        let exact = permutation(&ranks, found, 0);
        let mut far = 0;
        let mut shuffled = ranks.clone();
        for draw in 0..DRAWS {
            let mut stream = Stream::new(9, draw);
            shuffled[1..]
                .iter_mut()
                .for_each(|ranks| stream.shuffle(ranks));
            far += u32::from(spread(&shuffled) >= found);
        }
        let drawn = f64::from(far) / DRAWS as f64;
        let error = (exact * (1.0 - exact) / DRAWS as f64).sqrt();
        assert!((drawn - exact).abs() < 4.0 * error, "{drawn} {exact}");
    }

    #[test]
    fn no_concordance() {
        assert_eq!(kendall_w(&[], 0), None);
        assert_eq!(kendall_w(&[vec![1.0, 2.0]], 0), None);
        assert_eq!(kendall_w(&[vec![1.0], vec![2.0]], 0), None);
        assert_eq!(kendall_w(&[vec![1.0, 2.0], vec![2.0]], 0), None);
        assert_eq!(kendall_w(&[vec![1.0, 2.0], vec![f64::NAN, 1.0]], 0), None);
        // Judges for whom all is equal have no say.
        assert_eq!(kendall_w(&[vec![1.0, 2.0], vec![5.0, 5.0]], 0), None);
        let ignored = [vec![1.0, 2.0], vec![5.0, 5.0], vec![3.0, 4.0]];
        let found = kendall_w(&ignored, 0).unwrap();
        assert_eq!((found.w, found.judges), (1.0, 2));
    }
}
