//! Focus: does the explanation of a class lie on the images of that class in a mosaic?

use super::mosaic::tiles;
use crate::not_applicable::finite;
use crate::{NotApplicable, Score, reduce_channels};

/// Catalogue id of [`focus`].
pub const FOCUS: &str = "focus";

/// What a map that knows nothing can expect of [`focus`]: each tile is of the explained class as
/// often as not.
pub const FOCUS_CHANCE: f64 = 0.5;

/// Share of a mosaic's positive attribution that lies on the tiles of the explained class,
/// `Σ_T a⁺ / Σ a⁺`, in 0..=1 with [`FOCUS_CHANCE`] for a map that knows nothing.
///
/// Arias-Duart et al. 2022, section 3. `map` explains the mosaic, `[c, h, w]` with `plane` its
/// shape; `target` says which of its [`tiles`] are of the class.
///
/// # Errors
/// [`NotApplicable::ZeroRelevance`] if no attribution is positive, [`NotApplicable::TooSmall`] for a
/// plane without four tiles, [`NotApplicable::LengthMismatch`], [`NotApplicable::NonFinite`],
/// [`NotApplicable::Empty`].
pub fn focus(map: &[f32], plane: [usize; 3], target: [bool; 4]) -> Score {
    let [channels, height, width] = plane;
    let map = reduce_channels(map, channels)?;
    if map.len() != height * width {
        return Err(NotApplicable::LengthMismatch);
    }
    if !map.iter().all(|value| value.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    let (mut inside, mut total) = (0.0, 0.0);
    for (tile, marked) in tiles(height, width)?.into_iter().zip(target) {
        let positive: f64 = tile
            .pixels(width)
            .map(|pixel| f64::from(map[pixel].max(0.0)))
            .sum();
        total += positive;
        inside += if marked { positive } else { 0.0 };
    }
    if total == 0.0 {
        return Err(NotApplicable::ZeroRelevance);
    }
    finite(inside / total)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::DrawKey;

    const LEFT: [bool; 4] = [true, false, true, false];
    const TOP: [bool; 4] = [true, true, false, false];
    const FALLING: [bool; 4] = [true, false, false, true];

    #[test]
    fn by_hand() {
        // 3 wide: a left tile of one column, a right one of two; 2 high: tiles of one row.
        let map = [4.0, -9.0, 1.0, 2.0, 0.5, 0.5];
        let plane = [1, 2, 3];
        assert_eq!(focus(&map, plane, LEFT), Ok(6.0 / 8.0));
        assert_eq!(focus(&map, plane, TOP), Ok(5.0 / 8.0));
        assert_eq!(focus(&map, plane, FALLING), Ok(5.0 / 8.0));
        // Two channels, summed before their sign is looked at.
        let map = [1.0, 1.0, 0.0, 2.0, 2.0, -3.0, 0.0, -1.0];
        assert_eq!(focus(&map, [2, 2, 2], LEFT), Ok(3.0 / 4.0));
    }

    #[test]
    fn what_has_no_share_says_why() {
        let of = |map: &[f32], plane| focus(map, plane, LEFT);
        assert_eq!(of(&[0.0; 4], [1, 2, 2]), Err(NotApplicable::ZeroRelevance));
        assert_eq!(of(&[-1.0; 4], [1, 2, 2]), Err(NotApplicable::ZeroRelevance));
        assert_eq!(of(&[1.0; 5], [1, 1, 5]), Err(NotApplicable::TooSmall));
        assert_eq!(of(&[1.0; 5], [1, 2, 2]), Err(NotApplicable::LengthMismatch));
        assert_eq!(of(&[], [1, 0, 0]), Err(NotApplicable::Empty));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let map = [1.0, bad, 1.0, 1.0];
            assert_eq!(of(&map, [1, 2, 2]), Err(NotApplicable::NonFinite));
        }
        // A constant map says as much of every tile.
        assert_eq!(of(&[0.5; 16], [1, 4, 4]), Ok(0.5));
    }

    #[test]
    fn random_maps_expect_one_half_in_any_size() {
        for (height, width) in [(4, 4), (5, 3), (2, 7)] {
            let (mut sum, draws) = (0.0, 4000);
            for draw in 0..draws {
                let mut numbers = DrawKey::new(1, "focus_test", draw).draws(0);
                let map: Vec<f32> = (0..height * width)
                    .map(|_| numbers.unit() as f32 - 0.5)
                    .collect();
                let mut target = LEFT;
                numbers.shuffle(&mut target);
                sum += focus(&map, [1, height, width], target).unwrap_or(FOCUS_CHANCE);
            }
            let mean = sum / draws as f64;
            assert!(
                (mean - FOCUS_CHANCE).abs() < 0.02,
                "{height} {width}: {mean}"
            );
        }
    }

    proptest! {
        #[test]
        fn it_is_a_share(
            map in prop::collection::vec(-1.0f32..1.0, 42),
            scale in 0.1f32..10.0,
        ) {
            let plane = [1, 6, 7];
            let scaled: Vec<f32> = map.iter().map(|value| value * scale).collect();
            let raised: Vec<f32> = map.iter().map(|value| if *value < 0.0 { -7.0 } else { *value }).collect();
            for target in [LEFT, TOP, FALLING] {
                match focus(&map, plane, target) {
                    Ok(score) => {
                        prop_assert!((0.0..=1.0).contains(&score));
                        // The other tiles have the rest, the scale and the negative part no say.
                        let rest = focus(&map, plane, target.map(|marked| !marked)).unwrap();
                        prop_assert!((score + rest - 1.0).abs() < 1e-12);
                        prop_assert!((focus(&scaled, plane, target).unwrap() - score).abs() < 1e-6);
                        prop_assert_eq!(focus(&raised, plane, target), Ok(score));
                    }
                    Err(reason) => prop_assert_eq!(reason, NotApplicable::ZeroRelevance),
                }
            }
        }
    }
}
