//! Functions of two or more elements, with broadcasting.

use std::borrow::Cow;

use xbench_plugin::{Error, Result};

use super::maps::{broadcast, count};
use super::{Made, Rule, Site};
use crate::engine::Values;

/// An input whose value the gradient needs.
pub(super) enum Operand {
    Constant(Vec<f32>),
    Read(String),
}

impl Operand {
    /// Input `i` of a node.
    pub(super) fn new(site: &Site<'_>, i: usize) -> Result<Self> {
        let name = site.name(i)?;
        if site.tensors.is_constant(name) {
            return site.floats(i).map(Self::Constant);
        }
        Ok(Self::Read(name.to_owned()))
    }

    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Constant(_) => None,
            Self::Read(name) => Some(name),
        }
    }

    pub(super) fn value<'v>(&'v self, values: &'v Values) -> Result<&'v [f32]> {
        match self {
            Self::Constant(value) => Ok(value),
            Self::Read(name) => values.floats(name),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    /// The sum of all inputs, each times this.
    Linear(f32),
    Mul,
    Div,
    Pow,
    PRelu,
    /// The largest, or smallest, of all; inputs that tie share the gradient.
    Max,
    Min,
}

struct Nary {
    function: Function,
    /// Which operand the gradient is for.
    wanted: usize,
    /// All of them with their places in the result; none when only shapes count.
    operands: Vec<(Operand, Option<Vec<u32>>)>,
    /// Where the wanted one stands in the result; none when shaped alike.
    map: Option<Vec<u32>>,
    len: usize,
}

impl Nary {
    /// Derivative for the wanted operand where the operands are `v`.
    fn slope(&self, v: &[f32]) -> f32 {
        match (self.function, self.wanted, v) {
            (Function::Linear(factor), _, _) => factor,
            (Function::Mul, 0, [_, b]) => *b,
            (Function::Mul, _, [a, _]) => *a,
            (Function::Div, 0, [_, b]) => 1.0 / b,
            (Function::Div, _, [a, b]) => -a / (b * b),
            (Function::Pow, 0, [_, b]) if *b == 0.0 => 0.0,
            (Function::Pow, 0, [a, b]) => b * a.powf(b - 1.0),
            (Function::Pow, _, [a, b]) => a.powf(*b) * a.ln(),
            (Function::PRelu, 0, [a, b]) => {
                if *a > 0.0 {
                    1.0
                } else {
                    *b
                }
            }
            (Function::PRelu, _, [a, _]) => a.min(0.0),
            (function, wanted, v) => {
                let first = v.iter().copied().reduce(if function == Function::Max {
                    f32::max
                } else {
                    f32::min
                });
                let best = first.unwrap_or(0.0);
                let ties = v.iter().filter(|&&v| v == best).count().max(1);
                if v.get(wanted) == Some(&best) {
                    1.0 / ties as f32
                } else {
                    0.0
                }
            }
        }
    }
}

impl Rule for Nary {
    fn reads(&self) -> Vec<&str> {
        self.operands
            .iter()
            .filter_map(|(operand, _)| operand.name())
            .collect()
    }

    fn pull(&self, values: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let operands = self
            .operands
            .iter()
            .map(|(operand, map)| Ok((operand.value(values)?, map.as_deref())))
            .collect::<Result<Vec<_>>>()?;
        let scaled: Cow<'_, [f32]> = match self.function {
            Function::Linear(1.0) => dy.into(),
            _ => {
                let mut v = vec![0.0; operands.len()];
                let scale = |(i, &dy): (usize, &f32)| {
                    for (v, (values, map)) in v.iter_mut().zip(&operands) {
                        *v = values[map.map_or(i, |map| map[i] as usize)];
                    }
                    dy * self.slope(&v)
                };
                dy.iter().enumerate().map(scale).collect()
            }
        };
        let Some(map) = &self.map else {
            return Ok(scaled.into_owned());
        };
        // Summed in f64: a bias over a large picture gathers very many values.
        let mut sums = vec![0.0_f64; self.len];
        for (&to, &dy) in map.iter().zip(&*scaled) {
            sums[to as usize] += f64::from(dy);
        }
        Ok(narrow(&sums))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to f32 is what is meant"
)]
fn narrow(sums: &[f64]) -> Vec<f32> {
    sums.iter().map(|&sum| sum as f32).collect()
}

pub(super) fn rule(site: &Site<'_>) -> Made {
    let inputs = site.node.inputs.len();
    let function = match site.node.op.as_str() {
        "Add" | "Sum" => Function::Linear(1.0),
        "Sub" => Function::Linear(if site.input == 0 { 1.0 } else { -1.0 }),
        "Mean" => Function::Linear(1.0 / inputs as f32),
        "Mul" => Function::Mul,
        "Div" => Function::Div,
        "Pow" => Function::Pow,
        "PRelu" => Function::PRelu,
        "Max" => Function::Max,
        "Min" => Function::Min,
        _ => return Err(Error::internal("not a function of several elements")),
    };
    let pairs = !matches!(
        function,
        Function::Linear(_) | Function::Max | Function::Min
    );
    if pairs && inputs != 2 {
        return Err(Error::invalid_argument(format!("{inputs} inputs")));
    }
    let out = site.out_shape()?;
    let map = |i: usize| -> Result<Option<Vec<u32>>> {
        let shape = site.shape(i)?;
        if function == Function::PRelu && i == 1 && shape.len() == 1 && out.len() > 2 {
            // A slope per channel is aligned with the channels, not with the last axis.
            let aligned = [&[shape[0]], &vec![1; out.len() - 2][..]].concat();
            return broadcast(&aligned, out).map(Some);
        }
        (shape != out).then(|| broadcast(shape, out)).transpose()
    };
    let operands = match function {
        Function::Linear(_) => Vec::new(),
        _ => (0..inputs)
            .map(|i| Ok((Operand::new(site, i)?, map(i)?)))
            .collect::<Result<Vec<_>>>()?,
    };
    Ok(Box::new(Nary {
        function,
        wanted: site.input,
        operands,
        map: map(site.input)?,
        len: count(site.in_shape()?),
    }))
}
