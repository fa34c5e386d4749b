//! Random forests (Breiman, "Random Forests", 2001): trees on bootstrap samples, each node looking at
//! a few features, and the mean of the leaves' class frequencies, as scikit-learn takes it. The same
//! seed and settings give scikit-learn's own forest (its 1.9, without class weights).

mod cart;
mod random;
mod ranks;
mod settings;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use xbench_nn::Threads;
use xbench_plugin::{Error, FitMonitor, FitStep, Result, TreeEnsemble};

pub use settings::{ForestSettings, PRESETS, TREES};

use crate::predict::Predictor;
use crate::tree::{self, Tree};
use cart::{Ground, Rules};
use random::NodeRandom;
use ranks::Ranks;

/// Trees that are grown at once, whatever the number of threads.
const GROUP: usize = 16;
/// Trees between two states that are kept.
const CHECKPOINT: usize = 64;

/// Rows with their labels; those to learn from come first, the others are held out.
#[derive(Clone, Debug)]
pub struct ForestData {
    /// `[rows, features]`, finite.
    pub x: Vec<f32>,
    /// Class of each row.
    pub labels: Vec<u32>,
    /// Values of a row.
    pub features: usize,
    /// Number of classes.
    pub classes: usize,
    /// How many rows to learn from.
    pub training: usize,
}

/// Scores of predicted probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Rows scored.
    pub rows: usize,
    /// Share classified rightly.
    pub accuracy: f64,
    /// Mean of the classes' F1.
    pub macro_f1: f64,
    /// Mean cross-entropy in nats, with probabilities of at least 10⁻⁷.
    pub loss: f64,
}

/// A forest, and how well it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    /// The trees.
    pub ensemble: TreeEnsemble,
    /// On the training rows.
    pub training: Scores,
    /// On the training rows, each judged by the trees that were not grown on it; none without
    /// bootstrap. Rows that every tree has seen are left out.
    pub out_of_bag: Option<Scores>,
    /// On the held-out rows, if there are any.
    pub validation: Option<Scores>,
}

/// Grows a forest, going on from the trees of `resume` where an earlier training with the same
/// settings and data got so far. `keep` gets the trees from time to time.
///
/// # Errors
/// When data and settings do not fit, a value is not finite, the kept trees are of another training,
/// or the monitor stops it.
pub fn train(
    threads: &Threads,
    data: &ForestData,
    settings: &ForestSettings,
    resume: Option<TreeEnsemble>,
    monitor: &mut dyn FitMonitor,
    keep: &mut dyn FnMut(&mut dyn FitMonitor, &TreeEnsemble) -> Result<()>,
) -> Result<Forest> {
    let refuse = |why: String| Err(Error::invalid_argument(format!("training: {why}")));
    if data.training == 0 || data.features == 0 {
        return refuse("there is no row or no feature to learn from".into());
    }
    let Some(features) = settings.features(data.features) else {
        return refuse(format!(
            "max_features is \"{}\"; there are \"sqrt\", \"log2\", \"all\", and shares above 0 and at \
             most 1 such as \"0.5\"",
            settings.max_features
        ));
    };
    let trees = settings.n_trees as usize;
    let mut ensemble =
        resume.unwrap_or_else(|| tree::empty(data.features, vec![0.0; data.classes], false));
    if ensemble.num_features != data.features
        || ensemble.num_outputs != data.classes
        || ensemble.roots.len() > trees
    {
        return refuse("the kept trees are of other settings or data".into());
    }
    let x = |row: usize, feature: usize| data.x[row * data.features + feature];
    let ranks = Ranks::new(threads, &x, data.training, data.features)?;
    let rules = Rules {
        features,
        max_depth: settings
            .max_depth
            .map_or(usize::MAX, |depth| depth as usize),
        min_split: settings.min_samples_split as usize,
        min_leaf: settings.min_samples_leaf as usize,
    };
    let seeds = random::tree_seeds(settings.seed, trees);
    let labels = &data.labels[..data.training];
    let mut votes = Votes::new(data, settings, &seeds);
    votes.add(threads, &ensemble, 0, &mut |_, _| Ok(()))?;
    while ensemble.roots.len() < trees {
        let first = ensemble.roots.len();
        let numbers: Vec<usize> = (first..trees.min(first + GROUP)).collect();
        let grown: Vec<Tree> = threads.map(numbers, |number| {
            let counts = draw(settings, data.training, seeds[number]);
            let weights = class_weights(settings, labels, &counts, data.classes);
            let ground = Ground {
                ranks: &ranks,
                labels,
                classes: data.classes,
                counts: &counts,
                weights: &weights,
                rules,
                share: 1.0 / trees as f64,
            };
            cart::grow(&ground, NodeRandom::new(seeds[number]))
        });
        for tree in &grown {
            tree::push(&mut ensemble, tree, None)?;
        }
        votes.add(threads, &ensemble, first, &mut |votes, done| {
            let training = votes.training.scores(labels, data.classes);
            let held = &data.labels[data.training..];
            let held = votes.validation.scores(held, data.classes);
            monitor.step(&step(done, trees, training, held))
        })?;
        if (first / CHECKPOINT) != (ensemble.roots.len() / CHECKPOINT) {
            keep(monitor, &ensemble)?;
        }
    }
    Ok(Forest {
        training: votes.training.scores(labels, data.classes),
        out_of_bag: settings
            .bootstrap
            .then(|| votes.out_of_bag.scores(labels, data.classes)),
        validation: (data.training < data.labels.len()).then(|| {
            votes
                .validation
                .scores(&data.labels[data.training..], data.classes)
        }),
        ensemble,
    })
}

/// How often each row is in a tree's sample.
fn draw(settings: &ForestSettings, rows: usize, tree_seed: u32) -> Vec<u32> {
    match settings.bootstrap {
        true => random::bootstrap(tree_seed, rows),
        false => vec![1; rows],
    }
}

/// n / (classes · rows of the class), over all training rows or over a tree's sample; 1 for classes
/// without rows.
fn class_weights(
    settings: &ForestSettings,
    labels: &[u32],
    counts: &[u32],
    classes: usize,
) -> Vec<f64> {
    if settings.class_weight == "none" {
        return vec![1.0; classes];
    }
    let of_sample = settings.class_weight == "balanced_subsample";
    let mut rows = vec![0u64; classes];
    for (&label, &count) in labels.iter().zip(counts) {
        rows[label as usize] += if of_sample { u64::from(count) } else { 1 };
    }
    let n: u64 = rows.iter().sum();
    let present = rows.iter().filter(|&&rows| rows > 0).count();
    rows.iter()
        .map(|&rows| match rows {
            0 => 1.0,
            rows => n as f64 / (present as f64 * rows as f64),
        })
        .collect()
}

/// Summed leaves of some rows.
struct Sums {
    /// `[rows, classes]`.
    sums: Vec<f64>,
    /// Trees that voted on each row.
    trees: Vec<u32>,
}

impl Sums {
    fn new(rows: usize, classes: usize) -> Self {
        Self {
            sums: vec![0.0; rows * classes],
            trees: vec![0; rows],
        }
    }

    fn add(&mut self, row: usize, leaf: &[f32]) {
        let to = &mut self.sums[row * leaf.len()..(row + 1) * leaf.len()];
        for (to, &value) in to.iter_mut().zip(leaf) {
            *to += f64::from(value);
        }
        self.trees[row] += 1;
    }

    fn scores(&self, labels: &[u32], classes: usize) -> Scores {
        let (mut rows, mut right, mut loss) = (0, 0, 0.0);
        // Right, predicted and true rows of each class.
        let mut table = vec![[0usize; 3]; classes];
        for (row, sums) in self.sums.chunks_exact(classes).enumerate() {
            if self.trees[row] == 0 {
                continue;
            }
            let label = labels[row] as usize;
            let total: f64 = sums.iter().sum();
            let mut top = 0;
            for class in 1..classes {
                if sums[class] > sums[top] {
                    top = class;
                }
            }
            rows += 1;
            right += usize::from(top == label);
            loss -= (sums[label] / total).max(1e-7).ln();
            table[label][0] += usize::from(top == label);
            table[top][1] += 1;
            table[label][2] += 1;
        }
        let f1 = |[right, predicted, truly]: &[usize; 3]| {
            2.0 * *right as f64 / (predicted + truly).max(1) as f64
        };
        let present: Vec<f64> = table
            .iter()
            .filter(|counts| counts[1] + counts[2] > 0)
            .map(f1)
            .collect();
        Scores {
            rows,
            accuracy: right as f64 / rows as f64,
            macro_f1: present.iter().sum::<f64>() / present.len() as f64,
            loss: loss / rows as f64,
        }
    }
}

/// Votes of the trees so far.
struct Votes<'a> {
    data: &'a ForestData,
    settings: &'a ForestSettings,
    /// Of each tree.
    seeds: &'a [u32],
    training: Sums,
    out_of_bag: Sums,
    validation: Sums,
}

impl<'a> Votes<'a> {
    fn new(data: &'a ForestData, settings: &'a ForestSettings, seeds: &'a [u32]) -> Self {
        let sums = |rows| Sums::new(rows, data.classes);
        Self {
            data,
            settings,
            seeds,
            training: sums(data.training),
            out_of_bag: sums(data.training),
            validation: sums(data.labels.len() - data.training),
        }
    }

    /// Adds the votes of the trees from number `first` on, in their order; `each` is told how many
    /// trees have voted.
    fn add(
        &mut self,
        threads: &Threads,
        ensemble: &TreeEnsemble,
        first: usize,
        each: &mut dyn FnMut(&Self, usize) -> Result<()>,
    ) -> Result<()> {
        let (rows, classes) = (self.data.labels.len(), self.data.classes);
        let numbers: Vec<usize> = (first..ensemble.roots.len()).collect();
        for group in numbers.chunks(GROUP) {
            let leaves = threads.map(group.to_vec(), |number| {
                let single = single(ensemble, number)?;
                let mut outputs = vec![0f32; rows * classes];
                Predictor::new(&single)?.predict(&Threads::one(), &self.data.x, &mut outputs);
                Ok(outputs)
            });
            for (&number, leaves) in group.iter().zip(leaves) {
                let leaves: Vec<f32> = leaves?;
                let counts = draw(self.settings, self.data.training, self.seeds[number]);
                for (row, leaf) in leaves.chunks_exact(classes).enumerate() {
                    if let Some(held) = row.checked_sub(self.data.training) {
                        self.validation.add(held, leaf);
                        continue;
                    }
                    self.training.add(row, leaf);
                    if counts[row] == 0 {
                        self.out_of_bag.add(row, leaf);
                    }
                }
                each(self, number + 1)?;
            }
        }
        Ok(())
    }
}

/// One tree of an ensemble, as an ensemble.
fn single(ensemble: &TreeEnsemble, number: usize) -> Result<TreeEnsemble> {
    let root = ensemble.roots[number] as usize;
    let end = ensemble
        .roots
        .get(number + 1)
        .map_or(ensemble.num_nodes(), |&next| next as usize);
    let values = ensemble.leaf_values();
    let child = |child: &u32| child.saturating_sub(root as u32);
    let tree = Tree {
        feature: ensemble.feature[root..end].to_vec(),
        threshold: ensemble.threshold[root..end].to_vec(),
        left: ensemble.left[root..end].iter().map(child).collect(),
        right: ensemble.right[root..end].iter().map(child).collect(),
        default_left: ensemble.default_left[root..end].to_vec(),
        cover: ensemble.cover[root..end].to_vec(),
        gain: ensemble.gain[root..end].to_vec(),
        value: ensemble.value[root * values..end * values].to_vec(),
    };
    let mut one = tree::empty(
        ensemble.num_features,
        ensemble.base.clone(),
        ensemble.strict,
    );
    tree::push(&mut one, &tree, None)?;
    Ok(one)
}

fn step(done: usize, trees: usize, training: Scores, held: Scores) -> FitStep {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    FitStep {
        epoch_done: true,
        epoch: count(done),
        epochs: count(trees),
        batch: 1,
        batches: 1,
        loss: training.loss,
        accuracy: training.accuracy,
        validation_loss: held.loss,
        validation_accuracy: held.accuracy,
        learning_rate: 0.0,
    }
}
