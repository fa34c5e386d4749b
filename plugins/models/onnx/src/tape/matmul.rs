//! Matrix products.

use xbench_nn::kernel::tile::{Gather, Multiply, Packed, Rows, Run, multiply};
use xbench_plugin::{Error, Result};

use super::binary::Operand;
use super::maps::{broadcast, count};
use super::{Made, Rule, Site};
use crate::engine::Values;

/// `a · packed`, for `a` of `[m, k]`.
fn product(a: &[f32], m: usize, packed: &Packed) -> Vec<f32> {
    let (k, n) = packed.shape();
    let mut out = vec![0.0; m * n];
    let offsets: Vec<usize> = (0..m).map(|row| row * k).collect();
    multiply(Multiply {
        a,
        rows: Rows {
            offsets: &offsets,
            images: 1,
            stride: 0,
        },
        gather: &Gather::new([Run { offset: 0, len: k }]),
        weights: packed,
        bias: None,
        relu: false,
        out: &mut out,
        out_stride: n,
    });
    out
}

fn transpose(a: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut turned = vec![0.0; a.len()];
    for r in 0..rows {
        for c in 0..columns {
            turned[c * rows + r] = a[r * columns + c];
        }
    }
    turned
}

/// The transpose of a `[rows, columns]` matrix, packed.
fn packed_transpose(a: &[f32], rows: usize, columns: usize) -> Packed {
    let mut packed = Packed::zeros(columns, rows);
    packed.fill(|i, j| a[j * columns + i]);
    packed
}

/// Batched product `[.., m, k] · [.., k, n]`.
struct Batched {
    m: usize,
    k: usize,
    n: usize,
    /// Which matrix of each operand every matrix of the result is made of.
    left: Vec<u32>,
    right: Vec<u32>,
    other: Operand,
    /// The other operand, ready for use where it is constant and on the right.
    ready: Vec<Packed>,
    for_left: bool,
    len: usize,
}

impl Rule for Batched {
    fn reads(&self) -> Vec<&str> {
        self.other.name().into_iter().collect()
    }

    fn pull(&self, values: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let (m, k, n) = (self.m, self.k, self.n);
        let other = self.other.value(values)?;
        let mut dx = vec![0.0; self.len];
        for (i, dy) in dy.chunks_exact(m * n).enumerate() {
            let (l, r) = (self.left[i] as usize, self.right[i] as usize);
            let (part, to) = if self.for_left {
                let part = match self.ready.get(r) {
                    Some(ready) => product(dy, m, ready),
                    None => {
                        let b = &other[r * k * n..(r + 1) * k * n];
                        product(dy, m, &packed_transpose(b, k, n))
                    }
                };
                (part, l * m * k)
            } else {
                let a = transpose(&other[l * m * k..(l + 1) * m * k], m, k);
                let mut packed = Packed::zeros(m, n);
                packed.fill(|i, j| dy[i * n + j]);
                (product(&a, k, &packed), r * k * n)
            };
            for (dx, part) in dx[to..].iter_mut().zip(part) {
                *dx += part;
            }
        }
        Ok(dx)
    }
}

pub(super) fn rule(site: &Site<'_>) -> Made {
    if site.node.op == "Gemm" {
        return gemm(site);
    }
    let (a, b) = (site.shape(0)?, site.shape(1)?);
    // A vector on the left is a row, on the right a column.
    let a = if a.len() == 1 { &[1, a[0]] } else { a };
    let b = if b.len() == 1 { &[b[0], 1] } else { b };
    let (Some((head_a, &[m, k])), Some((head_b, &[inner, n]))) =
        (a.split_last_chunk::<2>(), b.split_last_chunk::<2>())
    else {
        return Err(Error::invalid_argument("a product of scalars"));
    };
    if inner != k || k == 0 || m == 0 || n == 0 {
        return Err(Error::invalid_argument(format!("{a:?} times {b:?}")));
    }
    let rank = head_a.len().max(head_b.len());
    let head: Vec<usize> = (0..rank)
        .map(|axis| {
            let of = |head: &[usize]| {
                (axis + head.len())
                    .checked_sub(rank)
                    .map_or(1, |own| head[own])
            };
            of(head_a).max(of(head_b))
        })
        .collect();
    let for_left = site.input == 0;
    let other = Operand::new(site, usize::from(for_left))?;
    let ready = match &other {
        Operand::Constant(b) if for_left => b
            .chunks_exact(k * n)
            .map(|b| packed_transpose(b, k, n))
            .collect(),
        _ => Vec::new(),
    };
    Ok(Box::new(Batched {
        m,
        k,
        n,
        left: broadcast(head_a, &head)?,
        right: broadcast(head_b, &head)?,
        other,
        ready,
        for_left,
        len: count(site.in_shape()?),
    }))
}

/// `alpha · A' · B' + beta · C`, `'` for an optional transpose.
struct Gemm {
    alpha: f32,
    turned: bool,
    m: usize,
    k: usize,
    n: usize,
    for_left: bool,
    other: Operand,
    other_turned: bool,
}

impl Rule for Gemm {
    fn reads(&self) -> Vec<&str> {
        self.other.name().into_iter().collect()
    }

    fn pull(&self, values: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let (m, k, n) = (self.m, self.k, self.n);
        let other = self.other.value(values)?;
        let (mut dx, rows, columns) = if self.for_left {
            // B' is [k, n]; its transpose is [n, k].
            let mut packed = Packed::zeros(n, k);
            if self.other_turned {
                packed.fill(|i, j| other[i * k + j]);
            } else {
                packed.fill(|i, j| other[j * n + i]);
            }
            (product(dy, m, &packed), m, k)
        } else {
            let mut packed = Packed::zeros(m, n);
            packed.fill(|i, j| dy[i * n + j]);
            // A' is [m, k]; its transpose is [k, m].
            let a = if self.other_turned {
                other.to_vec()
            } else {
                transpose(other, m, k)
            };
            (product(&a, k, &packed), k, n)
        };
        dx.iter_mut().for_each(|dx| *dx *= self.alpha);
        Ok(if self.turned {
            transpose(&dx, rows, columns)
        } else {
            dx
        })
    }
}

/// The added matrix.
struct Added {
    beta: f32,
    map: Vec<u32>,
    len: usize,
}

impl Rule for Added {
    fn pull(&self, _: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let mut dx = vec![0.0; self.len];
        super::maps::scatter(&self.map, dy, &mut dx);
        dx.iter_mut().for_each(|dx| *dx *= self.beta);
        Ok(dx)
    }
}

fn gemm(site: &Site<'_>) -> Made {
    if site.input == 2 {
        return Ok(Box::new(Added {
            beta: site.node.float("beta", 1.0),
            map: broadcast(site.in_shape()?, site.out_shape()?)?,
            len: count(site.in_shape()?),
        }));
    }
    let (&[a0, a1], &[b0, b1]) = (site.shape(0)?, site.shape(1)?) else {
        return Err(Error::invalid_argument("operands that are no matrices"));
    };
    let turned = ["transA", "transB"].map(|name| site.node.int(name, 0) != 0);
    let (m, k) = if turned[0] { (a1, a0) } else { (a0, a1) };
    let (inner, n) = if turned[1] { (b1, b0) } else { (b0, b1) };
    if inner != k {
        return Err(Error::invalid_argument(format!(
            "{k} columns times {inner} rows"
        )));
    }
    let other = 1 - site.input;
    Ok(Box::new(Gemm {
        alpha: site.node.float("alpha", 1.0),
        turned: turned[site.input],
        m,
        k,
        n,
        for_left: site.input == 0,
        other: Operand::new(site, other)?,
        other_turned: turned[other],
    }))
}
