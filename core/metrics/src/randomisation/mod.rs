//! Does a map depend on what the model learnt, and on the class it explains?
//!
//! Whoever owns model and explainer randomises the one and asks the other again; these functions
//! compare what comes back. A map that hardly changes explains the input, not the model. Maps are
//! compared with channels summed, each in its own scale.

use crate::agreement::{CentredRanks, spearman};
use crate::not_applicable::finite;
use crate::similarity::{SsimMap, ssim};
use crate::{DrawKey, NotApplicable, RankedMagnitude, Score};

/// Number of bins of the histogram in [`histogram_entropy`] unless a suite says otherwise.
pub const DEFAULT_BINS: usize = 100;

/// A map whose likeness to others is asked: the ranks of its magnitudes.
#[derive(Debug, Clone, PartialEq)]
pub struct Original(CentredRanks);

impl Original {
    /// Prepares the map of the model as it is.
    ///
    /// # Errors
    /// [`NotApplicable::ConstantAttribution`] where all magnitudes are equal, and as
    /// [`RankedMap::new`](crate::RankedMap::new).
    pub fn new(map: &[f32]) -> Result<Self, NotApplicable> {
        CentredRanks::new(RankedMagnitude::new(map)?.as_map()).map(Self)
    }

    /// Spearman's rank correlation of |a| with that of a randomised model's map, in −1..=1.
    ///
    /// A constant map (a network whose signal died) orders nothing: its correlation is 0, which is
    /// what a random order of its ties can expect.
    ///
    /// # Errors
    /// [`NotApplicable::NonFinite`] and [`NotApplicable::LengthMismatch`].
    pub fn likeness(&self, randomised: &[f32]) -> Score {
        match CentredRanks::new(RankedMagnitude::new(randomised)?.as_map()) {
            Ok(ranks) => spearman(&self.0, &ranks),
            Err(NotApplicable::ConstantAttribution) => Ok(0.0),
            Err(reason) => Err(reason),
        }
    }
}

/// Writes noisy copy number `draw` of a row: each value moved by a normal draw of the given standard
/// deviation, for the averaged maps of smooth MPRT (Hedström et al. 2023).
///
/// `units` gives what a deviation of 1 means for each value; where it is empty that is 1.
pub fn write_noisy(
    key: DrawKey,
    draw: u64,
    deviation: f64,
    (input, units): (&[f32], &[f32]),
    row: &mut [f32],
) {
    let mut draws = key.draws(draw);
    let mut spare = None;
    for (i, (value, &own)) in row.iter_mut().zip(input).enumerate() {
        // Box and Muller 1958: two uniform draws make two normal ones.
        let normal = spare.take().unwrap_or_else(|| {
            let radius = (-2.0 * (1.0 - draws.unit()).ln()).sqrt();
            let (sine, cosine) = (std::f64::consts::TAU * draws.unit()).sin_cos();
            spare = Some(radius * sine);
            radius * cosine
        });
        let unit = units.get(i).map_or(1.0, |&unit| f64::from(unit));
        *value = (f64::from(own) + normal * deviation * unit) as f32;
    }
}

/// Model parameter randomisation test: the mean over layers of the likeness of the map to that of
/// the model whose parameters are random from the output down to that layer.
///
/// Adebayo et al. 2018, section 3.1, cascading randomisation; in −1..=1, lower is better. `curve`
/// has a likeness ([`Original::likeness`]) per layer.
///
/// # Errors
/// [`NotApplicable::NoParameters`] for a curve without layers; the first layer's reason without a
/// value, since means over different layers do not compare.
pub fn mprt(curve: &[Score]) -> Score {
    if curve.is_empty() {
        return Err(NotApplicable::NoParameters);
    }
    let mut sum = 0.0;
    for layer in curve {
        sum += (*layer)?;
    }
    finite(sum / curve.len() as f64)
}

/// Entropy in nats of the histogram of a map: `bins` bins of equal width from its least to its
/// greatest value, the greatest in the last bin; 0 for a constant map.
///
/// # Errors
/// [`NotApplicable::Empty`] without pixels or bins, [`NotApplicable::NonFinite`].
pub fn histogram_entropy(map: &[f32], bins: usize) -> Score {
    if map.is_empty() || bins == 0 {
        return Err(NotApplicable::Empty);
    }
    if map.iter().any(|value| !value.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    let least = map.iter().copied().fold(f32::INFINITY, f32::min);
    let greatest = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if least == greatest {
        return Ok(0.0);
    }
    let width = f64::from(greatest) - f64::from(least);
    let mut counts = vec![0u32; bins];
    for &value in map {
        let place = (f64::from(value) - f64::from(least)) / width * bins as f64;
        counts[(place as usize).min(bins - 1)] += 1;
    }
    let all = map.len() as f64;
    let terms = counts.iter().filter(|&&count| count > 0).map(|&count| {
        let share = f64::from(count) / all;
        -share * share.ln()
    });
    finite(terms.sum())
}

/// Efficient model parameter randomisation test: (H(a*) − H(a)) / H(a), a* the map of the model
/// with all parameters random and H the entropy of the histogram.
///
/// Hedström et al. 2023 ("Sanity checks revisited"), efficient MPRT; from −1, higher is better.
///
/// # Errors
/// [`NotApplicable::ConstantAttribution`] where the map itself has no entropy.
pub fn efficient_mprt(map: &[f32], randomised: &[f32], bins: usize) -> Score {
    let own = histogram_entropy(map, bins)?;
    if own <= 0.0 {
        return Err(NotApplicable::ConstantAttribution);
    }
    finite((histogram_entropy(randomised, bins)? - own) / own)
}

/// Another class than `target` of `classes`, drawn for an image; `None` where there is none.
#[must_use]
pub fn other_class(seed: u64, image: u64, target: i64, classes: usize) -> Option<i64> {
    let others = u32::try_from(classes.checked_sub(1)?).ok()?;
    if others == 0 {
        return None;
    }
    let drawn = DrawKey::new(seed, "random_logit", image).draws(0);
    let drawn = i64::from({ drawn }.below(others));
    Some(if (0..=drawn).contains(&target) {
        drawn + 1
    } else {
        drawn
    })
}

/// Random logit test: structural similarity of the map of the explained class and that of another,
/// `[height, width]` both, each over its greatest magnitude; −1..=1, lower is better.
///
/// Sixt, Granz and Landgraf 2020, section 4; window and data range are those of [`ssim`].
///
/// # Errors
/// As [`SsimMap::new`]: constant or non-finite maps, sides below the window's 11 pixels.
pub fn random_logit(map: &[f32], other: &[f32], height: usize, width: usize) -> Score {
    ssim(
        &SsimMap::new(map, height, width)?,
        &SsimMap::new(other, height, width)?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_by_hand() {
        // Magnitudes 1 2 3 4 5; ranks against 2 1 4 3 5 give .8 whatever the signs.
        let own = Original::new(&[1.0, -2.0, 3.0, -4.0, 5.0]).unwrap();
        let likeness = own.likeness(&[-20.0, 10.0, -40.0, 30.0, 50.0]).unwrap();
        assert!((likeness - 0.8).abs() < 1e-12);
        assert_eq!(own.likeness(&[7.0; 5]), Ok(0.0));
        assert_eq!(
            own.likeness(&[f32::NAN, 0.0, 0.0, 0.0, 0.0]),
            Err(NotApplicable::NonFinite)
        );
        assert_eq!(
            own.likeness(&[1.0, 2.0]),
            Err(NotApplicable::LengthMismatch)
        );
        assert_eq!(
            Original::new(&[2.0, -2.0]),
            Err(NotApplicable::ConstantAttribution)
        );
    }

    #[test]
    fn noise_is_normal() {
        let (input, mut row) = (vec![0.5; 20_001], vec![0.0; 20_001]);
        let key = DrawKey::new(1, "smooth_mprt", 2);
        write_noisy(key, 0, 0.2, (&input, &[]), &mut row);
        let steps: Vec<f64> = row.iter().map(|&x| (f64::from(x) - 0.5) / 0.2).collect();
        let moment = |power| steps.iter().map(|step| step.powi(power)).sum::<f64>() / 20_001.0;
        // Five standard errors of the first, second and fourth moment of 1, 2 and √96.
        for (power, expected, spread) in [(1, 0.0, 1.0f64), (2, 1.0, 2.0), (4, 3.0, 96.0)] {
            let error = 5.0 * (spread / 20_001.0).sqrt();
            assert!(
                (moment(power) - expected).abs() < error,
                "{power}: {}",
                moment(power)
            );
        }
    }

    #[test]
    fn the_mean_is_over_all_layers_or_none() {
        assert_eq!(mprt(&[Ok(0.5), Ok(0.25), Ok(0.0)]), Ok(0.25));
        assert_eq!(
            mprt(&[Ok(0.5), Err(NotApplicable::NonFinite)]),
            Err(NotApplicable::NonFinite)
        );
        assert_eq!(mprt(&[]), Err(NotApplicable::NoParameters));
    }

    #[test]
    fn entropy_by_hand() {
        // Four bins of width 1 from 0 to 4: two, one, none, one.
        let map = [0.0, 0.5, 1.0, 4.0];
        let expected = 0.5 * 2f64.ln() + 0.5 * 4f64.ln();
        assert!((histogram_entropy(&map, 4).unwrap() - expected).abs() < 1e-12);
        assert_eq!(histogram_entropy(&[3.0; 9], 4), Ok(0.0));
        assert_eq!(histogram_entropy(&[], 4), Err(NotApplicable::Empty));
        assert_eq!(histogram_entropy(&map, 0), Err(NotApplicable::Empty));
        assert_eq!(
            histogram_entropy(&[f32::INFINITY, 0.0], 4),
            Err(NotApplicable::NonFinite)
        );
        // Scale and offset move the bins with the map.
        let moved: Vec<f32> = map.iter().map(|a| a * 8.0 - 16.0).collect();
        assert_eq!(histogram_entropy(&map, 4), histogram_entropy(&moved, 4));
    }

    #[test]
    fn rise_of_entropy_by_hand() {
        // ln 2 for halves, ln 4 for quarters: a rise by all of itself.
        let (own, random) = ([0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 2.0, 3.0]);
        assert!((efficient_mprt(&own, &random, 4).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(efficient_mprt(&own, &[1.0; 4], 4), Ok(-1.0));
        assert_eq!(
            efficient_mprt(&[1.0; 4], &random, 4),
            Err(NotApplicable::ConstantAttribution)
        );
    }

    #[test]
    fn the_other_class_is_any_but_the_explained() {
        let mut seen = std::collections::BTreeMap::new();
        for image in 0..3000 {
            let class = other_class(3, image, 1, 4).unwrap();
            *seen.entry(class).or_insert(0) += 1;
        }
        assert_eq!(seen.keys().copied().collect::<Vec<i64>>(), [0, 2, 3]);
        assert!(
            seen.values().all(|&n: &i32| (n - 1000).abs() < 120),
            "{seen:?}"
        );
        assert_eq!(other_class(3, 0, 0, 1), None);
        assert_eq!(other_class(3, 0, 0, 0), None);
        assert_eq!(other_class(3, 0, 0, 2), Some(1));
        assert_eq!(other_class(3, 0, 1, 2), Some(0));
    }

    #[test]
    fn the_same_map_for_every_class_fails_the_test() {
        let map: Vec<f32> = (0..144).map(|i| ((i * 31) % 17) as f32).collect();
        let doubled: Vec<f32> = map.iter().map(|a| a * 2.0).collect();
        assert!((random_logit(&map, &doubled, 12, 12).unwrap() - 1.0).abs() < 1e-9);
        let other: Vec<f32> = (0..144).map(|i| ((i * 53) % 19) as f32).collect();
        assert!(random_logit(&map, &other, 12, 12).unwrap() < 0.5);
        assert_eq!(
            random_logit(&map, &[0.0; 144], 12, 12),
            Err(NotApplicable::ConstantAttribution)
        );
    }
}
