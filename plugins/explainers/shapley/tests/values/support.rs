//! Models whose Shapley values can be worked out, and the definition to work them out by.

use xbench_explainers_shapley::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestBatch, TestHost, TestModel};
use xbench_plugin::{OutputKind, Result, TensorRef};

/// All methods by id.
pub(crate) const ALL: [&str; 5] = [
    "kernel-shap",
    "permutation-shap",
    "sampling-shap",
    "partition-shap",
    "exact-shap",
];

/// A function of a row and an output.
pub(crate) type Function = fn(&[f64], usize) -> f64;

/// The function as a model of two outputs.
fn known(shape: &[usize], kind: OutputKind, function: Function) -> Result<TestModel> {
    TestModel::black_box(shape, 2, kind, move |x, outputs| {
        let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        for (output, out) in outputs.iter_mut().enumerate() {
            *out = function(&x, output) as f32;
        }
    })
}

pub(crate) fn weight(output: usize, feature: usize) -> f64 {
    ((output * 31 + feature * 17 + 5) as f64 * 0.618).sin()
}

/// w x + output.
pub(crate) fn linear(x: &[f64], output: usize) -> f64 {
    let sum: f64 = x
        .iter()
        .enumerate()
        .map(|(i, x)| weight(output, i) * x)
        .sum();
    sum + output as f64
}

/// Linear, and products of all pairs.
pub(crate) fn pairs(x: &[f64], output: usize) -> f64 {
    let mut sum = linear(x, output);
    for a in 0..x.len() {
        for b in 0..a {
            sum += weight(output, 100 + 13 * a + b) * x[a] * x[b];
        }
    }
    sum
}

/// Interactions of every order.
pub(crate) fn tangled(x: &[f64], output: usize) -> f64 {
    let sum = linear(x, output);
    let product: f64 = x.iter().take(5).map(|x| 1.0 + 0.5 * x).product();
    (0.7 * sum).tanh() + product + sum.sin()
}

/// The same whatever the input.
pub(crate) fn constant(_: &[f64], output: usize) -> f64 {
    0.3 + output as f64
}

/// Feature 0 and 1 play the same part, feature 2 none.
pub(crate) fn symmetric(x: &[f64], _: usize) -> f64 {
    x[0] * x[1] + (x[0] + x[1]).tanh() + x[3..].iter().sum::<f64>() * (1.0 + x[0] + x[1])
}

/// Rows and what they are explained with.
pub(crate) struct Rows {
    pub(crate) shape: Vec<usize>,
    pub(crate) x: Vec<f32>,
    pub(crate) background: Vec<f32>,
    pub(crate) target: Vec<i64>,
    pub(crate) seed: Vec<u64>,
}

impl Rows {
    /// `count` rows of both signs and three background rows.
    pub(crate) fn new(count: usize, shape: &[usize]) -> Self {
        let length = shape.iter().product::<usize>();
        let number = |i: usize| ((i * 53 + 7) as f32 * 0.41).sin();
        Self {
            shape: shape.to_vec(),
            x: (0..count * length).map(number).collect(),
            background: (0..3 * length).map(|i| 0.6 * number(i + 1000)).collect(),
            target: (0..count).map(|row| (row % 2) as i64).collect(),
            seed: (0..count as u64).map(|row| 11 + 7 * row).collect(),
        }
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        let length = self.shape.iter().product::<usize>();
        &self.x[row * length..][..length]
    }

    pub(crate) fn only(&self, row: usize) -> Self {
        Self {
            shape: self.shape.clone(),
            x: self.row(row).to_vec(),
            background: self.background.clone(),
            target: vec![self.target[row]],
            seed: vec![self.seed[row]],
        }
    }

    /// What the function gives for the row where `keep` says so and the stand-in elsewhere, averaged
    /// over the stand-ins.
    pub(crate) fn worth(
        &self,
        row: usize,
        function: Function,
        stand_ins: &[&[f32]],
        keep: &dyn Fn(usize) -> bool,
    ) -> f64 {
        let output = self.target[row] as usize;
        let sum: f64 = stand_ins
            .iter()
            .map(|removed| {
                let mixed: Vec<f64> = (0..removed.len())
                    .map(|i| {
                        f64::from(if keep(i) {
                            self.row(row)[i]
                        } else {
                            removed[i]
                        })
                    })
                    .collect();
                function(&mixed, output)
            })
            .sum();
        sum / stand_ins.len() as f64
    }

    /// The background rows.
    pub(crate) fn stand_ins(&self) -> Vec<&[f32]> {
        let length = self.shape.iter().product::<usize>();
        self.background.chunks_exact(length).collect()
    }

    /// Shapley values of players by the definition with factorials; `player(i)` is that of feature i.
    pub(crate) fn shapley(
        &self,
        row: usize,
        function: Function,
        stand_ins: &[&[f32]],
        players: usize,
        player: &dyn Fn(usize) -> usize,
    ) -> Vec<f64> {
        let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
        let n = players as u32;
        let worth: Vec<f64> = (0..1_usize << players)
            .map(|set| self.worth(row, function, stand_ins, &|i| set >> player(i) & 1 == 1))
            .collect();
        (0..players)
            .map(|one| {
                (0..1_usize << players)
                    .filter(|set| set >> one & 1 == 0)
                    .map(|set| {
                        let s = set.count_ones();
                        factorial(s) * factorial(n - s - 1) / factorial(n)
                            * (worth[set | 1 << one] - worth[set])
                    })
                    .sum()
            })
            .collect()
    }
}

/// Explains the rows.
pub(crate) fn try_explain(
    id: &str,
    params: &str,
    kind: OutputKind,
    function: Function,
    rows: &Rows,
) -> Result<Vec<f32>> {
    let host = TestHost::new(&entry)?;
    let explainer = host.explainer(&format!("org.xbench.{id}"), params)?;
    let model = known(&rows.shape, kind, function)?;
    let with = |n: usize| [&[n], &rows.shape[..]].concat();
    let (shape, rest) = (with(rows.target.len()), with(3));
    let batch = TestBatch {
        x: TensorRef::new(&shape, &rows.x)?,
        target: &rows.target,
        seed: &rows.seed,
        mask: None,
        background: Some(TensorRef::new(&rest, &rows.background)?),
    };
    Ok(explainer.explain_batch(&model, &batch)?.0.into_data())
}

/// Explains rows of a model of logits.
pub(crate) fn explain(id: &str, params: &str, function: Function, rows: &Rows) -> Vec<f32> {
    try_explain(id, params, OutputKind::Logits, function, rows)
        .unwrap_or_else(|error| panic!("{id} {params}: {error}"))
}

/// The largest difference.
pub(crate) fn deviation(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (f64::from(*found) - expected).abs())
        .fold(0.0, f64::max)
}
