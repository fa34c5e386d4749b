//! A model, explainers and images small enough to be worked by hand.

use std::cell::Cell;

use xbench_metrics::DrawKey;

use super::*;

pub(super) const SIDE: usize = 12;
pub(super) const PIXELS: usize = SIDE * SIDE;
pub(super) const CLASSES: usize = 3;

/// What is explained how: model, row, target, seed and mask to a map.
pub(super) type Explain = fn(&Toy, &[f32], usize, u64, &[u8]) -> Vec<f32>;

/// `y = head · (first ∘ x)`: two layers with a weight per pixel.
#[derive(Clone)]
pub(super) struct Toy {
    pub(super) first: Vec<f32>,
    pub(super) head: Vec<f32>,
    pub(super) kept: Option<(Vec<f32>, Vec<f32>)>,
    pub(super) explain: Explain,
    pub(super) explained: Cell<usize>,
    pub(super) predicted: Cell<usize>,
    /// Rows after which explaining fails.
    pub(super) patience: usize,
    pub(super) layers: bool,
    /// What is taken from every pixel before anything is computed.
    pub(super) shift: f32,
    /// Weights of the head of a model trained otherwise.
    pub(super) twin: Option<Vec<f32>>,
}

impl Toy {
    pub(super) fn new(explain: Explain) -> Self {
        let drawn = |n: usize, salt: usize| -> Vec<f32> {
            let value = |i: usize| ((i * 37 + salt) % 101) as f32 / 101.0 - 0.4;
            (0..n).map(value).collect()
        };
        Self {
            first: vec![1.0; PIXELS],
            head: drawn(CLASSES * PIXELS, 5),
            kept: None,
            explain,
            explained: Cell::new(0),
            predicted: Cell::new(0),
            patience: usize::MAX,
            layers: true,
            shift: 0.0,
            twin: None,
        }
    }

    pub(super) fn gradient(&self, target: usize) -> Vec<f32> {
        let head = &self.head[target * PIXELS..(target + 1) * PIXELS];
        self.first.iter().zip(head).map(|(a, b)| a * b).collect()
    }

    fn output(&self, row: &[f32], class: usize) -> f32 {
        let pairs = row.iter().zip(self.gradient(class));
        pairs.map(|(x, g)| (x - self.shift) * g).sum()
    }
}

pub(super) fn gradient(toy: &Toy, _: &[f32], target: usize, _: u64, _: &[u8]) -> Vec<f32> {
    toy.gradient(target)
}

pub(super) fn input_x_gradient(toy: &Toy, x: &[f32], target: usize, _: u64, _: &[u8]) -> Vec<f32> {
    let gradient = toy.gradient(target);
    x.iter().zip(gradient).map(|(x, g)| x * g).collect()
}

/// Integrated gradients from a baseline; the gradient of a linear model is the same on any path.
fn ig(toy: &Toy, x: &[f32], baseline: f32, target: usize) -> Vec<f32> {
    let gradient = toy.gradient(target);
    let pairs = x.iter().zip(gradient);
    pairs.map(|(x, g)| (x - baseline) * g).collect()
}

pub(super) fn ig_from_black(toy: &Toy, x: &[f32], target: usize, _: u64, _: &[u8]) -> Vec<f32> {
    ig(toy, x, 0.0, target)
}

/// From the image's own mean, which moves with it.
pub(super) fn ig_from_mean(toy: &Toy, x: &[f32], target: usize, _: u64, _: &[u8]) -> Vec<f32> {
    let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;
    ig(toy, x, mean as f32, target)
}

/// The gradient times what the model answers.
pub(super) fn answered(toy: &Toy, x: &[f32], target: usize, _: u64, _: &[u8]) -> Vec<f32> {
    let output = toy.output(x, target);
    let gradient = toy.gradient(target).into_iter();
    gradient.map(|g| g * output).collect()
}

pub(super) fn seeded(_: &Toy, _: &[f32], _: usize, seed: u64, _: &[u8]) -> Vec<f32> {
    let mut draws = DrawKey::new(seed, "toy", 0).draws(0);
    (0..PIXELS).map(|_| draws.unit() as f32).collect()
}

pub(super) fn the_mask(_: &Toy, _: &[f32], _: usize, _: u64, mask: &[u8]) -> Vec<f32> {
    mask.iter().map(|&inside| f32::from(inside)).collect()
}

pub(super) fn constant(_: &Toy, _: &[f32], _: usize, _: u64, _: &[u8]) -> Vec<f32> {
    vec![0.5; PIXELS]
}

/// Not a number on rows whose first pixel rose above .6.
pub(super) fn fragile(toy: &Toy, x: &[f32], target: usize, seed: u64, mask: &[u8]) -> Vec<f32> {
    let mut map = input_x_gradient(toy, x, target, seed, mask);
    if x[0] > 0.6 {
        map[3] = f32::NAN;
    }
    map
}

impl Subject for Toy {
    type Error = String;

    fn num_outputs(&self) -> usize {
        CLASSES
    }

    fn predict(&mut self, x: &[f32], n: usize) -> Result<Vec<f32>, String> {
        assert_eq!(x.len(), n * PIXELS);
        assert!(n <= BLOCK_ROWS);
        self.predicted.set(self.predicted.get() + n);
        let outputs = x
            .chunks_exact(PIXELS)
            .flat_map(|row| (0..CLASSES).map(|class| self.output(row, class)));
        Ok(outputs.collect())
    }

    fn representation(&mut self, x: &[f32], _: usize) -> Result<Option<Vec<f32>>, String> {
        let first = self.first.iter().cycle();
        let values = x.iter().zip(first).map(|(x, w)| x * w);
        Ok(self.layers.then(|| values.collect()))
    }

    fn explain(&mut self, rows: &Rows<'_>, maps: &mut [f32]) -> Result<Vec<bool>, String> {
        let mut finite = Vec::new();
        for (i, map) in maps.chunks_exact_mut(PIXELS).enumerate() {
            self.explained.set(self.explained.get() + 1);
            if self.explained.get() > self.patience {
                return Err("out of patience".to_owned());
            }
            let x = &rows.x[i * PIXELS..(i + 1) * PIXELS];
            let area = rows.masks.len() / rows.len();
            let mask = &rows.masks[i * area..(i + 1) * area];
            let target = usize::try_from(rows.targets[i]).unwrap();
            map.copy_from_slice(&(self.explain)(self, x, target, rows.seeds[i], mask));
            finite.push(map.iter().all(|value| value.is_finite()));
        }
        Ok(finite)
    }

    fn has_twin(&self) -> bool {
        self.twin.is_some()
    }

    fn explain_twin(&mut self, rows: &Rows<'_>, maps: &mut [f32]) -> Result<Vec<bool>, String> {
        let mut twin = self.clone();
        twin.head = self.twin.clone().unwrap_or_default();
        twin.explain(rows, maps)
    }

    fn explain_shifted(
        &mut self,
        rows: &Rows<'_>,
        shift: f32,
        maps: &mut [f32],
    ) -> Result<Vec<bool>, String> {
        let mut shifted = Self {
            shift,
            ..self.clone()
        };
        let finite = shifted.explain(rows, maps);
        self.explained = shifted.explained;
        finite
    }

    fn parameter_layers(&self) -> Vec<String> {
        let names: &[&str] = if self.layers { &["first", "head"] } else { &[] };
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn randomise(&mut self, layer: &str, seed: u64) -> Result<(), String> {
        let kept = self
            .kept
            .get_or_insert_with(|| (self.first.clone(), self.head.clone()))
            .clone();
        (self.first, self.head) = kept;
        let draw = |stream: &str, values: &mut Vec<f32>| {
            let mut draws = DrawKey::new(seed, stream, 0).draws(0);
            values
                .iter_mut()
                .for_each(|value| *value = draws.unit() as f32 - 0.5);
        };
        draw("head", &mut self.head);
        if layer == "first" {
            draw("first", &mut self.first);
        }
        Ok(())
    }

    fn restore(&mut self) -> Result<(), String> {
        if let Some((first, head)) = self.kept.take() {
            (self.first, self.head) = (first, head);
        }
        Ok(())
    }
}

/// Images of a set: pixels, ids and all.
pub(super) struct Set {
    pub(super) pixels: Vec<f32>,
    pub(super) targets: Vec<i64>,
    pub(super) ids: Vec<u64>,
    pub(super) seeds: Vec<u64>,
    pub(super) masks: Vec<u8>,
}

impl Set {
    pub(super) fn new(n: usize) -> Self {
        let pixel = |i: usize| ((i * 53 + i / 7) % 97) as f32 / 97.0;
        let inside =
            |i: usize| u8::from((i % SIDE).abs_diff(6) + (i / SIDE % SIDE).abs_diff(6) < 4);
        let mut set = Self {
            pixels: (0..n * PIXELS).map(pixel).collect(),
            targets: Vec::new(),
            ids: (0..n as u64).map(|i| 100 + 3 * i).collect(),
            seeds: (0..n as u64).map(|i| 7 * i + 1).collect(),
            masks: (0..n * PIXELS).map(inside).collect(),
        };
        let outputs = Toy::new(gradient).predict_all(&set.pixels);
        let classes = outputs.chunks_exact(CLASSES).map(class_of);
        set.targets = classes.map(|class| class as i64).collect();
        set
    }

    pub(super) fn images(&self, at: std::ops::Range<usize>) -> Images<'_> {
        Images {
            pixels: &self.pixels[at.start * PIXELS..at.end * PIXELS],
            shape: [1, SIDE, SIDE],
            targets: &self.targets[at.clone()],
            ids: &self.ids[at.clone()],
            masks: Some(&self.masks[at.start * PIXELS..at.end * PIXELS]),
        }
    }
}

impl Toy {
    pub(super) fn predict_all(&mut self, x: &[f32]) -> Vec<f32> {
        x.chunks_exact(PIXELS)
            .flat_map(|row| self.predict(row, 1).unwrap())
            .collect()
    }
}

pub(super) fn settings() -> ChallengeSettings {
    ChallengeSettings {
        seed: 11,
        draws: 5,
        radius: 0.1,
        shifts: 2,
        smooth_draws: 4,
        smooth_noise: 0.1,
        bins: 20,
        units: Vec::new(),
        table: false,
        input_shift: -1.0,
    }
}

pub(super) const EVERY: [&str; 13] = [
    "max_sensitivity",
    "avg_sensitivity",
    "local_lipschitz",
    "relative_input_stability",
    "relative_output_stability",
    "relative_representation_stability",
    "class_flips",
    "continuity",
    "mprt",
    "smooth_mprt",
    "efficient_mprt",
    "random_logit",
    "input_invariance",
];

pub(super) fn words(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

/// The scores of images of a set, whose maps the toy makes first.
pub(super) fn scored(
    toy: &mut Toy,
    set: &Set,
    at: std::ops::Range<usize>,
    ids: &[&str],
    settings: &ChallengeSettings,
) -> Result<Challenged, String> {
    let images = set.images(at.clone());
    let seeds = &set.seeds[at];
    let mut maps = vec![0.0; images.pixels.len()];
    for (i, map) in maps.chunks_exact_mut(PIXELS).enumerate() {
        let x = &images.pixels[i * PIXELS..(i + 1) * PIXELS];
        let mask = &images.masks.unwrap()[i * PIXELS..(i + 1) * PIXELS];
        let target = usize::try_from(images.targets[i]).unwrap();
        map.copy_from_slice(&(toy.explain)(toy, x, target, seeds[i], mask));
    }
    let mosaics = Mosaics::default();
    challenge(&images, mosaics, seeds, &maps, &words(ids), settings, toy)
}
