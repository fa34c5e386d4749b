//! Images held out of the training set.

use xbench_plugin::rng::CounterRng;

use super::{Images, Recipe};

/// Stream of the seed that splits draw from.
const SPLIT: u64 = (1 << 32) + 1;

/// Image numbers to learn from and to judge epochs by, both ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// To learn from.
    pub training: Vec<usize>,
    /// Held out.
    pub validation: Vec<usize>,
}

impl Split {
    /// The data's own split where they have one, else the recipe's, the same share of every class.
    pub fn new(data: Images<'_>, classes: usize, recipe: &Recipe) -> Self {
        let total = data.labels.len();
        if data.validation > 0 {
            let training = total - data.validation.min(total);
            return Split {
                training: (0..training).collect(),
                validation: (training..total).collect(),
            };
        }
        let rng = CounterRng::new(recipe.validation_seed.unwrap_or(recipe.seed)).stream(SPLIT);
        let held_out = recipe.held_out(total);
        let (validation, training) = stratified_split(data.labels, classes, held_out, rng);
        Split {
            training,
            validation,
        }
    }
}

/// Splits image numbers into (held out, rest), both ascending. About `held_out` images are held
/// out, the same share of every class, rounded down.
pub fn stratified_split(
    labels: &[usize],
    classes: usize,
    held_out: usize,
    rng: CounterRng,
) -> (Vec<usize>, Vec<usize>) {
    let mut out = vec![false; labels.len()];
    for class in 0..classes {
        let members: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class).collect();
        let share = (members.len() as u128 * held_out.min(labels.len()) as u128
            / labels.len().max(1) as u128) as usize;
        let order = rng.stream(class as u64).permutation(members.len());
        for &chosen in &order[..share] {
            out[members[chosen]] = true;
        }
    }
    (0..labels.len()).partition(|&i| out[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cnn_dropout;
    use crate::train::Preset;

    #[test]
    fn every_class_gives_the_same_share() {
        let labels: Vec<usize> = (0..1000).map(|i| i % 10).collect();
        let (held, rest) = stratified_split(&labels, 10, 100, CounterRng::new(3));
        assert_eq!((held.len(), rest.len()), (100, 900));
        for class in 0..10 {
            assert_eq!(held.iter().filter(|&&i| labels[i] == class).count(), 10);
        }
        let mut all = [held, rest].concat();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn the_splits_seed_stands_apart_from_the_trainings() {
        let labels: Vec<usize> = (0..1000).map(|i| i % 10).collect();
        let data = Images {
            pixels: &[],
            labels: &labels,
            validation: 0,
        };
        let recipe = cnn_dropout::recipe(Preset::Published, 1);
        let split = Split::new(data, 10, &recipe);
        assert_eq!(split.validation.len(), 200, "20 %");
        let other = cnn_dropout::recipe(Preset::Published, 2);
        assert_eq!(Split::new(data, 10, &other), split);
        let moved = Recipe {
            validation_seed: None,
            ..other
        };
        assert_ne!(Split::new(data, 10, &moved), split);
    }

    #[test]
    fn the_sets_own_split_goes_first() {
        let labels = vec![0; 50];
        let data = Images {
            pixels: &[],
            labels: &labels,
            validation: 8,
        };
        let split = Split::new(data, 10, &cnn_dropout::recipe(Preset::Published, 1));
        assert_eq!(split.training, (0..42).collect::<Vec<_>>());
        assert_eq!(split.validation, (42..50).collect::<Vec<_>>());
    }
}
