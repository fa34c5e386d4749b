//! The hybrid against finite differences, its own file, and interruptions.

use super::*;
use crate::train::{Images, Monitor, Progress, Recipe};

const CLASSES: usize = 3;
const IMAGES: usize = 90;
const SIZE: usize = 16 * 16;

fn pixels() -> (Vec<u8>, Vec<usize>) {
    let labels: Vec<usize> = (0..IMAGES).map(|i| i % CLASSES).collect();
    let pixels = (0..IMAGES * SIZE)
        .map(|i| {
            let (image, at) = (i / SIZE, i % SIZE);
            let noise = i * 7919 % 97;
            // A bright bar whose place tells the class, apart from some images.
            let bar = at / 16 / 5 == (image + usize::from(image % 11 == 0)) % CLASSES;
            (noise + if bar { 120 } else { 0 }) as u8
        })
        .collect();
    (pixels, labels)
}

fn recipe() -> Recipe {
    Recipe {
        epochs: 3,
        batch_size: 15,
        validation_images: 9,
        learning_rate: 3e-3,
        ..Recipe::plain(5)
    }
}

/// Keeps states, and stops after a number of reports.
#[derive(Default)]
struct Keeper {
    from: Option<Vec<u8>>,
    states: Vec<Vec<u8>>,
    reports: usize,
    stop_after: Option<usize>,
    epochs: Vec<(usize, usize)>,
}

impl Monitor for Keeper {
    fn progress(&mut self, progress: Progress<'_>) -> Result<(), String> {
        if let Progress::Epoch(report) = progress {
            self.epochs.push((report.epoch, report.epochs));
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

fn run(threads: usize, keeper: &mut Keeper) -> Result<(Hybrid, HybridReport), NetworkError> {
    let (pixels, labels) = pixels();
    let data = Images {
        pixels: &pixels,
        labels: &labels,
        validation: 0,
    };
    let mut hybrid = Hybrid::new([1, 16, 16], CLASSES, 5)?;
    let threads = Arc::new(Threads::new(threads)?);
    let machine = Machine::default();
    let report = train(&mut hybrid, data, &recipe(), &machine, &threads, keeper)?;
    Ok((hybrid, report))
}

fn images(n: usize) -> Vec<f32> {
    let (pixels, _) = pixels();
    let some = pixels[..n * SIZE].iter();
    some.map(|&v| f32::from(v) / 255.0).collect()
}

#[test]
fn an_interrupted_training_ends_with_the_same_bytes() {
    let mut whole = Keeper::default();
    let (hybrid, report) = run(1, &mut whole).unwrap();
    let want = hybrid.save().unwrap();
    assert_eq!(whole.epochs, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    assert_eq!((report.training_images, report.validation_images), (81, 9));
    assert!(report.train_accuracy > 0.8, "{report:?}");
    // Three epochs, and two of three pairs.
    assert_eq!(whole.states.len(), 4);
    for (i, state) in whole.states.iter().cloned().enumerate() {
        let mut keeper = Keeper {
            from: Some(state),
            ..Keeper::default()
        };
        let (again, _) = run(2, &mut keeper).unwrap();
        assert!(again.save().unwrap() == want);
        assert_eq!(keeper.epochs, whole.epochs[(i + 1).min(3)..]);
    }
    // Six batches and the epoch, three times; then a pair.
    for stop_after in [9, 22, 23] {
        let mut first = Keeper {
            stop_after: Some(stop_after),
            ..Keeper::default()
        };
        assert!(matches!(
            run(2, &mut first),
            Err(NetworkError::Cancelled(_))
        ));
        let mut second = Keeper {
            from: first.states.pop(),
            ..Keeper::default()
        };
        let (again, _) = run(1, &mut second).unwrap();
        assert!(again.save().unwrap() == want, "stopped after {stop_after}");
    }
}

#[test]
fn damaged_states_are_refused() {
    let mut whole = Keeper::default();
    run(1, &mut whole).unwrap();
    let good = whole.states.pop().unwrap();
    let mut huge = good.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    for state in [
        Vec::new(),
        huge,
        good[..good.len() - 1].to_vec(),
        good[..100].to_vec(),
    ] {
        let mut keeper = Keeper {
            from: Some(state),
            ..Keeper::default()
        };
        assert!(run(1, &mut keeper).is_err());
    }
}

/// The gradient by the features is the machine's, whose own tests hold it against differences;
/// here differences of the whole, in the directions of the gradient itself and of random noise.
#[test]
fn gradients_agree_with_central_differences() {
    let (hybrid, _) = run(1, &mut Keeper::default()).unwrap();
    let threads = Threads::one();
    let n = 6;
    let x = images(n);
    let g: Vec<f32> = (0..n * CLASSES)
        .map(|i| (i * 31 % 17) as f32 / 8.5 - 1.0)
        .collect();
    let back = hybrid.vjp(&threads, &x, &g, None, true).unwrap();
    assert_eq!(back.activation.as_deref(), Some(&x[..]));
    let value = |x: &[f32], image: usize| {
        let mut p = vec![0.0; n * CLASSES];
        hybrid.outputs(&threads, x, &mut p).unwrap();
        let row = image * CLASSES..(image + 1) * CLASSES;
        p[row.clone()]
            .iter()
            .zip(&g[row])
            .map(|(p, g)| f64::from(*p) * f64::from(*g))
            .sum::<f64>()
    };
    for image in 0..n {
        let own = image * SIZE..(image + 1) * SIZE;
        let gradient = &back.gradient[own.clone()];
        let norm = gradient
            .iter()
            .map(|v| f64::from(*v).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!(norm > 1e-4, "image {image}: {norm}");
        let step = 2e-3;
        let mut moved = [x.clone(), x.clone()];
        for (at, &slope) in own.zip(gradient) {
            let by = (step * f64::from(slope) / norm) as f32;
            moved[0][at] += by;
            moved[1][at] -= by;
        }
        let slope = (value(&moved[0], image) - value(&moved[1], image)) / (2.0 * step);
        assert!(
            (slope - norm).abs() < 0.02 * norm + 2e-4,
            "image {image}: {slope} against {norm}"
        );
    }
    // At a layer: its change with the image, weighed by its gradient, is the outputs' change.
    let all: f64 = back.gradient.iter().map(|v| f64::from(*v).powi(2)).sum();
    let step = 1e-3 / all.sqrt();
    let shifted = |sign: f64| -> Vec<f32> {
        let pairs = x.iter().zip(&back.gradient);
        pairs
            .map(|(x, g)| x + (sign * step * f64::from(*g)) as f32)
            .collect()
    };
    let (up, down) = (shifted(1.0), shifted(-1.0));
    for layer in hybrid.layers() {
        let at = hybrid
            .vjp(&threads, &x, &g, Some(layer.name), true)
            .unwrap();
        let here = hybrid
            .network()
            .activation(&threads, &x, layer.name)
            .unwrap();
        assert_eq!(at.activation.unwrap(), here);
        let up = hybrid
            .network()
            .activation(&threads, &up, layer.name)
            .unwrap();
        let down = hybrid
            .network()
            .activation(&threads, &down, layer.name)
            .unwrap();
        let change: f64 = up
            .iter()
            .zip(&down)
            .zip(&at.gradient)
            .map(|((a, b), g)| f64::from(a - b) * f64::from(*g))
            .sum();
        let want = 2.0 * step * all;
        assert!(
            (change - want).abs() < 0.05 * want,
            "{}: {change} against {want}",
            layer.name
        );
    }
}

#[test]
fn files_are_read_as_they_were_written_and_damaged_ones_refused() {
    let (hybrid, _) = run(1, &mut Keeper::default()).unwrap();
    let bytes = hybrid.save().unwrap();
    let mut other = Hybrid::new([1, 16, 16], CLASSES, 9).unwrap();
    assert!(matches!(other.save(), Err(NetworkError::Untrained)));
    let untrained = other.fingerprint().unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let text = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    let with_header = |from: &str, to: &str| {
        assert!(text.contains(from));
        let header = text.replacen(from, to, 1);
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend(&bytes[8 + length..]);
        file
    };
    for (what, file) in [
        ("empty", Vec::new()),
        ("cut", bytes[..bytes.len() - 1].to_vec()),
        ("the network alone", hybrid.network().save().unwrap()),
        (
            "a tensor of the machine's",
            with_header("svm.bias", "svm.boas"),
        ),
        (
            "a tensor of the network's",
            with_header("conv1.bias", "conv9.bias"),
        ),
    ] {
        assert!(other.load(&file).is_err(), "{what}");
        assert_eq!(other.fingerprint().unwrap(), untrained, "{what}");
    }
    let mut fewer = Hybrid::new([1, 16, 16], 2, 9).unwrap();
    assert!(fewer.load(&bytes).is_err(), "other classes");
    other.load(&bytes).unwrap();
    assert!(other.save().unwrap() == bytes);
    let x = images(5);
    let ask = |hybrid: &Hybrid, threads: &Threads, x: &[f32]| {
        let mut p = vec![0.0; x.len() / SIZE * CLASSES];
        hybrid.outputs(threads, x, &mut p).unwrap();
        p
    };
    let p = ask(&hybrid, &Threads::one(), &x);
    assert_eq!(ask(&other, &Threads::new(3).unwrap(), &x), p);
    assert_eq!(
        ask(&other, &Threads::one(), &x[3 * SIZE..4 * SIZE]),
        p[3 * CLASSES..4 * CLASSES]
    );
    for row in p.chunks_exact(CLASSES) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{row:?}");
    }
}

#[test]
fn randomising_reaches_the_machine_and_can_be_undone() {
    let (mut hybrid, _) = run(1, &mut Keeper::default()).unwrap();
    let before = hybrid.fingerprint().unwrap();
    let network = hybrid.network().fingerprint();
    let machine = hybrid.machine().unwrap().save().unwrap();
    for layer in hybrid.parameter_layers() {
        hybrid.randomise(layer, false, 1).unwrap();
        let own = layer == MACHINE_LAYER;
        assert_eq!(hybrid.network().fingerprint() == network, own);
        assert_eq!(hybrid.machine().unwrap().save().unwrap() != machine, own);
        hybrid.randomise(layer, true, 1).unwrap();
        assert!(hybrid.machine().unwrap().save().unwrap() != machine);
        assert_eq!(hybrid.network().fingerprint() == network, own);
    }
    hybrid.restore();
    assert_eq!(hybrid.fingerprint().unwrap(), before);
    assert!(hybrid.randomise("pool1", false, 1).is_err());
}
