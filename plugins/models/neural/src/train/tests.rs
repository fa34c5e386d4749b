//! Interrupted trainings end with the same bits, and patience ends trainings early.

use super::*;
use crate::network::Architecture;
use crate::{cnn_dropout, hybrid_cnn, lenet};

const IMAGES: usize = 48;

/// Two classes that differ in brightness, in a range of grey.
fn pixels() -> (Vec<u8>, Vec<usize>) {
    let labels: Vec<usize> = (0..IMAGES).map(|i| i % 2).collect();
    let pixels = (0..IMAGES * 784)
        .map(|i| ((i * 7919 % 100) + (i / 784 % 2) * 120) as u8)
        .collect();
    (pixels, labels)
}

/// Keeps states, and stops after a number of reports.
#[derive(Default)]
struct Keeper {
    from: Option<Vec<u8>>,
    states: Vec<Vec<u8>>,
    reports: usize,
    stop_after: Option<usize>,
    epochs: Vec<usize>,
}

impl Monitor for Keeper {
    fn progress(&mut self, progress: Progress<'_>) -> Result<(), String> {
        if let Progress::Epoch(report) = progress {
            self.epochs.push(report.epoch);
        }
        self.reports += 1;
        if self.stop_after == Some(self.reports) {
            return Err("enough".to_owned());
        }
        Ok(())
    }

    fn resume(&self) -> Option<&[u8]> {
        self.from.as_deref()
    }

    fn checkpoint(&mut self, state: &[u8]) -> Result<(), String> {
        self.states.push(state.to_vec());
        Ok(())
    }
}

fn run(
    architecture: &Architecture,
    recipe: &Recipe,
    threads: usize,
    keeper: &mut Keeper,
) -> Result<(Vec<u8>, TrainReport), NetworkError> {
    let (pixels, labels) = pixels();
    let data = Images {
        pixels: &pixels,
        labels: &labels,
        validation: 0,
    };
    let mut network = Network::new(architecture.clone(), recipe.seed)?;
    let threads = Arc::new(Threads::new(threads)?);
    let report = train(&mut network, data, recipe, threads, keeper)?;
    Ok((network.save()?, report))
}

fn short(recipe: Recipe) -> Recipe {
    Recipe {
        epochs: 4,
        batch_size: 20,
        validation_images: 8,
        ..recipe
    }
}

#[test]
fn an_interrupted_training_ends_with_the_same_bytes() {
    let input = [1, 28, 28];
    for (architecture, recipe) in [
        (lenet::architecture(input, 2), Recipe::one_cycle(3)),
        (cnn_dropout::dropout(input, 2), Recipe::one_cycle(3)),
        (hybrid_cnn::architecture(input, 2), Recipe::plain(3)),
    ] {
        let recipe = short(recipe);
        let mut whole = Keeper::default();
        let (want, report) = run(&architecture, &recipe, 1, &mut whole).unwrap();
        assert_eq!(whole.states.len(), 4);
        // Two batches and the epoch make three reports an epoch.
        for stop_after in [4, 9, 12] {
            let mut first = Keeper {
                stop_after: Some(stop_after),
                ..Keeper::default()
            };
            run(&architecture, &recipe, 3, &mut first).unwrap_err();
            let mut second = Keeper {
                from: first.states.pop(),
                ..Keeper::default()
            };
            let (got, again) = run(&architecture, &recipe, 2, &mut second).unwrap();
            assert!(got == want, "{} after {stop_after}", architecture.name);
            assert_eq!(
                second.epochs,
                (first.states.len() + 2..=4).collect::<Vec<_>>()
            );
            assert_eq!(again.curve.len(), 4, "the curve is whole");
            assert_eq!(again.kept_epoch, report.kept_epoch);
            assert_eq!(again.train_loss, report.train_loss);
        }
        // From the last state nothing is left to train.
        let mut done = Keeper {
            from: whole.states.pop(),
            ..Keeper::default()
        };
        let (got, _) = run(&architecture, &recipe, 1, &mut done).unwrap();
        assert!(got == want && done.states.is_empty());
    }
}

#[test]
fn another_trainings_state_is_refused() {
    let architecture = lenet::architecture([1, 28, 28], 2);
    let mut keeper = Keeper::default();
    run(&architecture, &short(Recipe::one_cycle(3)), 1, &mut keeper).unwrap();
    for bytes in [keeper.states.pop().unwrap(), b"nothing".to_vec()] {
        let mut other = Keeper {
            from: Some(bytes),
            ..Keeper::default()
        };
        let refused = run(&architecture, &short(Recipe::one_cycle(4)), 1, &mut other);
        assert!(matches!(refused, Err(NetworkError::Checkpoint(_))));
    }
}

#[test]
fn patience_ends_a_training_that_gets_no_better() {
    let architecture = lenet::architecture([1, 28, 28], 2);
    let recipe = Recipe {
        epochs: 50,
        // Too small a step to change any decision.
        learning_rate: 1e-12,
        patience: Some(3),
        keep: KeptEpoch::Best,
        ..short(Recipe::plain(3))
    };
    let recipe = Recipe {
        epochs: 50,
        ..recipe
    };
    let (_, report) = run(&architecture, &recipe, 1, &mut Keeper::default()).unwrap();
    assert!(report.epochs < 50, "{}", report.epochs);
    assert_eq!(report.epochs, report.kept_epoch + 3);
}
