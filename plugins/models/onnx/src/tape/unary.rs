//! Functions of one element.
//!
//! Where a function has a kink, the derivative is PyTorch's: 0 at the kink of ReLU and at both ends
//! of Clip (which is what ReLU6 and Hardtanh are exported as).

use std::f64::consts::{FRAC_2_SQRT_PI, PI, SQRT_2};

use xbench_plugin::{Error, Result};

use super::{Made, Rule, Site};
use crate::engine::Values;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Relu,
    LeakyRelu(f64),
    ThresholdedRelu(f64),
    Elu(f64),
    Celu(f64),
    Selu(f64, f64),
    Clip(f64, f64),
    Sigmoid,
    HardSigmoid(f64, f64),
    HardSwish,
    Swish(f64),
    Mish,
    Tanh,
    Softplus,
    Softsign,
    Gelu,
    GeluTanh,
    Erf,
    Exp,
    Log,
    Sqrt,
    Abs,
    Neg,
    Reciprocal,
    Sin,
    Cos,
    /// Floor, Ceil, Round and Sign.
    Step,
}

impl Function {
    /// Derivative at `x`.
    fn slope(self, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let step = |on: bool| f64::from(u8::from(on));
        match self {
            Self::Relu => step(x > 0.0),
            Self::LeakyRelu(alpha) if x > 0.0 || alpha.is_nan() => 1.0,
            Self::LeakyRelu(alpha) => alpha,
            Self::ThresholdedRelu(alpha) => step(x > alpha),
            Self::Elu(_) | Self::Celu(_) if x > 0.0 => 1.0,
            Self::Elu(alpha) => alpha * x.exp(),
            Self::Celu(alpha) => (x / alpha).exp(),
            Self::Selu(_, gamma) if x > 0.0 => gamma,
            Self::Selu(alpha, gamma) => gamma * alpha * x.exp(),
            Self::Clip(low, high) => step(x > low && x < high),
            Self::Sigmoid => sigmoid(x) * sigmoid(-x),
            Self::HardSigmoid(alpha, beta) => {
                let y = alpha * x + beta;
                alpha * step(y > 0.0 && y < 1.0)
            }
            Self::HardSwish if x < -3.0 => 0.0,
            Self::HardSwish if x <= 3.0 => x / 3.0 + 0.5,
            Self::HardSwish => 1.0,
            Self::Swish(alpha) => {
                let s = sigmoid(alpha * x);
                s + alpha * x * s * (1.0 - s)
            }
            Self::Mish => {
                let t = softplus(x).tanh();
                t + x * sigmoid(x) * (1.0 - t * t)
            }
            Self::Tanh => 1.0 - x.tanh().powi(2),
            Self::Softplus => sigmoid(x),
            Self::Softsign => (1.0 + x.abs()).powi(-2),
            Self::Gelu => {
                let density = (-x * x / 2.0).exp() / (2.0 * PI).sqrt();
                0.5 * (1.0 + libm::erf(x / SQRT_2)) + x * density
            }
            Self::GeluTanh => {
                let a = (2.0 / PI).sqrt();
                let t = (a * (x + 0.044_715 * x.powi(3))).tanh();
                let inner = a * (1.0 + 3.0 * 0.044_715 * x * x);
                0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner
            }
            Self::Erf => FRAC_2_SQRT_PI * (-x * x).exp(),
            Self::Exp => x.exp(),
            Self::Log => 1.0 / x,
            Self::Sqrt => 0.5 / x.sqrt(),
            Self::Abs => step(x > 0.0) - step(x < 0.0),
            Self::Neg => -1.0,
            Self::Reciprocal => -1.0 / (x * x),
            Self::Sin => x.cos(),
            Self::Cos => -x.sin(),
            Self::Step => 0.0,
        }
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

struct Unary {
    function: Function,
    x: String,
}

impl Rule for Unary {
    fn reads(&self) -> Vec<&str> {
        vec![&self.x]
    }

    fn is_relu(&self) -> bool {
        self.function == Function::Relu
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to f32 is what is meant"
    )]
    fn pull(&self, values: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let x = values.floats(&self.x)?;
        if self.function == Function::Relu {
            let passed = |(&dy, &x): (&f32, &f32)| if x > 0.0 { dy } else { 0.0 };
            return Ok(dy.iter().zip(x).map(passed).collect());
        }
        Ok(dy
            .iter()
            .zip(x)
            .map(|(&dy, &x)| dy * self.function.slope(f64::from(x)) as f32)
            .collect())
    }
}

/// The rule of a function of one element; nothing when the operator is none.
pub(super) fn rule(site: &Site<'_>) -> Option<Made> {
    function(site).map(|function| {
        site.first_input_only()?;
        Ok(Box::new(Unary {
            function: function?,
            x: site.name(0)?.to_owned(),
        }) as Box<dyn Rule>)
    })
}

fn function(site: &Site<'_>) -> Option<Result<Function>> {
    let number = |name: &str, default: f32| f64::from(site.node.float(name, default));
    Some(Ok(match site.node.op.as_str() {
        "Relu" => Function::Relu,
        "LeakyRelu" => Function::LeakyRelu(number("alpha", 0.01)),
        "ThresholdedRelu" => Function::ThresholdedRelu(number("alpha", 1.0)),
        "Elu" => Function::Elu(number("alpha", 1.0)),
        "Celu" => Function::Celu(number("alpha", 1.0)),
        "Selu" => Function::Selu(number("alpha", 1.673_263_2), number("gamma", 1.050_701)),
        "Clip" => return Some(clip(site)),
        "Sigmoid" => Function::Sigmoid,
        "HardSigmoid" => Function::HardSigmoid(number("alpha", 0.2), number("beta", 0.5)),
        "HardSwish" => Function::HardSwish,
        "Swish" => Function::Swish(number("alpha", 1.0)),
        "Mish" => Function::Mish,
        "Tanh" => Function::Tanh,
        "Softplus" => Function::Softplus,
        "Softsign" => Function::Softsign,
        "Gelu" => match site.node.text("approximate", "none") {
            "none" => Function::Gelu,
            "tanh" => Function::GeluTanh,
            other => {
                return Some(Err(Error::unimplemented(format!(
                    "approximation `{other}`"
                ))));
            }
        },
        "Erf" => Function::Erf,
        "Exp" => Function::Exp,
        "Log" => Function::Log,
        "Sqrt" => Function::Sqrt,
        "Abs" => Function::Abs,
        "Neg" => Function::Neg,
        "Reciprocal" => Function::Reciprocal,
        "Sin" => Function::Sin,
        "Cos" => Function::Cos,
        "Floor" | "Ceil" | "Round" | "Sign" => Function::Step,
        _ => return None,
    }))
}

fn clip(site: &Site<'_>) -> Result<Function> {
    let bound = |i: usize, attribute: &str, default: f32| -> Result<f64> {
        match site.node.input(i) {
            None => Ok(f64::from(site.node.float(attribute, default))),
            Some(_) => site
                .floats(i)?
                .first()
                .map(|&bound| f64::from(bound))
                .ok_or_else(|| Error::invalid_argument("an empty bound")),
        }
    };
    Ok(Function::Clip(
        bound(1, "min", f32::NEG_INFINITY)?,
        bound(2, "max", f32::INFINITY)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central differences of the functions as their papers define them.
    #[test]
    fn slopes_agree_with_differences() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        type Value<'f> = &'f dyn Fn(f64) -> f64;
        let table: [(Function, Value<'_>); 23] = [
            (Function::Relu, &|x| x.max(0.0)),
            (Function::LeakyRelu(0.1), &|x| x.max(0.1 * x)),
            (Function::ThresholdedRelu(0.7), &|x| {
                if x > 0.7 { x } else { 0.0 }
            }),
            (Function::Elu(0.5), &|x| {
                if x > 0.0 { x } else { 0.5 * x.exp_m1() }
            }),
            (Function::Celu(0.5), &|x| {
                if x > 0.0 { x } else { 0.5 * (x / 0.5).exp_m1() }
            }),
            (Function::Selu(1.5, 1.1), &|x| {
                1.1 * if x > 0.0 { x } else { 1.5 * x.exp_m1() }
            }),
            (Function::Clip(-0.5, 1.3), &|x| x.clamp(-0.5, 1.3)),
            (Function::Sigmoid, &sigmoid),
            (Function::HardSigmoid(0.2, 0.5), &|x| {
                (0.2 * x + 0.5).clamp(0.0, 1.0)
            }),
            (Function::HardSwish, &|x| {
                x * (x / 6.0 + 0.5).clamp(0.0, 1.0)
            }),
            (Function::Swish(1.5), &|x| x * sigmoid(1.5 * x)),
            (Function::Mish, &|x| x * x.exp().ln_1p().tanh()),
            (Function::Tanh, &f64::tanh),
            (Function::Softplus, &|x| x.exp().ln_1p()),
            (Function::Softsign, &|x| x / (1.0 + x.abs())),
            (Function::Gelu, &|x| 0.5 * x * (1.0 + libm::erf(x / SQRT_2))),
            (Function::GeluTanh, &|x| {
                0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
            }),
            (Function::Erf, &libm::erf),
            (Function::Exp, &f64::exp),
            (Function::Abs, &f64::abs),
            (Function::Reciprocal, &|x| 1.0 / x),
            (Function::Sin, &f64::sin),
            (Function::Cos, &f64::cos),
        ];
        for (function, value) in table {
            for x in [-4.1, -1.7, -0.3, 0.2, 0.9, 2.6, 4.3] {
                let difference = (value(x + 1e-6) - value(x - 1e-6)) / 2e-6;
                let slope = function.slope(x);
                assert!(
                    (slope - difference).abs() < 1e-6 * (1.0 + slope.abs()),
                    "{function:?} at {x}: {slope}, by differences {difference}"
                );
            }
        }
        assert_eq!(Function::Log.slope(4.0), 0.25);
        assert_eq!(Function::Sqrt.slope(4.0), 0.25);
    }

    #[test]
    fn kinks_are_flat() {
        assert_eq!(Function::Relu.slope(0.0), 0.0);
        assert_eq!(Function::Clip(0.0, 6.0).slope(0.0), 0.0);
        assert_eq!(Function::Clip(0.0, 6.0).slope(6.0), 0.0);
        assert_eq!(Function::Abs.slope(0.0), 0.0);
    }
}
