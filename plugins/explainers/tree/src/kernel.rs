//! The walk over one tree: eight rows at a time, at a few points of the quadrature.

use crate::tree::{NO_LEAF, Step, Tree};

/// Rows that walk together.
pub(crate) const LANES: usize = 8;

/// A number of each row.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Lanes(pub(crate) [f64; LANES]);

impl Lanes {
    pub(crate) const ZERO: Self = Self([0.0; LANES]);
    const ONE: Self = Self([1.0; LANES]);

    // Plain loops: only they are sure to be compiled with the caller's vector units.
    #[inline(always)]
    fn times(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a *= b;
        }
        self
    }

    #[inline(always)]
    fn plus(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a += b;
        }
        self
    }

    #[inline(always)]
    fn minus(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a -= b;
        }
        self
    }

    /// `self * other + sum`, rounded once.
    #[inline(always)]
    fn times_plus(self, other: Self, mut sum: Self) -> Self {
        for lane in 0..LANES {
            sum.0[lane] = self.0[lane].mul_add(other.0[lane], sum.0[lane]);
        }
        sum
    }

    #[inline(always)]
    fn scaled_plus(self, scale: f64, sum: Self) -> Self {
        self.times_plus(Self([scale; LANES]), sum)
    }
}

/// An edge's constants at a point t of the quadrature, for the three things that may be of a row with
/// respect to the edge's feature: it left the path before (o' = o = 0), it leaves here (o' = 1, o =
/// 0), it stays (o' = o = 1). Each is kept as its value in the first case, what o' adds and what o
/// adds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Edge {
    /// By which factor the product of the f_k changes.
    ratio: [f64; 3],
    /// By how much (o - z) / f of the edge's feature changes; 0 in the first case.
    slope: [f64; 2],
    /// By how much its square changes.
    square: [f64; 2],
}

impl Edge {
    /// Of an edge whose feature has the share `z` here and `before` above, at `t` within (0, 1).
    #[inline(always)]
    pub(crate) fn new(t: f64, before: f64, z: f64, squares: bool) -> Self {
        let above = 1.0 / (t + (1.0 - t) * before);
        let here = 1.0 / (t + (1.0 - t) * z);
        // Where before is 0 the product is 0 already in the case that this is for.
        let gone = if before > 0.0 { z / before } else { 0.0 };
        let left = (1.0 - t) * z * above;
        let stays = (t + (1.0 - t) * z) * above;
        let slope_above = (1.0 - before) * above;
        let slope_left = -1.0 / (1.0 - t);
        let slope_stays = (1.0 - z) * here;
        let squared = |slope: f64| slope * slope - slope_above * slope_above;
        Self {
            ratio: [gone, left - gone, stays - left],
            slope: [slope_left - slope_above, slope_stays - slope_left],
            square: if squares {
                let left = squared(slope_left);
                [left, squared(slope_stays) - left]
            } else {
                [0.0; 2]
            },
        }
    }

    #[inline(always)]
    fn ratio(&self, before: Lanes, now: Lanes) -> Lanes {
        let gone = Lanes([self.ratio[0]; LANES]);
        now.scaled_plus(self.ratio[2], before.scaled_plus(self.ratio[1], gone))
    }

    #[inline(always)]
    fn slope(&self, before: Lanes, now: Lanes) -> Lanes {
        now.scaled_plus(self.slope[1], before.times(Lanes([self.slope[0]; LANES])))
    }

    #[inline(always)]
    fn square(&self, before: Lanes, now: Lanes) -> Lanes {
        now.scaled_plus(self.square[1], before.times(Lanes([self.square[0]; LANES])))
    }
}

/// Up to four points of the quadrature, with their weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Points<'p>(pub(crate) &'p [(f64, f64)]);

/// What a walk reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'w> {
    pub(crate) tree: &'w Tree,
    /// Per question of the tree, 1 for rows that go left.
    pub(crate) left: &'w [Lanes],
    /// Constants, `[edges or cases, points]`.
    pub(crate) edges: &'w [Edge],
    /// The case of each step; none where each step has constants of its own.
    pub(crate) cases: Option<&'w [u8]>,
    /// `[nodes, values]`.
    pub(crate) value: &'w [f32],
    pub(crate) values: usize,
    /// Which value of a leaf each row asks for.
    pub(crate) column: &'w [usize; LANES],
    /// By what all is multiplied.
    pub(crate) scale: f64,
    /// The feature whose interactions with the others are wanted; all features' where none is named.
    pub(crate) with: Option<u32>,
}

impl Walk<'_> {
    /// Do the wanted interactions come from the slopes of this feature?
    #[inline(always)]
    fn slopes_of(&self, feature: u32) -> bool {
        self.with.is_none_or(|with| with == feature)
    }
}

/// Sums per feature, `[features]`.
#[derive(Debug)]
pub(crate) struct Sums<'s> {
    pub(crate) total: &'s mut [Lanes],
    /// Halves of the interactions with all others, where asked for.
    pub(crate) interaction: Option<&'s mut [Lanes]>,
}

/// A depth of the path that is being walked.
#[derive(Clone, Copy, Debug)]
struct Frame<const Q: usize, const E: usize> {
    step: usize,
    /// 1 for rows that satisfy all questions about the edge's feature so far.
    on_path: Lanes,
    /// Product of the f_k, times the point's weight.
    product: [Lanes; Q],
    /// Sum over the leaves below of their values times products.
    sum: [Lanes; Q],
    /// Sum over the features of the path, or of the one that was named, of (o - z) / f.
    slope: [Lanes; E],
    /// Sum over the leaves below of values times products times slopes.
    slope_sum: [Lanes; E],
}

impl<const Q: usize, const E: usize> Frame<Q, E> {
    const ROOT: Self = Self {
        step: 0,
        on_path: Lanes::ONE,
        product: [Lanes::ONE; Q],
        sum: [Lanes::ZERO; Q],
        slope: [Lanes::ZERO; E],
        slope_sum: [Lanes::ZERO; E],
    };
}

/// Memory of walks.
#[derive(Debug, Default)]
pub(crate) struct Stacks {
    one: Vec<Frame<1, 0>>,
    two: Vec<Frame<2, 0>>,
    three: Vec<Frame<3, 0>>,
    four: Vec<Frame<4, 0>>,
    one_effects: Vec<Frame<1, 1>>,
    two_effects: Vec<Frame<2, 2>>,
    three_effects: Vec<Frame<3, 3>>,
    four_effects: Vec<Frame<4, 4>>,
}

/// Adds what a tree contributes to eight rows, at one to four points.
#[inline(always)]
pub(crate) fn walk(walk: &Walk<'_>, points: Points<'_>, stacks: &mut Stacks, sums: &mut Sums<'_>) {
    match (points.0.len(), sums.interaction.is_some()) {
        (1, false) => walk_at(walk, points, &mut stacks.one, sums),
        (2, false) => walk_at(walk, points, &mut stacks.two, sums),
        (3, false) => walk_at(walk, points, &mut stacks.three, sums),
        (_, false) => walk_at(walk, points, &mut stacks.four, sums),
        (1, true) => walk_at(walk, points, &mut stacks.one_effects, sums),
        (2, true) => walk_at(walk, points, &mut stacks.two_effects, sums),
        (3, true) => walk_at(walk, points, &mut stacks.three_effects, sums),
        (_, true) => walk_at(walk, points, &mut stacks.four_effects, sums),
    }
}

#[inline(always)]
fn walk_at<const Q: usize, const E: usize>(
    walk: &Walk<'_>,
    points: Points<'_>,
    stack: &mut Vec<Frame<Q, E>>,
    sums: &mut Sums<'_>,
) {
    stack.resize(stack.len().max(walk.tree.depth + 1), Frame::ROOT);
    let stack = &mut stack[..=walk.tree.depth];
    stack[0] = Frame::ROOT;
    for (product, &(_, weight)) in stack[0].product.iter_mut().zip(points.0) {
        *product = Lanes([weight * walk.scale; LANES]);
    }
    let (mut open, mut number) = (0, 0);
    while let Some(step) = walk.tree.steps.get(number) {
        let depth = step.depth as usize;
        while open >= depth {
            close(walk, stack, open, sums);
            open -= 1;
        }
        if descend(walk, stack, number, step) {
            open = depth;
            number += 1;
        } else {
            number = step.end as usize;
        }
    }
    while open > 0 {
        close(walk, stack, open, sums);
        open -= 1;
    }
}

#[inline(always)]
fn constants<'w, const Q: usize>(walk: &Walk<'w>, number: usize) -> &'w [Edge; Q] {
    let case = match walk.cases {
        Some(cases) => usize::from(cases[number]),
        None => number,
    };
    let (edges, _) = walk.edges.as_chunks::<Q>();
    &edges[case]
}

/// Follows an edge, unless neither the background row nor any row of the lanes does: all products
/// below are 0.
#[inline(always)]
fn descend<const Q: usize, const E: usize>(
    walk: &Walk<'_>,
    stack: &mut [Frame<Q, E>],
    number: usize,
    step: &Step,
) -> bool {
    let edges = constants::<Q>(walk, number);
    let depth = step.depth as usize;
    let before = stack[step.previous as usize].on_path;
    let left = before.times(walk.left[step.split as usize]);
    let now = if step.right { before.minus(left) } else { left };
    if walk.cases.is_some_and(|cases| cases[number] != 0) && now.0 == [0.0; LANES] {
        return false;
    }
    let (above, below) = stack.split_at_mut(depth);
    let (above, frame) = (&above[depth - 1], &mut below[0]);
    frame.step = number;
    frame.on_path = now;
    for (q, edge) in edges.iter().enumerate() {
        frame.product[q] = above.product[q].times(edge.ratio(before, now));
    }
    if walk.slopes_of(step.feature) {
        for (q, edge) in edges.iter().enumerate().take(E) {
            frame.slope[q] = above.slope[q].plus(edge.slope(before, now));
        }
    } else {
        frame.slope = above.slope;
    }
    if step.leaf == NO_LEAF {
        frame.sum = [Lanes::ZERO; Q];
        frame.slope_sum = [Lanes::ZERO; E];
        return true;
    }
    let at = step.leaf as usize * walk.values;
    let value = if walk.values == 1 {
        Lanes([f64::from(walk.value[at]); LANES])
    } else {
        let mut value = Lanes::ZERO;
        for (value, column) in value.0.iter_mut().zip(walk.column) {
            *value = f64::from(walk.value[at + column]);
        }
        value
    };
    for q in 0..Q {
        frame.sum[q] = value.times(frame.product[q]);
    }
    for q in 0..E {
        frame.slope_sum[q] = frame.sum[q].times(frame.slope[q]);
    }
    true
}

/// Leaves an edge behind: adds what the leaves below it contribute to its feature.
#[inline(always)]
fn close<const Q: usize, const E: usize>(
    walk: &Walk<'_>,
    stack: &mut [Frame<Q, E>],
    depth: usize,
    sums: &mut Sums<'_>,
) {
    let number = stack[depth].step;
    let edges = constants::<Q>(walk, number);
    let step = &walk.tree.steps[number];
    let before = stack[step.previous as usize].on_path;
    let (above, below) = stack.split_at_mut(depth);
    let (above, frame) = (&mut above[depth - 1], &below[0]);
    let now = frame.on_path;
    let place = &mut sums.total[step.feature as usize];
    let mut total = *place;
    for (q, edge) in edges.iter().enumerate() {
        total = edge.slope(before, now).times_plus(frame.sum[q], total);
        above.sum[q] = above.sum[q].plus(frame.sum[q]);
    }
    *place = total;
    if E == 0 {
        return;
    }
    let Some(interaction) = &mut sums.interaction else {
        return;
    };
    let place = &mut interaction[step.feature as usize];
    let mut with_others = Lanes::ZERO;
    // Where a feature is named, its slopes alone are summed: none of another's own are among them.
    let named = walk.with.is_some();
    let itself = named && walk.slopes_of(step.feature);
    for (q, edge) in edges.iter().enumerate().take(E) {
        if !itself {
            let slope = edge.slope(before, now);
            with_others = slope.times_plus(frame.slope_sum[q], with_others);
        }
        if !named {
            let own = edge.square(before, now).times(frame.sum[q]);
            with_others = with_others.minus(own);
        }
        above.slope_sum[q] = above.slope_sum[q].plus(frame.slope_sum[q]);
    }
    *place = with_others.scaled_plus(0.5, *place);
}
