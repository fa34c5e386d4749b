//! Images held out of the training set.

use xbench_plugin::rng::CounterRng;

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
}
