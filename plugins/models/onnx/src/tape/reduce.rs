//! Sums, means and extremes over axes.

use xbench_plugin::{Error, Result};

use super::maps::{axis, broadcast, count};
use super::{Made, Rule, Site};
use crate::engine::Values;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// The sum times this.
    Sum(f32),
    SumSquare,
    L2,
    /// Elements equal to the result share its gradient, as for PyTorch's `amax`.
    Extreme,
    /// The first element equal to the result has it all, as in pooling.
    First,
}

struct Reduce {
    kind: Kind,
    x: String,
    y: String,
    /// For each element of the input, the element of the result that it goes into.
    map: Vec<u32>,
    len: usize,
}

impl Rule for Reduce {
    fn reads(&self) -> Vec<&str> {
        match self.kind {
            Kind::Sum(_) => Vec::new(),
            Kind::SumSquare => vec![&self.x],
            Kind::L2 | Kind::Extreme | Kind::First => vec![&self.x, &self.y],
        }
    }

    fn pull(&self, values: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let each = self.map.iter().map(|&to| to as usize);
        if let Kind::Sum(factor) = self.kind {
            return Ok(each.map(|to| factor * dy[to]).collect());
        }
        let x = values.floats(&self.x)?;
        if self.kind == Kind::SumSquare {
            return Ok(each.zip(x).map(|(to, x)| 2.0 * x * dy[to]).collect());
        }
        let y = values.floats(&self.y)?;
        if self.kind == Kind::L2 {
            // At the origin, where there is no gradient, it is taken as 0.
            let slope = |x: f32, y: f32| if y == 0.0 { 0.0 } else { x / y };
            return Ok(each
                .zip(x)
                .map(|(to, &x)| slope(x, y[to]) * dy[to])
                .collect());
        }
        let mut ties = vec![0_u32; self.len];
        for (to, x) in each.clone().zip(x) {
            ties[to] += u32::from(*x == y[to]);
        }
        let mut seen = vec![false; self.len];
        let pull = |(to, &x): (usize, &f32)| {
            if x != y[to] || (self.kind == Kind::First && seen[to]) {
                return 0.0;
            }
            seen[to] = true;
            match self.kind {
                Kind::First => dy[to],
                _ => dy[to] / ties[to] as f32,
            }
        };
        Ok(each.zip(x).map(pull).collect())
    }
}

pub(super) fn rule(site: &Site<'_>) -> Made {
    site.first_input_only()?;
    let shape = site.in_shape()?;
    let global = site.node.op.starts_with("Global");
    let axes: Vec<usize> = if global {
        (2..shape.len()).collect()
    } else {
        match site.listed("axes", 1)? {
            Some(axes) if !axes.is_empty() => axes
                .iter()
                .map(|&a| axis(a, shape.len()))
                .collect::<Result<_>>()?,
            _ if site.node.int("noop_with_empty_axes", 0) != 0 => Vec::new(),
            _ => (0..shape.len()).collect(),
        }
    };
    let mut kept = shape.to_vec();
    for a in axes {
        kept[a] = 1;
    }
    let (from, to) = (count(shape), count(&kept));
    let kind = match site.node.op.as_str() {
        "ReduceSum" => Kind::Sum(1.0),
        "ReduceMean" | "GlobalAveragePool" => Kind::Sum(to as f32 / from.max(1) as f32),
        "ReduceSumSquare" => Kind::SumSquare,
        "ReduceL2" => Kind::L2,
        "ReduceMax" | "ReduceMin" => Kind::Extreme,
        "GlobalMaxPool" => Kind::First,
        _ => return Err(Error::internal("not a reduction")),
    };
    Ok(Box::new(Reduce {
        kind,
        x: site.name(0)?.to_owned(),
        y: site.out_name(),
        map: broadcast(&kept, shape)?,
        len: to,
    }))
}
