//! Do groups of values differ in their means? One-way analysis of variance.

use crate::distributions::f_survival;
use serde::{Deserialize, Serialize};

/// A one-way analysis of variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Anova {
    /// Variance between the groups over variance within them; at least 0.
    pub f: f64,
    /// Probability of an F as large or larger where all groups have one mean, 0..=1.
    pub p_value: f64,
    /// Degrees of freedom between groups: their number − 1.
    pub between: usize,
    /// Degrees of freedom within groups: the number of values − the number of groups.
    pub within: usize,
}

/// One-way analysis of variance (Fisher 1925) of groups of any sizes.
///
/// Assumes independent values, normal within each group, of one variance. Empty groups are left
/// out. `None` with fewer than two groups that have values, without degrees of freedom within
/// groups, where a value is not finite, and where no value differs from its group's mean (F would
/// be infinite or 0/0).
#[must_use]
pub fn one_way_anova(groups: &[&[f64]]) -> Option<Anova> {
    let groups: Vec<&[f64]> = groups
        .iter()
        .copied()
        .filter(|group| !group.is_empty())
        .collect();
    let count: usize = groups.iter().map(|group| group.len()).sum();
    let between = groups.len().checked_sub(1).filter(|&freedom| freedom > 0)?;
    let within = count
        .checked_sub(groups.len())
        .filter(|&freedom| freedom > 0)?;
    if groups.iter().copied().flatten().any(|v| !v.is_finite()) {
        return None;
    }
    let grand = groups.iter().copied().flatten().sum::<f64>() / count as f64;
    let (mut squares_between, mut squares_within) = (0.0, 0.0);
    for group in &groups {
        let mean = group.iter().sum::<f64>() / group.len() as f64;
        squares_between += group.len() as f64 * (mean - grand) * (mean - grand);
        squares_within += group.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
    }
    let constant = groups
        .iter()
        .all(|group| group.iter().all(|v| v == &group[0]));
    if constant || squares_within <= 0.0 {
        return None;
    }
    let f = (squares_between / between as f64) / (squares_within / within as f64);
    Some(Anova {
        f,
        p_value: f_survival(f, between as f64, within as f64)?,
        between,
        within,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!(
            (found - expected).abs() <= relative * expected.abs(),
            "{found} is not {expected}"
        );
    }

    #[test]
    fn f_by_hand() {
        // Means 2, 5, 6 around 13/3; between 3·(49 + 4 + 25)/9 = 26 with 2 degrees of freedom,
        // within 2 + 2 + 2 = 6 with 6.
        let anova = one_way_anova(&[&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], &[5.0, 6.0, 7.0]]).unwrap();
        close(anova.f, 13.0, 1e-14);
        assert_eq!((anova.between, anova.within), (2, 6));
        // P(F₂,₆ ≥ f) = (1 + f/3)⁻³.
        close(anova.p_value, (16.0f64 / 3.0).powi(-3), 1e-12);
    }

    #[test]
    fn p_values_are_those_of_scipy() {
        // scipy.stats.f.sf(f, d1, d2)
        for (f, d1, d2, p) in [
            (0.110148, 1.0, 6998.0, 0.7399856419443771),
            (7.496324, 1.0, 6998.0, 0.006198137823430394),
            (0.002361, 1.0, 6998.0, 0.961247328429997),
            (2.5, 3.0, 17.0, 0.09428280507894789),
            (50.0, 4.0, 60.0, 1.8920737374805385e-18),
            (1.0, 9.0, 59_990.0, 0.4372880364477749),
            (0.0, 2.0, 5.0, 1.0),
        ] {
            close(f_survival(f, d1, d2).unwrap(), p, 1e-9);
        }
    }

    #[test]
    fn anova_is_that_of_scipy() {
        // scipy.stats.f_oneway of the same three groups of unequal size.
        let groups: [&[f64]; 3] = [
            &[0.0571, 0.0813, 0.0831, 0.0976, 0.0817, 0.0859],
            &[0.0873, 0.0662, 0.0672, 0.0819, 0.0749],
            &[0.0974, 0.1352, 0.0817, 0.1016],
        ];
        let anova = one_way_anova(&groups).unwrap();
        close(anova.f, 4.349418351555255, 1e-12);
        close(anova.p_value, 0.037967486424308305, 1e-10);
    }

    #[test]
    fn no_anova() {
        assert_eq!(one_way_anova(&[]), None);
        assert_eq!(one_way_anova(&[&[1.0, 2.0]]), None);
        assert_eq!(one_way_anova(&[&[1.0, 2.0], &[]]), None);
        assert_eq!(one_way_anova(&[&[1.0], &[2.0]]), None);
        assert_eq!(one_way_anova(&[&[1.0, 1.0], &[2.0, 2.0]]), None);
        assert_eq!(one_way_anova(&[&[0.1, 0.1, 0.1], &[0.1, 0.1]]), None);
        assert_eq!(one_way_anova(&[&[1.0, f64::NAN], &[2.0, 3.0]]), None);
        let equal = one_way_anova(&[&[1.0, 2.0], &[2.0, 1.0]]).unwrap();
        assert_eq!((equal.f, equal.p_value), (0.0, 1.0));
    }
}
