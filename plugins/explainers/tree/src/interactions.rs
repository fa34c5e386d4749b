//! All interaction values of one row.

use xbench_plugin::Result;

use crate::quadrature::gauss_legendre;
use crate::tree::{NO_LEAF, Tree};
use crate::tree_shap::TreeShap;

/// A feature on the path to a leaf, as the crate's documentation has it.
#[derive(Clone, Copy, Debug)]
struct Player {
    feature: usize,
    o: f64,
    z: f64,
}

impl TreeShap<'_> {
    /// SHAP interaction values of an output for one row, `[features, features]`, in the output's unit
    /// (Fujimoto et al. 2006; Lundberg et al. 2020, equations 5 to 7): off the diagonal half of what
    /// two features do together only, on it each feature's main effect. The matrix is symmetric, and
    /// its rows add up to the Shapley values.
    ///
    /// Goes from leaf to leaf, at a cost of the leaves times the square of the depth: a second way to
    /// the same values, for tests. [`attribute`](TreeShap::attribute) gives them for many rows at once,
    /// a line of the matrix at a time, or their diagonal and the rest.
    ///
    /// # Errors
    /// When the row or the output does not fit the ensemble.
    pub fn interactions(&self, row: &[f32], output: usize) -> Result<Vec<f64>> {
        self.check_output(output)?;
        let ensemble = self.ensemble();
        let features = ensemble.num_features;
        if row.len() != features {
            return Err(xbench_plugin::Error::invalid_argument(format!(
                "a row of {} values for {features} features",
                row.len()
            )));
        }
        let mut matrix = vec![0.0; features * features];
        let mut tree = Tree::default();
        let mut paths = Paths::default();
        for (number, &adds_to) in ensemble.tree_output.iter().enumerate() {
            if adds_to != -1 && adds_to as usize != output {
                continue;
            }
            tree.read(ensemble, number);
            if tree.steps.is_empty() {
                continue;
            }
            let points = gauss_legendre(tree.distinct.div_ceil(2));
            let column = if adds_to == -1 { output } else { 0 };
            let value = |leaf: u32| {
                f64::from(ensemble.value[leaf as usize * ensemble.leaf_values() + column])
            };
            match self.background() {
                None => paths.each_leaf(&tree, row, None, ensemble.strict, |leaf, players| {
                    add(&mut matrix, features, value(leaf), players, &points);
                }),
                Some(background) => {
                    let scale = 1.0 / background.len() as f64;
                    for other in background {
                        let other = Some(other);
                        paths.each_leaf(&tree, row, other, ensemble.strict, |leaf, players| {
                            add(&mut matrix, features, scale * value(leaf), players, &points);
                        });
                    }
                }
            }
        }
        // What was put on the diagonal is the total.
        for i in 0..features {
            let with_others: f64 = (0..features)
                .filter(|&j| j != i)
                .map(|j| matrix[i * features + j])
                .sum();
            matrix[i * features + i] -= with_others;
        }
        Ok(matrix)
    }
}

#[derive(Debug, Default)]
struct Paths {
    /// Number of the step at each depth of the current path, from depth 1.
    open: Vec<usize>,
    on_path: Vec<(bool, f64)>,
    players: Vec<Player>,
    covered: Vec<bool>,
}

impl Paths {
    fn each_leaf(
        &mut self,
        tree: &Tree,
        row: &[f32],
        background: Option<&[f32]>,
        strict: bool,
        mut leaf: impl FnMut(u32, &[Player]),
    ) {
        self.open.clear();
        self.on_path.clear();
        for (number, step) in tree.steps.iter().enumerate() {
            self.open.truncate(step.depth as usize - 1);
            self.on_path.truncate(step.depth as usize - 1);
            let split = tree.splits[step.split as usize];
            let follows = |x: &[f32]| split.left(x[split.feature as usize], strict) != step.right;
            let before = match step.previous as usize {
                0 => (true, 1.0),
                depth => self.on_path[depth - 1],
            };
            let z = match background {
                None => step.share,
                Some(other) => before.1 * f64::from(u8::from(follows(other))),
            };
            self.open.push(number);
            self.on_path.push((before.0 && follows(row), z));
            if step.leaf == NO_LEAF {
                continue;
            }
            self.players.clear();
            self.covered.clear();
            self.covered.resize(self.open.len() + 1, false);
            for (depth, &number) in self.open.iter().enumerate().rev() {
                let step = &tree.steps[number];
                self.covered[step.previous as usize] = true;
                if !self.covered[depth + 1] {
                    let (o, z) = self.on_path[depth];
                    let o = f64::from(u8::from(o));
                    let feature = step.feature as usize;
                    self.players.push(Player { feature, o, z });
                }
            }
            // A feature that neither the row nor what takes its place can satisfy: nothing ever comes
            // to this leaf.
            if self.players.iter().all(|player| player.o + player.z > 0.0) {
                leaf(step.leaf, &self.players);
            }
        }
    }
}

/// Adds a leaf's totals to the diagonal and its interactions elsewhere.
fn add(matrix: &mut [f64], features: usize, value: f64, players: &[Player], points: &[(f64, f64)]) {
    for &(t, weight) in points {
        let factor = |player: &Player| t * player.o + (1.0 - t) * player.z;
        let slope = |player: &Player| (player.o - player.z) / factor(player);
        let product = value * weight * players.iter().map(factor).product::<f64>();
        for a in players {
            let first = product * slope(a);
            matrix[a.feature * features + a.feature] += first;
            for b in players.iter().filter(|b| b.feature != a.feature) {
                matrix[a.feature * features + b.feature] += 0.5 * first * slope(b);
            }
        }
    }
}
