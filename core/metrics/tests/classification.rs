//! Scores of a classifier beside scikit-learn's; `fixtures/classification.py` made the figures.

use xbench_metrics::calibration::Calibration;
use xbench_metrics::classification::{ClassCounts, ConfusionMatrix};

const CLASSES: usize = 5;

struct Fixture {
    labels: Vec<usize>,
    probabilities: Vec<f64>,
    scores: Vec<(String, f64)>,
    classes: Vec<Vec<f64>>,
}

fn fixture() -> Fixture {
    let mut read = Fixture {
        labels: Vec::new(),
        probabilities: Vec::new(),
        scores: Vec::new(),
        classes: Vec::new(),
    };
    for line in include_str!("fixtures/classification.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let numbers = |from: usize| words[from..].iter().map(|word| word.parse().unwrap());
        match words[0] {
            "row" => {
                read.labels.push(words[1].parse().unwrap());
                read.probabilities.extend(numbers(2));
            }
            "score" => read
                .scores
                .push((words[1].to_owned(), words[2].parse().unwrap())),
            _ => read.classes.push(numbers(2).collect()),
        }
    }
    read
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let fixture = fixture();
    let calibration = Calibration::new(&fixture.probabilities, &fixture.labels, CLASSES).unwrap();
    let matrix = ConfusionMatrix::new(&fixture.labels, calibration.predictions(), CLASSES).unwrap();
    assert_eq!(fixture.scores.len(), 14);
    for (id, expected) in &fixture.scores {
        let found = matrix
            .score(id)
            .or_else(|| calibration.score(id))
            .unwrap_or_else(|| panic!("no score {id}"))
            .unwrap();
        assert!((found - expected).abs() < 1e-12, "{id}: {found} {expected}");
    }
}

#[test]
fn class_scores_are_those_of_scikit_learn() {
    let fixture = fixture();
    let calibration = Calibration::new(&fixture.probabilities, &fixture.labels, CLASSES).unwrap();
    let ones = vec![1; fixture.labels.len()];
    let counts =
        ClassCounts::weighted(&fixture.labels, calibration.predictions(), CLASSES, &ones).unwrap();
    assert_eq!(fixture.classes.len(), CLASSES);
    for (found, expected) in counts.per_class().iter().zip(&fixture.classes) {
        let found = [
            found.precision,
            found.recall,
            found.specificity,
            found.f1,
            found.support as f64,
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }
}
