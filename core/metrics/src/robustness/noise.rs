//! Scores of what noise on the input does to a map.

use super::{distance, magnitude_of};
use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// What relative changes are divided by at least, as a share of the greatest magnitude, and what
/// the logarithm of a stability is taken of at least.
const FLOOR: f64 = 1e-6;

/// A row, its map, and what the model makes of it.
#[derive(Debug, Clone, Copy)]
pub struct Explained<'a> {
    /// The row.
    pub input: &'a [f32],
    /// Its map, of the same length.
    pub map: &'a [f32],
    /// The model's outputs.
    pub outputs: &'a [f32],
    /// Values of an inner layer, if the model tells them.
    pub representation: Option<&'a [f32]>,
}

/// The scores of noise of one image, from one pass over its neighbours.
///
/// - `local_lipschitz`: max ‖a − a′‖₂ / ‖x − x′‖₂ (Alvarez-Melis and Jaakkola 2018, equation 2),
///   a over its greatest magnitude, a table's columns in units of their spread.
/// - `max_sensitivity`, `avg_sensitivity`: max and mean of ‖a − a′‖₂ / ‖a‖₂ (Yeh et al. 2019,
///   section 4, over the norm of a as common implementations have it).
/// - `relative_input_stability` and its kin: log₁₀ max of ‖(a − a′)/a‖₂ over ‖(x − x′)/x‖₂,
///   ‖h − h′‖₂ or ‖(L − L′)/L‖₂ (Agarwal et al. 2022, equations 2, 5 and 3); magnitudes that are
///   divided by are at least 10⁻⁶ of the greatest of their kind, the denominator at least 10⁻⁶,
///   and the ratio at least 10⁻⁶ before the logarithm.
/// - `class_flips`: the share of neighbours that the model gives another class. They are left out
///   of all the others: their maps answer another question.
#[derive(Debug, Clone)]
pub struct NoiseScores<'a> {
    original: Explained<'a>,
    units: &'a [f32],
    /// Greatest magnitude of the map, and its norm.
    scale: Result<(f64, f64), NotApplicable>,
    kept: usize,
    flipped: usize,
    most_change: f64,
    sum_change: f64,
    most_lipschitz: Option<f64>,
    most_stability: [f64; 3],
}

impl<'a> NoiseScores<'a> {
    /// Begins with the image itself. `units` are those of its [`Neighbours`](super::Neighbours):
    /// what 1 means for each value, empty where that is 1.
    #[must_use]
    pub fn new(original: Explained<'a>, units: &'a [f32]) -> Self {
        let scale = if original.map.len() == original.input.len() {
            magnitude_of(original.map).map(|greatest| {
                let norm = original.map.iter().map(|&a| f64::from(a) * f64::from(a));
                (greatest, norm.sum::<f64>().sqrt())
            })
        } else {
            Err(NotApplicable::LengthMismatch)
        };
        Self {
            original,
            units,
            scale,
            kept: 0,
            flipped: 0,
            most_change: 0.0,
            sum_change: 0.0,
            most_lipschitz: None,
            most_stability: [0.0; 3],
        }
    }

    /// Why the image has no score whatever its neighbours, if so: they need not be explained.
    #[must_use]
    pub fn hopeless(&self) -> bool {
        self.scale.is_err()
    }

    /// Counts a neighbour that the model gives another class.
    pub fn add_flip(&mut self) {
        self.flipped += 1;
    }

    /// Takes a neighbour that the explainer has no finite map of: no score of the image stands.
    pub fn add_non_finite(&mut self) {
        if self.scale.is_ok() {
            self.scale = Err(NotApplicable::NonFinite);
        }
    }

    /// Takes a neighbour of the same class.
    pub fn add(&mut self, neighbour: &Explained<'_>) {
        let Ok((greatest, norm)) = self.scale else {
            return;
        };
        if neighbour.map.iter().any(|value| !value.is_finite()) {
            self.add_non_finite();
            return;
        }
        self.kept += 1;
        let own = &self.original;
        let change = distance(own.map, neighbour.map);
        self.most_change = self.most_change.max(change / norm);
        self.sum_change += change / norm;
        let moved = distance_in(self.units, own.input, neighbour.input);
        if moved > 0.0 {
            let ratio = change / greatest / moved;
            self.most_lipschitz = Some(self.most_lipschitz.map_or(ratio, |most| most.max(ratio)));
        }
        let relative = relative_change(own.map, neighbour.map);
        let causes = [
            Some(relative_change(own.input, neighbour.input)),
            Some(distance(own.outputs, neighbour.outputs)),
            own.representation
                .zip(neighbour.representation)
                .map(|(own, other)| relative_change(own, other)),
        ];
        for (most, cause) in self.most_stability.iter_mut().zip(causes) {
            if let Some(cause) = cause {
                *most = most.max(relative / cause.max(FLOOR));
            }
        }
    }

    /// The score of this id, one of [`NOISE_SCORES`](super::NOISE_SCORES); `None` for another.
    #[must_use]
    pub fn score(&self, id: &str) -> Option<Score> {
        let of_kept = |value: &dyn Fn() -> Score| {
            self.scale?;
            if self.kept > 0 {
                value()
            } else if self.flipped > 0 {
                Err(NotApplicable::ClassChanges)
            } else {
                Err(NotApplicable::Empty)
            }
        };
        let stability = |which: usize| finite(self.most_stability[which].max(FLOOR).log10());
        Some(match id {
            "max_sensitivity" => of_kept(&|| finite(self.most_change)),
            "avg_sensitivity" => of_kept(&|| finite(self.sum_change / self.kept as f64)),
            "local_lipschitz" => {
                of_kept(&|| finite(self.most_lipschitz.ok_or(NotApplicable::UnchangedInput)?))
            }
            "relative_input_stability" => of_kept(&|| stability(0)),
            "relative_output_stability" => of_kept(&|| stability(1)),
            "relative_representation_stability" => of_kept(&|| {
                self.original
                    .representation
                    .ok_or(NotApplicable::NoLayers)?;
                stability(2)
            }),
            "class_flips" => match self.kept + self.flipped {
                0 => Err(self.scale.err().unwrap_or(NotApplicable::Empty)),
                drawn => finite(self.flipped as f64 / drawn as f64),
            },
            _ => return None,
        })
    }
}

/// ‖(a − b)/u‖₂; columns without spread have not moved.
fn distance_in(units: &[f32], a: &[f32], b: &[f32]) -> f64 {
    if units.is_empty() {
        return distance(a, b);
    }
    let values = a.iter().zip(b).zip(units).filter(|(_, unit)| **unit > 0.0);
    let squares = values.map(|((&a, &b), &unit)| {
        let share = (f64::from(a) - f64::from(b)) / f64::from(unit);
        share * share
    });
    squares.sum::<f64>().sqrt()
}

/// ‖(a − b)/a‖₂, element by element, no divisor below [`FLOOR`] of the greatest |a|.
fn relative_change(a: &[f32], b: &[f32]) -> f64 {
    let greatest = a
        .iter()
        .fold(0.0f64, |most, &value| most.max(f64::from(value).abs()));
    let floor = if greatest > 0.0 {
        greatest * FLOOR
    } else {
        FLOOR
    };
    let squares = a.iter().zip(b).map(|(&a, &b)| {
        let share = (f64::from(a) - f64::from(b)) / f64::from(a).abs().max(floor);
        share * share
    });
    squares.sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::NOISE_SCORES;
    use super::*;

    const IMAGE: Explained<'static> = Explained {
        input: &[1.0, 2.0],
        map: &[3.0, -4.0],
        outputs: &[1.0, 0.0],
        representation: Some(&[2.0, 2.0]),
    };

    fn value(scores: &NoiseScores<'_>, id: &str) -> f64 {
        scores.score(id).unwrap().unwrap()
    }

    #[test]
    fn scores_of_two_neighbours_are_those_worked_by_hand() {
        let mut scores = NoiseScores::new(IMAGE, &[]);
        // ‖a − a′‖ = 1, ‖x − x′‖ = .5; relative: 1/4 over .5/2; outputs 2 apart; layer 1/2.
        scores.add(&Explained {
            input: &[1.0, 2.5],
            map: &[3.0, -3.0],
            outputs: &[1.0, 2.0],
            representation: Some(&[1.0, 2.0]),
        });
        // ‖a − a′‖ = 3, ‖x − x′‖ = 1; relative: 1 over 1; outputs 4 apart; layer 1.
        scores.add(&Explained {
            input: &[2.0, 2.0],
            map: &[0.0, -4.0],
            outputs: &[5.0, 0.0],
            representation: Some(&[2.0, 4.0]),
        });
        scores.add_flip();
        let near = |id: &str, expected: f64| {
            assert!((value(&scores, id) - expected).abs() < 1e-12, "{id}");
        };
        near("max_sensitivity", 3.0 / 5.0);
        near("avg_sensitivity", (1.0 + 3.0) / 5.0 / 2.0);
        // The greater of 1/4/.5 and 3/4/1.
        near("local_lipschitz", 0.75);
        near("relative_input_stability", 0.0);
        // The greater of .25/2 and 1/4; the greater of .25/.5 and 1/1.
        near("relative_output_stability", 0.25f64.log10());
        near("relative_representation_stability", 0.0);
        near("class_flips", 1.0 / 3.0);
    }

    #[test]
    fn a_map_that_does_not_move_is_as_robust_as_can_be() {
        let mut scores = NoiseScores::new(IMAGE, &[]);
        scores.add(&Explained {
            input: &[1.5, 2.0],
            ..IMAGE
        });
        for (id, expected) in NOISE_SCORES
            .iter()
            .zip([0.0, 0.0, 0.0, -6.0, -6.0, -6.0, 0.0])
        {
            assert_eq!(value(&scores, id), expected, "{id}");
        }
        assert_eq!(scores.score("gini"), None);
    }

    #[test]
    fn scale_of_the_map_changes_nothing() {
        let scaled: Vec<f32> = IMAGE.map.iter().map(|a| a * 128.0).collect();
        let mut plain = NoiseScores::new(IMAGE, &[]);
        let mut large = NoiseScores::new(
            Explained {
                map: &scaled,
                ..IMAGE
            },
            &[],
        );
        let noisy = Explained {
            input: &[1.25, 2.0],
            map: &[2.5, -3.0],
            ..IMAGE
        };
        plain.add(&noisy);
        large.add(&Explained {
            map: &[320.0, -384.0],
            ..noisy
        });
        for id in NOISE_SCORES {
            assert_eq!(plain.score(id), large.score(id), "{id}");
        }
    }

    #[test]
    fn columns_are_measured_in_their_own_units() {
        let mut scores = NoiseScores::new(IMAGE, &[0.0, 10.0]);
        scores.add(&Explained {
            input: &[1.0, 7.0],
            map: &[3.0, -3.0],
            ..IMAGE
        });
        // ‖a − a′‖ = 1 over 4, over half a unit.
        assert!((value(&scores, "local_lipschitz") - 0.5).abs() < 1e-12);
    }

    #[test]
    fn zeros_are_divided_by_the_floor() {
        // A zero that becomes a millionth of the greatest has changed by 1.
        assert!((relative_change(&[0.0, 2.0], &[2e-6, 2.0]) - 1.0).abs() < 1e-6);
        assert!((relative_change(&[0.0, 0.0], &[1e-6, 0.0]) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn what_cannot_be_scored_says_why() {
        let all = |scores: &NoiseScores<'_>, reason: NotApplicable| {
            for id in NOISE_SCORES.iter().filter(|&&id| id != "class_flips") {
                assert_eq!(scores.score(id), Some(Err(reason)), "{id}");
            }
        };
        let constant = NoiseScores::new(
            Explained {
                map: &[2.0, 2.0],
                ..IMAGE
            },
            &[],
        );
        assert!(constant.hopeless());
        all(&constant, NotApplicable::ConstantAttribution);
        let broken = NoiseScores::new(
            Explained {
                map: &[f32::NAN, 2.0],
                ..IMAGE
            },
            &[],
        );
        all(&broken, NotApplicable::NonFinite);
        let mut flipped = NoiseScores::new(IMAGE, &[]);
        all(&flipped, NotApplicable::Empty);
        flipped.add_flip();
        all(&flipped, NotApplicable::ClassChanges);
        assert_eq!(flipped.score("class_flips"), Some(Ok(1.0)));
        let mut infinite = NoiseScores::new(IMAGE, &[]);
        infinite.add(&Explained {
            map: &[f32::INFINITY, 0.0],
            ..IMAGE
        });
        all(&infinite, NotApplicable::NonFinite);
        let mut still = NoiseScores::new(
            Explained {
                representation: None,
                ..IMAGE
            },
            &[],
        );
        still.add(&IMAGE);
        assert_eq!(
            still.score("local_lipschitz"),
            Some(Err(NotApplicable::UnchangedInput))
        );
        assert_eq!(
            still.score("relative_representation_stability"),
            Some(Err(NotApplicable::NoLayers))
        );
    }
}
