//! Tree SHAP of many rows.

use xbench_plugin::{Error, Result, TreeEnsemble};

use crate::kernel::{Edge, LANES, Lanes, Points, Stacks, Sums, Walk, walk};
use crate::quadrature::gauss_legendre;
use crate::tree::{Split, Tree};

/// Points of the quadrature that one walk serves: so many as vector registers hold.
pub(crate) const POINTS: usize = 4;
/// Rows that share a tree's constants while they are in the cache.
const MOST_ROWS: usize = 256;

/// Which part of a feature's Shapley value (Lundberg et al. 2020, equations 5 to 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// All of it: main effect and half of each interaction.
    Total,
    /// Without interactions: the diagonal of the interaction values.
    Main,
    /// The halves of the interactions with all other features.
    Interaction,
    /// A row of the interaction values: the halves of the interactions with the feature of this
    /// number, at its own place its main effect. They add up to its Shapley value.
    With(usize),
}

/// Shapley values of the games that an ensemble plays with a row's features.
#[derive(Clone, Copy, Debug)]
pub struct TreeShap<'e> {
    ensemble: &'e TreeEnsemble,
    /// `[m, features]`.
    background: Option<&'e [f32]>,
}

impl<'e> TreeShap<'e> {
    /// What is unknown is averaged as the training weight was shared out below the row's path
    /// (Lundberg et al. 2020, Algorithm 1: "tree path-dependent").
    ///
    /// # Errors
    /// When the ensemble is not well formed.
    pub fn path_dependent(ensemble: &'e TreeEnsemble) -> Result<Self> {
        ensemble.check()?;
        Ok(Self {
            ensemble,
            background: None,
        })
    }

    /// What is unknown is taken from each of the rows of `background`, `[m, features]`, and the values
    /// are averaged (Janzing et al. 2020; Lundberg et al. 2020: "independent").
    ///
    /// # Errors
    /// When the ensemble is not well formed, or the background is empty or has other columns.
    pub fn interventional(ensemble: &'e TreeEnsemble, background: &'e [f32]) -> Result<Self> {
        ensemble.check()?;
        let features = ensemble.num_features;
        if background.is_empty() || !background.len().is_multiple_of(features.max(1)) {
            return Err(Error::invalid_argument(format!(
                "a background of {} values for {features} features; give at least one whole row",
                background.len()
            )));
        }
        Ok(Self {
            ensemble,
            background: Some(background),
        })
    }

    /// The ensemble.
    #[must_use]
    pub fn ensemble(&self) -> &'e TreeEnsemble {
        self.ensemble
    }

    /// Rows of the background, one after the other; none where covers take their place.
    pub(crate) fn background(&self) -> Option<impl ExactSizeIterator<Item = &'e [f32]>> {
        let features = self.ensemble.num_features.max(1);
        self.background.map(|rows| rows.chunks_exact(features))
    }

    /// What an output is expected to be while nothing is known of the row: the Shapley values add up
    /// to the output less this.
    ///
    /// # Errors
    /// When there is no such output.
    pub fn expected_value(&self, output: usize) -> Result<f64> {
        self.check_output(output)?;
        if let Some(rows) = self.background() {
            let count = rows.len() as f64;
            let mut outputs = vec![0.0; self.ensemble.num_outputs];
            let sum: f64 = rows
                .map(|row| {
                    self.ensemble.outputs(row, &mut outputs);
                    f64::from(outputs[output])
                })
                .sum();
            return Ok(sum / count);
        }
        let mut tree = Tree::default();
        let mut sum = f64::from(self.ensemble.base[output]);
        for (number, &adds_to) in self.ensemble.tree_output.iter().enumerate() {
            if adds_to == -1 || adds_to as usize == output {
                tree.read(self.ensemble, number);
                sum += tree.expected[if adds_to == -1 { output } else { 0 }];
            }
        }
        Ok(sum)
    }

    pub(crate) fn check_output(&self, output: usize) -> Result<()> {
        if output < self.ensemble.num_outputs {
            return Ok(());
        }
        Err(Error::invalid_argument(format!(
            "output {output} of {}",
            self.ensemble.num_outputs
        )))
    }

    /// Fills `attribution`, `[n, features]`, for rows `x`, `[n, features]`: row i explains output
    /// `target[i]`, in its unit. `progress` is called now and then with the fraction done, and its
    /// errors end the work.
    ///
    /// # Errors
    /// When a length or a target does not fit, or those of `progress`.
    pub fn attribute(
        &self,
        x: &[f32],
        target: &[usize],
        effect: Effect,
        attribution: &mut [f32],
        progress: &mut dyn FnMut(f64) -> Result<()>,
    ) -> Result<()> {
        let features = self.ensemble.num_features;
        let wanted = target.len().checked_mul(features);
        if wanted != Some(x.len()) || x.len() != attribution.len() {
            return Err(Error::invalid_argument(format!(
                "{} values and {} attributions for {} rows of {features} features",
                x.len(),
                attribution.len(),
                target.len()
            )));
        }
        for &output in target {
            self.check_output(output)?;
        }
        if let Effect::With(feature) = effect
            && feature >= features
        {
            return Err(Error::invalid_argument(format!(
                "interactions with feature {feature}, but there are {features}, from 0"
            )));
        }
        // Where each tree adds to one output only, rows go together that explain the same one.
        let one_output = self.ensemble.leaf_values() == 1 && self.ensemble.num_outputs > 1;
        let mut order: Vec<usize> = (0..target.len()).collect();
        if one_output {
            order.sort_by_key(|&row| target[row]);
        }
        let together = |a: &usize, b: &usize| !one_output || target[*a] == target[*b];
        let groups = order
            .chunk_by(together)
            .flat_map(|group| group.chunks(MOST_ROWS));
        let mut scratch = Scratch::default();
        let mut done = 0;
        for rows in groups {
            let share = rows.len() as f64 / target.len() as f64;
            let start = done as f64 / target.len() as f64;
            self.rows(x, target, rows, effect, &mut scratch, &mut |fraction| {
                progress(start + share * fraction)
            })?;
            for (i, &row) in rows.iter().enumerate() {
                let (block, lane) = (i / LANES, i % LANES);
                let out = &mut attribution[row * features..(row + 1) * features];
                for (feature, out) in out.iter_mut().enumerate() {
                    let at = block * features + feature;
                    let total = scratch.total[at].0[lane];
                    *out = match effect {
                        Effect::Total => total,
                        Effect::Main => total - scratch.interaction[at].0[lane],
                        Effect::Interaction | Effect::With(_) => scratch.interaction[at].0[lane],
                    } as f32;
                }
                if let Effect::With(own) = effect {
                    let at = block * features;
                    let halves = &scratch.interaction[at..at + features];
                    let others: f64 = halves.iter().map(|halves| halves.0[lane]).sum();
                    out[own] = (scratch.total[at + own].0[lane] - others) as f32;
                }
            }
            done += rows.len();
        }
        Ok(())
    }

    /// Fills `scratch.total` and `scratch.interaction` for some rows.
    fn rows(
        &self,
        x: &[f32],
        target: &[usize],
        rows: &[usize],
        effect: Effect,
        scratch: &mut Scratch,
        progress: &mut dyn FnMut(f64) -> Result<()>,
    ) -> Result<()> {
        let ensemble = self.ensemble;
        let features = ensemble.num_features;
        let blocks = rows.len().div_ceil(LANES);
        let effects = effect != Effect::Total;
        scratch.total.clear();
        scratch.total.resize(blocks * features, Lanes::ZERO);
        scratch.interaction.clear();
        let others = if effects { blocks * features } else { 0 };
        scratch.interaction.resize(others, Lanes::ZERO);
        scratch.take_rows(x, features, rows);
        scratch.column.clear();
        for block in rows.chunks(LANES) {
            // Lanes without a row of their own repeat the block's last.
            let last = block.len() - 1;
            let column = std::array::from_fn(|lane| target[block[lane.min(last)]]);
            scratch.column.push(column);
        }
        let wanted = target[rows[0]];
        let trees = ensemble.tree_output.len();
        for (number, &adds_to) in ensemble.tree_output.iter().enumerate() {
            if number % 64 == 0 {
                progress(number as f64 / trees as f64)?;
            }
            if adds_to != -1 && adds_to as usize != wanted {
                continue;
            }
            scratch.tree.read(ensemble, number);
            if scratch.tree.steps.is_empty() {
                continue;
            }
            let with = match effect {
                Effect::With(feature) => Some(feature as u32),
                _ => None,
            };
            if with.is_some_and(|with| scratch.tree.splits.iter().all(|s| s.feature != with)) {
                continue;
            }
            let points = scratch.tree.distinct.div_ceil(2);
            if scratch.points.len() <= points {
                scratch.points.resize(points + 1, Vec::new());
            }
            if scratch.points[points].is_empty() {
                scratch.points[points] = gauss_legendre(points);
            }
            match self.background() {
                None => scratch.constants_of_covers(points, effects),
                Some(background) => {
                    scratch.constants_of_background(points, ensemble.strict, background);
                }
            }
            let background = self.background().map_or(0, |rows| rows.len());
            pulp::Arch::new().dispatch(WalkAll {
                scratch,
                ensemble,
                points,
                background,
                with,
            });
        }
        Ok(())
    }
}

/// Memory that is used again and again.
#[derive(Debug, Default)]
struct Scratch {
    /// `[blocks, features, lanes]`.
    x: Vec<[f32; LANES]>,
    column: Vec<[usize; LANES]>,
    total: Vec<Lanes>,
    interaction: Vec<Lanes>,
    tree: Tree,
    /// Quadratures by their number of points.
    points: Vec<Vec<(f64, f64)>>,
    /// For each so many points one after the other, `[steps or cases, points]`.
    edges: Vec<Edge>,
    /// `[background rows, steps]`.
    cases: Vec<u8>,
    left: Vec<Lanes>,
    stacks: Stacks,
}

/// [`Scratch::walk_all`], compiled for the processor's vector units. (A closure would be called
/// through a shim that is not.)
struct WalkAll<'a> {
    scratch: &'a mut Scratch,
    ensemble: &'a TreeEnsemble,
    points: usize,
    background: usize,
    with: Option<u32>,
}

impl pulp::WithSimd for WalkAll<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _simd: S) {
        self.scratch
            .walk_all(self.ensemble, self.points, self.background, self.with);
    }
}

/// Cases of an edge for a background row: it satisfies the questions about the feature here, above
/// only, or not even above.
const CASES: [(f64, f64); 3] = [(1.0, 1.0), (1.0, 0.0), (0.0, 0.0)];

impl Scratch {
    fn take_rows(&mut self, x: &[f32], features: usize, rows: &[usize]) {
        self.x.clear();
        for block in rows.chunks(LANES) {
            let last = block.len() - 1;
            let rows: [&[f32]; LANES] = std::array::from_fn(|lane| {
                let row = block[lane.min(last)];
                &x[row * features..(row + 1) * features]
            });
            self.x
                .extend((0..features).map(|feature| rows.map(|row| row[feature])));
        }
    }

    fn constants_of_covers(&mut self, points: usize, effects: bool) {
        self.edges.clear();
        self.cases.clear();
        for points in self.points[points].chunks(POINTS) {
            for step in &self.tree.steps {
                for &(t, _) in points {
                    self.edges
                        .push(Edge::new(t, step.share_before, step.share, effects));
                }
            }
        }
    }

    fn constants_of_background<'b>(
        &mut self,
        points: usize,
        strict: bool,
        background: impl Iterator<Item = &'b [f32]>,
    ) {
        self.edges.clear();
        for points in self.points[points].chunks(POINTS) {
            for (before, here) in CASES {
                for &(t, _) in points {
                    self.edges.push(Edge::new(t, before, here, true));
                }
            }
        }
        self.cases.clear();
        let mut here = vec![true; self.tree.depth + 1];
        for row in background {
            for step in &self.tree.steps {
                let split: &Split = &self.tree.splits[step.split as usize];
                let follows = split.left(row[split.feature as usize], strict) != step.right;
                let before = step.previous == 0 || here[step.previous as usize];
                here[step.depth as usize] = before && follows;
                self.cases.push(match (before, follows) {
                    (true, true) => 0,
                    (true, false) => 1,
                    (false, _) => 2,
                });
            }
        }
    }

    /// Lets all blocks of rows walk over the tree, `background` times each, or once with covers;
    /// `with` names the feature whose interactions are wanted, where not those with all others are.
    #[inline(always)]
    fn walk_all(
        &mut self,
        ensemble: &TreeEnsemble,
        points: usize,
        background: usize,
        with: Option<u32>,
    ) {
        let features = ensemble.num_features;
        let steps = self.tree.steps.len();
        let effects = !self.interaction.is_empty();
        for (block, column) in self.column.iter().enumerate() {
            let from = block * features;
            let x = &self.x[from..from + features];
            self.left.clear();
            for split in &self.tree.splits {
                let mut left = Lanes::ZERO;
                for (left, &x) in left.0.iter_mut().zip(&x[split.feature as usize]) {
                    *left = if split.left(x, ensemble.strict) {
                        1.0
                    } else {
                        0.0
                    };
                }
                self.left.push(left);
            }
            let total = &mut self.total[from..from + features];
            let mut others = if effects {
                Some(&mut self.interaction[from..from + features])
            } else {
                None
            };
            for row in 0..background.max(1) {
                let cases = (background > 0).then(|| &self.cases[row * steps..(row + 1) * steps]);
                let kinds = if background > 0 { CASES.len() } else { steps };
                let mut edges = &self.edges[..];
                for points in self.points[points].chunks(POINTS) {
                    let (these, rest) = edges.split_at(kinds * points.len());
                    edges = rest;
                    let scene = Walk {
                        tree: &self.tree,
                        left: &self.left,
                        edges: these,
                        cases,
                        value: &ensemble.value,
                        values: ensemble.leaf_values(),
                        column,
                        scale: 1.0 / background.max(1) as f64,
                        with,
                    };
                    let mut sums = Sums {
                        total: &mut *total,
                        interaction: others.as_deref_mut(),
                    };
                    walk(&scene, Points(points), &mut self.stacks, &mut sums);
                }
            }
        }
    }
}
