//! Which images are held out, and whose masks are shown.

use xbench_plugin::rng::CounterRng;

/// Marks about `share` of each class among `rows` (rounded to the nearest number of images), drawn
/// by `rng`; the result goes with `rows`.
pub fn stratified(labels: &[usize], rows: &[usize], share: f64, rng: CounterRng) -> Vec<bool> {
    let mut marked = vec![false; rows.len()];
    let classes = rows.iter().map(|&r| labels[r] + 1).max().unwrap_or(0);
    for class in 0..classes {
        let members: Vec<usize> = (0..rows.len())
            .filter(|&i| labels[rows[i]] == class)
            .collect();
        let count = (members.len() as f64 * share).round() as usize;
        let order = rng.stream(class as u64).permutation(members.len());
        for &chosen in &order[..count.min(order.len())] {
            marked[members[chosen]] = true;
        }
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_gives_the_same_share() {
        let labels: Vec<usize> = (0..90).map(|i| usize::from(i % 3 == 0)).collect();
        let rows: Vec<usize> = (0..90).collect();
        for (share, zeros, ones) in [(0.25, 15, 8), (1.0, 60, 30), (0.0, 0, 0)] {
            let marked = stratified(&labels, &rows, share, CounterRng::new(4));
            let count = |class| (0..90).filter(|&i| marked[i] && labels[i] == class).count();
            assert_eq!((count(0), count(1)), (zeros, ones));
        }
        let some = |seed| stratified(&labels, &rows, 0.5, CounterRng::new(seed));
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
    }
}
