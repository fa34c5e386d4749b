//! Agreement and compactness of maps beside scikit-image, SciPy and POT;
//! `fixtures/agreement.py` made the figures.

use xbench_metrics::agreement::{AgreementSettings, Measure, PreparedMap};
use xbench_metrics::{RankedMagnitude, complexity};

const SIDE: usize = 28;
const SETTINGS: AgreementSettings = AgreementSettings {
    top_k_share: 0.1,
    segment: 4,
};

#[test]
fn other_implementations_agree() {
    let mut maps: Vec<Vec<f32>> = Vec::new();
    let mut prepared = Vec::new();
    let mut compared = 0;
    for line in include_str!("fixtures/agreement.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |place: usize| words[place].parse::<usize>().unwrap();
        match words[0] {
            "map" => {
                let map: Vec<f32> = words[1..]
                    .iter()
                    .map(|word| word.parse().unwrap())
                    .collect();
                prepared.push(PreparedMap::new(
                    &map,
                    [SIDE, SIDE],
                    &Measure::ALL,
                    &SETTINGS,
                ));
                maps.push(map);
                continue;
            }
            "one" => {
                let magnitude = RankedMagnitude::new(&maps[number(1)]).unwrap();
                let score = complexity::score(words[2], &magnitude, SIDE, SIDE).unwrap();
                let expected: f64 = words[3].parse().unwrap();
                let score = score.unwrap();
                assert!(
                    (score - expected).abs() < 1e-9 * expected.max(1.0),
                    "{line}: {score}"
                );
            }
            _ => {
                let measure = Measure::of(words[3]).unwrap();
                let (a, b) = (&prepared[number(1)], &prepared[number(2)]);
                let score = measure.compare(a, b).unwrap();
                let expected: f64 = words[4].parse().unwrap();
                // Single precision of the maps against double.
                assert!((score - expected).abs() < 2e-6, "{line}: {score}");
            }
        }
        compared += 1;
    }
    assert!(compared > 40, "{compared}");
}
