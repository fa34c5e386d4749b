//! Partition SHAP: Owen values over a hierarchy of rectangles.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ffi::CStr;
use std::ops::Range;
use std::rc::Rc;

use xbench_plugin::{Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result};

use crate::game::{Ask, Game};
use crate::players::Players;
use crate::setup::{Outcome, Removal};

xbench_plugin::params! {
    /// Parameters of partition SHAP.
    pub struct PartitionShapParams {
        /// Evaluations per row, the input and the one with all removed included; where they run out,
        /// the value of a rectangle is split evenly among its pixels.
        max_evals: u32 = 500, 4..=10_000_000;
        /// Evaluations asked for before the next rectangles are chosen. More calls the model less
        /// often, fewer follow the largest values more closely.
        batch: u32 = 10, 2..=100_000;
        /// What removed features are set to, in the model's input units.
        baseline: f32 = 0.0;
        /// Remove features by setting them to those of the background rows (of the training split)
        /// instead, and average the outcome over these rows.
        background: bool = false;
        /// What is explained: the model's own output ("logit"), or the probability of the target.
        outcome: String = "logit", ["logit", "probability"];
    }
}

/// Owen values (Owen 1977) over a hierarchy of rectangles, as SHAP's Partition explainer with its image
/// masker has them: the image is halved along its longer side (the height where both are the same)
/// down to pixels, and those by channels. Of an odd side the first half is the longer one, as in the
/// shap package.
///
/// A rectangle's two halves are each worth the mean of what they add without and with the other half,
/// in every context in which the rectangle itself is looked at (Lundberg and Lee 2017 for two
/// players, taken recursively). Halves with the largest values are divided first; where the
/// evaluations end, a value is split evenly. So the map always sums to f(x) - f(removed). With enough
/// evaluations every pixel and channel has its Owen value; where the outcome is additive it is the
/// Shapley value. Among equal values the first comes first, where the shap package draws.
///
/// Signed, in units of the outcome; at most `max_evals` forward rows per row (times the background
/// rows where these are used). Images only.
#[derive(Clone, Debug)]
pub struct PartitionShap {
    max_evals: usize,
    batch: usize,
    removal: Removal,
    outcome: Outcome,
}

impl Plugin for PartitionShap {
    const META: Meta = Meta {
        id: c"org.xbench.partition-shap",
        name: c"Partition SHAP",
        version: c"0.2.0",
        license: c"MIT OR Apache-2.0",
        citation: c"G. Owen, Values of games with a priori unions, 1977; S. M. Lundberg, S.-I. Lee, A Unified Approach to Interpreting Model Predictions, 2017",
        summary: c"Owen values of the pixels of an image, which is halved again and again along its longer side.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::WANTS_BACKGROUND),
        max_batch: 0,
    };
    type Params = PartitionShapParams;

    fn create(params: PartitionShapParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self {
            max_evals: params.max_evals as usize,
            batch: params.batch as usize,
            removal: Removal::new(params.baseline, params.background)?,
            outcome: Outcome::named(&params.outcome),
        })
    }
}

/// A box of features of an image of `[channels, height, width]`.
#[derive(Clone, Debug)]
struct Block {
    channels: Range<usize>,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Block {
    fn size(&self) -> usize {
        self.channels.len() * self.rows.len() * self.columns.len()
    }

    /// The halves; none of a single feature.
    fn halves(&self) -> Option<[Self; 2]> {
        let split = |range: &Range<usize>| {
            let middle = range.end - range.len() / 2;
            [range.start..middle, middle..range.end]
        };
        let (height, width) = (self.rows.len(), self.columns.len());
        if height >= width && height > 1 {
            Some(split(&self.rows).map(|rows| Self {
                rows,
                ..self.clone()
            }))
        } else if width > 1 {
            Some(split(&self.columns).map(|columns| Self {
                columns,
                ..self.clone()
            }))
        } else if self.channels.len() > 1 {
            Some(split(&self.channels).map(|channels| Self {
                channels,
                ..self.clone()
            }))
        } else {
            None
        }
    }

    /// Calls `visit` with each run of features.
    fn for_each_run(&self, [height, width]: [usize; 2], mut visit: impl FnMut(Range<usize>)) {
        for channel in self.channels.clone() {
            for row in self.rows.clone() {
                let start = (channel * height + row) * width;
                visit(start + self.columns.start..start + self.columns.end);
            }
        }
    }
}

/// Blocks that are kept while another is looked at: a way through the hierarchy has few.
#[derive(Clone, Default)]
struct Kept(Option<Rc<(Block, Kept)>>);

impl Kept {
    fn with(&self, block: &Block) -> Self {
        Self(Some(Rc::new((block.clone(), self.clone()))))
    }

    fn for_each(&self, mut visit: impl FnMut(&Block)) {
        let mut rest = self;
        while let Some(link) = &rest.0 {
            visit(&link.0);
            rest = &link.1;
        }
    }
}

/// A block to be looked at, in a context.
struct Node {
    block: Block,
    /// What is kept beside the block.
    kept: Kept,
    /// What the context is worth, without and with the block.
    worth: [f64; 2],
    weight: f64,
    /// Nodes made before it.
    turn: usize,
}

impl Node {
    fn value(&self) -> f64 {
        (self.worth[1] - self.worth[0]) * self.weight
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Node {}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Node {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_value = self.value().abs().total_cmp(&other.value().abs());
        by_value.then_with(|| other.turn.cmp(&self.turn))
    }
}

/// One row's way through the hierarchy.
struct Search {
    open: BinaryHeap<Node>,
    made: usize,
    evaluations: usize,
    values: Vec<f64>,
    plane: [usize; 2],
}

impl Search {
    fn new([channels, height, width]: [usize; 3], worth: [f64; 2]) -> Self {
        let features = channels * height * width;
        let block = Block {
            channels: 0..channels,
            rows: 0..height,
            columns: 0..width,
        };
        let mut search = Self {
            open: BinaryHeap::new(),
            made: 0,
            evaluations: 0,
            values: vec![0.0; features],
            plane: [height, width],
        };
        search.push(block, Kept::default(), worth, 1.0);
        search
    }

    fn push(&mut self, block: Block, kept: Kept, worth: [f64; 2], weight: f64) {
        self.open.push(Node {
            block,
            kept,
            worth,
            weight,
            turn: self.made,
        });
        self.made += 1;
    }

    /// Splits the node's value evenly among its features.
    fn settle(&mut self, node: &Node) {
        let share = node.value() / node.block.size() as f64;
        let values = &mut self.values;
        node.block.for_each_run(self.plane, |run| {
            values[run].iter_mut().for_each(|value| *value += share);
        });
    }

    /// The nodes to be divided next, for about `batch` evaluations; what can be divided no further, or
    /// not for want of evaluations, is settled.
    fn next(&mut self, batch: usize, budget: usize) -> Vec<(Node, [Block; 2])> {
        let mut chosen = Vec::new();
        while let Some(node) = self.open.peek() {
            let asked = 2 * chosen.len();
            let done = self.evaluations + 2 > budget;
            if !done && (asked >= batch || self.evaluations + asked + 2 > budget) {
                break;
            }
            let halves = node.block.halves().filter(|_| !done);
            let Some(node) = self.open.pop() else {
                break;
            };
            match halves {
                Some(halves) => chosen.push((node, halves)),
                None => self.settle(&node),
            }
        }
        self.evaluations += 2 * chosen.len();
        chosen
    }

    /// Goes on with both halves of a node, each without and with the other; `worth` is that of the
    /// context with the one and with the other half.
    fn divide(&mut self, node: Node, [one, other]: [Block; 2], worth: [f64; 2]) {
        let [without, with] = node.worth;
        let half = node.weight / 2.0;
        let (with_one, with_other) = (node.kept.with(&one), node.kept.with(&other));
        self.push(one.clone(), node.kept.clone(), [without, worth[0]], half);
        self.push(other.clone(), node.kept, [without, worth[1]], half);
        self.push(one, with_other, [worth[1], with], half);
        self.push(other, with_one, [worth[0], with], half);
    }
}

impl Explainer for PartitionShap {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let x = batch.x;
        let &[rows, channels, height, width] = x.shape() else {
            return Err(Error::invalid_argument(format!(
                "partition-shap divides images of shape [n, channels, height, width], not {:?}: the \
                 columns of a table have no order; use kernel-shap or permutation-shap",
                x.shape()
            )));
        };
        let row_len = x.row_len();
        let game = Game::new(ctx, model, batch, self.outcome, self.removal)?;
        // Every feature plays for itself.
        let players = vec![Players::singles(row_len); rows];
        let mut ends = vec![[0.0; 2]; rows];
        game.values(
            &players,
            2 * rows,
            |index, keep| {
                keep.fill(index % 2 == 1);
                Ask {
                    row: index / 2,
                    stand_in: None,
                }
            },
            |index, value| ends[index / 2][index % 2] = value,
        )?;
        let image = [channels, height, width];
        let mut searches: Vec<Search> = ends
            .into_iter()
            .map(|worth| Search::new(image, worth))
            .collect();
        let budget = self.max_evals - 2;
        loop {
            let mut work: Vec<(usize, Node, [Block; 2])> = Vec::new();
            for (row, search) in searches.iter_mut().enumerate() {
                let chosen = search.next(self.batch, budget);
                work.extend(chosen.into_iter().map(|(node, halves)| (row, node, halves)));
            }
            if work.is_empty() {
                break;
            }
            let mut worth = vec![[0.0; 2]; work.len()];
            game.values(
                &players,
                2 * work.len(),
                |index, keep| {
                    let (row, node, halves) = &work[index / 2];
                    let mut add = |block: &Block| {
                        block.for_each_run([height, width], |run| keep[run].fill(true));
                    };
                    node.kept.for_each(&mut add);
                    add(&halves[index % 2]);
                    Ask {
                        row: *row,
                        stand_in: None,
                    }
                },
                |index, value| worth[index / 2][index % 2] = value,
            )?;
            for ((row, node, halves), worth) in work.into_iter().zip(worth) {
                searches[row].divide(node, halves, worth);
            }
        }
        for (search, out) in searches.iter().zip(attribution.chunks_exact_mut(row_len)) {
            for (out, &value) in out.iter_mut().zip(&search.values) {
                *out = value as f32;
            }
        }
        Ok(())
    }
}
