//! Models of known gradients: a linear one and a network of one hidden layer.

use std::sync::LazyLock;

use xbench_plugin::testing::TestModel;
use xbench_plugin::{
    BackwardRule, Context, Error, Flags, Meta, Model, ModelSpec, ModifiedVjp, NoParams, OutputKind,
    Plugin, Pullback, Result, Tensor, TensorRef, Vjp, Wrt, test_model,
};

use crate::harness::Tested;

/// Channels, height and width of the input.
pub(crate) const INPUT: [usize; 3] = [2, 3, 4];
/// Features of a row.
pub(crate) const FEATURES: usize = 24;
/// Outputs of both models.
pub(crate) const OUTPUTS: usize = 3;
/// Units of the hidden layer.
pub(crate) const HIDDEN: usize = 7;

/// Nothing special: numbers of both signs between -1 and 1.
fn number(a: usize, b: usize) -> f64 {
    static NUMBERS: LazyLock<Vec<f64>> =
        LazyLock::new(|| (0..100_000).map(|i| (f64::from(i) * 0.618).sin()).collect());
    NUMBERS[a * 37 + b * 101 + 11]
}

/// Weight of a feature in an output of the linear model.
pub(crate) fn linear_weight(output: usize, feature: usize) -> f64 {
    f64::from(number(output, feature + 500) as f32)
}

fn hidden_bias(unit: usize) -> f64 {
    0.5 * number(unit, 900)
}

fn spec() -> ModelSpec {
    ModelSpec {
        input_shape: INPUT.to_vec(),
        layout: c"nchw",
        outputs: OUTPUTS,
        output_kind: OutputKind::Logits,
    }
}

/// y = W x + b with b = output + 1.
pub(crate) struct Line(ModelSpec);

impl Line {
    /// The outputs of one row.
    pub(crate) fn outputs(x: &[f32]) -> [f64; OUTPUTS] {
        std::array::from_fn(|k| {
            let sum: f64 = x
                .iter()
                .enumerate()
                .map(|(i, &x)| linear_weight(k, i) * f64::from(x))
                .sum();
            sum + k as f64 + 1.0
        })
    }
}

/// y = V relu(W x + b).
pub(crate) struct Hidden(ModelSpec);

impl Hidden {
    /// Weight of a feature in a hidden unit.
    pub(crate) fn weight(unit: usize, feature: usize) -> f64 {
        number(unit + 40, feature)
    }

    /// Weight of a hidden unit in an output.
    pub(crate) fn output_weight(output: usize, unit: usize) -> f64 {
        number(output + 80, unit + 300)
    }

    /// The hidden units' inputs for one row.
    pub(crate) fn units(x: &[f32]) -> [f64; HIDDEN] {
        std::array::from_fn(|unit| {
            let sum: f64 = x
                .iter()
                .enumerate()
                .map(|(i, &x)| Self::weight(unit, i) * f64::from(x))
                .sum();
            sum + hidden_bias(unit)
        })
    }

    /// The outputs of one row.
    pub(crate) fn outputs(x: &[f32]) -> [f64; OUTPUTS] {
        let units = Self::units(x);
        std::array::from_fn(|k| {
            (0..HIDDEN)
                .map(|unit| Self::output_weight(k, unit) * units[unit].max(0.0))
                .sum()
        })
    }

    /// d output / d feature by hand: V times the rows of W whose unit is on.
    pub(crate) fn gradient(x: &[f32], output: usize, feature: usize) -> f64 {
        Self::units(x)
            .iter()
            .enumerate()
            .filter(|(_, unit)| **unit > 0.0)
            .map(|(unit, _)| Self::output_weight(output, unit) * Self::weight(unit, feature))
            .sum()
    }
}

macro_rules! model {
    ($name:ident, $id:literal, $gradient:expr) => {
        impl Plugin for $name {
            const META: Meta = Meta {
                id: $id,
                name: $id,
                version: c"1.0.0",
                license: c"MIT",
                citation: c"none",
                summary: c"A model of known gradient.",
                flags: Flags::NONE,
                max_batch: 0,
            };
            type Params = NoParams;

            fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
                Ok(Self(spec()))
            }
        }

        impl Tested for $name {
            fn tested() -> TestModel {
                test_model!(Self(spec()), $name: Vjp, ModifiedVjp).expect("a sound model")
            }
        }

        impl Model for $name {
            fn spec(&self) -> &ModelSpec {
                &self.0
            }

            fn predict(
                &self,
                _ctx: &Context<'_>,
                x: TensorRef<'_>,
                outputs: &mut [f32],
            ) -> Result<()> {
                for (row, out) in outputs.chunks_exact_mut(OUTPUTS).enumerate() {
                    out.copy_from_slice(&Self::outputs(x.row(row)).map(|y| y as f32));
                }
                Ok(())
            }
        }

        impl Vjp for $name {
            fn vjp(
                &self,
                _ctx: &Context<'_>,
                x: TensorRef<'_>,
                output_gradient: TensorRef<'_>,
                wrt: Wrt<'_>,
                _want_activation: bool,
            ) -> Result<Pullback> {
                if !matches!(wrt, Wrt::Input) {
                    return Err(Error::unimplemented("no layers here"));
                }
                let mut gradient = Vec::with_capacity(x.data().len());
                for row in 0..x.rows() {
                    let dy = output_gradient.row(row);
                    for feature in 0..FEATURES {
                        let sum: f64 = (0..OUTPUTS)
                            .filter(|&k| dy[k] != 0.0)
                            .map(|k| f64::from(dy[k]) * $gradient(x.row(row), k, feature))
                            .sum();
                        gradient.push(sum as f32);
                    }
                }
                Ok(Pullback {
                    activation: None,
                    gradient: Tensor::new(x.shape().to_vec(), gradient)?,
                })
            }
        }

        impl ModifiedVjp for $name {
            fn rules(&self) -> Vec<String> {
                ["guided", "deconvolution", "deeplift", "lrp_epsilon", "lrp_composite"]
                    .map(str::to_owned)
                    .to_vec()
            }

            fn modified_vjp(
                &self,
                _ctx: &Context<'_>,
                x: TensorRef<'_>,
                output_gradient: TensorRef<'_>,
                rule: BackwardRule<'_>,
                _wrt: Wrt<'_>,
                _want_activation: bool,
            ) -> Result<Pullback> {
                let mut gradient = Vec::with_capacity(x.data().len());
                for row in 0..x.rows() {
                    let dy = output_gradient.row(row);
                    let reference = match rule {
                        BackwardRule::DeepLift { reference } => Some(reference.row(row)),
                        _ => None,
                    };
                    for feature in 0..FEATURES {
                        let sum: f64 = (0..OUTPUTS)
                            .filter(|&k| dy[k] != 0.0)
                            .map(|k| {
                                f64::from(dy[k])
                                    * Self::modified(rule, x.row(row), reference, k, feature)
                            })
                            .sum();
                        gradient.push(sum as f32);
                    }
                }
                Ok(Pullback {
                    activation: None,
                    gradient: Tensor::new(x.shape().to_vec(), gradient)?,
                })
            }
        }
    };
}

impl Line {
    /// No unit to change anything.
    fn modified(
        _rule: BackwardRule<'_>,
        _x: &[f32],
        _reference: Option<&[f32]>,
        output: usize,
        feature: usize,
    ) -> f64 {
        linear_weight(output, feature)
    }
}

impl Hidden {
    /// What `rule` passes back to a feature, unit by unit.
    fn modified(
        rule: BackwardRule<'_>,
        x: &[f32],
        reference: Option<&[f32]>,
        output: usize,
        feature: usize,
    ) -> f64 {
        let units = Self::units(x);
        let reference = reference.map(Self::units);
        let y = Self::outputs(x)[output];
        let share = |r: f64, z: f64, epsilon: f32| {
            let epsilon = f64::from(epsilon);
            r / (z + if z < 0.0 { -epsilon } else { epsilon })
        };
        (0..HIDDEN)
            .map(|unit| {
                let (z, v) = (units[unit], Self::output_weight(output, unit));
                let w = Self::weight(unit, feature);
                match rule {
                    BackwardRule::Guided if z > 0.0 => v.max(0.0) * w,
                    BackwardRule::Deconvolution => v.max(0.0) * w,
                    BackwardRule::DeepLift { .. } => {
                        let z0 = reference.map_or(0.0, |reference| reference[unit]);
                        v * w * (z.max(0.0) - z0.max(0.0)) / (z - z0)
                    }
                    BackwardRule::LrpEpsilon { epsilon }
                    | BackwardRule::LrpComposite { epsilon }
                        if z > 0.0 =>
                    {
                        let relevance = share(y, y, epsilon) * v * z;
                        f64::from(x[feature]) * w * share(relevance, z, epsilon)
                    }
                    _ => 0.0,
                }
            })
            .sum()
    }
}

model!(Line, c"org.xbench.test.line", |_x: &[f32], k, feature| {
    linear_weight(k, feature)
});
model!(Hidden, c"org.xbench.test.hidden", Hidden::gradient);
