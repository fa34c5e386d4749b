//! Parameters: drawing, naming, randomising, and at rest.

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};
use xbench_plugin::rng::CounterRng;

use super::architecture::{Architecture, Init};
use super::plan::{ParameterRange, Plan};
use super::{Network, NetworkError};

/// One tensor of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedParameter<'a> {
    /// `<layer>.weight` or `<layer>.bias`.
    pub name: String,
    /// `[out, in, height, width]`, `[out, in]` or `[out]`.
    pub shape: Vec<usize>,
    /// The values.
    pub values: &'a [f32],
}

/// Draws all parameters; each layer from a stream of its own.
pub(super) fn draw(plan: &Plan, architecture: &Architecture, seed: u64) -> Vec<f32> {
    let mut parameters = vec![0.0; plan.parameter_count];
    for (i, layer) in plan.layers.iter().enumerate() {
        if let Some(range) = &layer.parameters {
            draw_layer(
                range,
                architecture.init_of(i),
                CounterRng::new(seed).stream(i as u64),
                &mut parameters,
            );
        }
    }
    parameters
}

fn draw_layer(range: &ParameterRange, init: Init, rng: CounterRng, parameters: &mut [f32]) {
    let weight = &mut parameters[range.weight.clone()];
    let (limit, bias_limit) = match init {
        Init::HeNormal => {
            draw_he_normal(range.fan_in, rng.stream(0), weight);
            parameters[range.bias.clone()].fill(0.0);
            return;
        }
        Init::Glorot => ((6.0 / (range.fan_in + range.fan_out) as f64).sqrt(), 0.0),
        Init::FanIn => {
            let limit = 1.0 / (range.fan_in as f64).sqrt();
            (limit, limit)
        }
    };
    let uniform = |rng: CounterRng, limit: f64, values: &mut [f32]| {
        for (i, value) in values.iter_mut().enumerate() {
            *value = ((2.0 * rng.uniform(i as u64) - 1.0) * limit) as f32;
        }
    };
    uniform(rng.stream(0), limit, weight);
    uniform(
        rng.stream(1),
        bias_limit,
        &mut parameters[range.bias.clone()],
    );
}

/// Standard deviation of a standard normal value cut off at ±2: √(1 − 2·2φ(2) / (2Φ(2) − 1)).
const CUT_DEVIATION: f64 = 0.879_625_661_034_239_8;

fn draw_he_normal(fan_in: usize, rng: CounterRng, values: &mut [f32]) {
    let deviation = (2.0 / fan_in as f64).sqrt() / CUT_DEVIATION;
    for (i, value) in values.iter_mut().enumerate() {
        // Each round draws from a stream of its own; 95 % of the values stay in the first, and
        // after 64 rounds the chance of being outside is below 1e-85.
        let drawn = (0..64)
            .map(|round| rng.stream(round).normal(i as u64))
            .find(|z| z.abs() <= 2.0)
            .unwrap_or(0.0);
        *value = (drawn * deviation) as f32;
    }
}

impl Network {
    /// Number of parameters.
    pub fn parameter_count(&self) -> usize {
        self.plan.parameter_count
    }

    /// All parameters, layer by layer, weights before bias.
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// Replaces all parameters, also those that [`Network::restore`] goes back to.
    ///
    /// # Errors
    /// When their number is wrong.
    pub fn set_parameters(&mut self, parameters: &[f32]) -> Result<(), NetworkError> {
        super::length("parameters", parameters.len(), self.plan.parameter_count)?;
        self.original.copy_from_slice(parameters);
        self.restore();
        Ok(())
    }

    /// The parameters by name, in forward order.
    pub fn named_parameters(&self) -> Vec<NamedParameter<'_>> {
        let mut named = Vec::new();
        for layer in &self.plan.layers {
            if let Some(range) = &layer.parameters {
                named.push(NamedParameter {
                    name: format!("{}.weight", layer.name),
                    shape: range.weight_shape.clone(),
                    values: &self.parameters[range.weight.clone()],
                });
                named.push(NamedParameter {
                    name: format!("{}.bias", layer.name),
                    shape: vec![range.bias.len()],
                    values: &self.parameters[range.bias.clone()],
                });
            }
        }
        named
    }

    /// The layers that have parameters, in forward order.
    pub fn parameter_layers(&self) -> Vec<&'static str> {
        self.plan
            .layers
            .iter()
            .filter(|l| l.parameters.is_some())
            .map(|l| l.name)
            .collect()
    }

    /// Draws new parameters for `layer`, and with `cascade` for every layer behind it as well
    /// (Adebayo et al. 2018, "Sanity Checks for Saliency Maps": from the logits downwards).
    /// The other layers go back to their own parameters first.
    ///
    /// # Errors
    /// When there is no such layer or it has no parameters.
    pub fn randomise(&mut self, layer: &str, cascade: bool, seed: u64) -> Result<(), NetworkError> {
        let at = self.plan.index(layer)?;
        if self.plan.layers[at].parameters.is_none() {
            return Err(NetworkError::NoParameters {
                layer: layer.to_owned(),
            });
        }
        self.parameters.copy_from_slice(&self.original);
        let end = if cascade {
            self.plan.layers.len()
        } else {
            at + 1
        };
        for (i, layer) in self.plan.layers[..end].iter().enumerate().skip(at) {
            if let Some(range) = &layer.parameters {
                let rng = CounterRng::new(seed).stream(i as u64);
                let init = self.architecture.init_of(i);
                draw_layer(range, init, rng, &mut self.parameters);
            }
        }
        self.plan.pack(&self.parameters, &mut self.packs);
        Ok(())
    }

    /// Undoes [`Network::randomise`].
    pub fn restore(&mut self) {
        self.parameters.copy_from_slice(&self.original);
        self.plan.pack(&self.parameters, &mut self.packs);
    }

    /// SHA-256 over name, shape and little-endian values of every parameter in forward order.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for parameter in self.named_parameters() {
            hash.update((parameter.name.len() as u64).to_le_bytes());
            hash.update(parameter.name.as_bytes());
            hash.update((parameter.shape.len() as u64).to_le_bytes());
            for &size in &parameter.shape {
                hash.update((size as u64).to_le_bytes());
            }
            hash.update(bytes(parameter.values));
        }
        hash.finalize().into()
    }

    /// The parameters as a safetensors file, the same bytes for the same parameters.
    ///
    /// # Errors
    /// When the format refuses a tensor.
    pub fn save(&self) -> Result<Vec<u8>, NetworkError> {
        let refuse = |e: safetensors::SafeTensorError| NetworkError::Weights(e.to_string());
        let named = self.named_parameters();
        let values: Vec<Vec<u8>> = named.iter().map(|p| bytes(p.values)).collect();
        let mut views = Vec::new();
        for (parameter, values) in named.iter().zip(&values) {
            let view = TensorView::new(Dtype::F32, parameter.shape.clone(), values);
            views.push((parameter.name.clone(), view.map_err(refuse)?));
        }
        safetensors::serialize(views, None).map_err(refuse)
    }

    /// Reads parameters from a safetensors file, which may come from anywhere: it must hold
    /// exactly this network's tensors, in single precision, with finite values. On error the
    /// network is as before.
    ///
    /// # Errors
    /// When it is not a safetensors file or a tensor is missing, unknown, of another shape or
    /// type, or not finite.
    pub fn load(&mut self, file: &[u8]) -> Result<(), NetworkError> {
        let refuse = NetworkError::Weights;
        let tensors = SafeTensors::deserialize(file)
            .map_err(|e| refuse(format!("not a readable safetensors file: {e}")))?;
        self.read(&tensors, |_| false)
    }

    /// As [`Network::load`], from a file that holds other tensors too: those that `others` knows.
    ///
    /// # Errors
    /// As [`Network::load`].
    pub fn read(
        &mut self,
        tensors: &SafeTensors<'_>,
        others: impl Fn(&str) -> bool,
    ) -> Result<(), NetworkError> {
        let refuse = NetworkError::Weights;
        let mut views: BTreeMap<String, TensorView<'_>> = tensors.tensors().into_iter().collect();
        let mut parameters = Vec::with_capacity(self.plan.parameter_count);
        for expected in self.named_parameters() {
            let name = &expected.name;
            let view = views.remove(name).ok_or_else(|| {
                refuse(format!(
                    "no tensor '{name}'; the file is not for a {} of this size",
                    self.architecture.name
                ))
            })?;
            if view.dtype() != Dtype::F32 {
                return Err(refuse(format!(
                    "'{name}' is {:?}, expected F32",
                    view.dtype()
                )));
            }
            if view.shape() != expected.shape {
                let (got, want) = (view.shape(), &expected.shape);
                return Err(refuse(format!(
                    "'{name}' has shape {got:?}, expected {want:?}"
                )));
            }
            let data = view.data();
            let (values, rest) = data.as_chunks::<4>();
            if !rest.is_empty() || values.len() != expected.values.len() {
                return Err(refuse(format!("'{name}' has {} bytes", data.len())));
            }
            for (i, value) in values.iter().enumerate() {
                let value = f32::from_le_bytes(*value);
                if !value.is_finite() {
                    return Err(refuse(format!("'{name}', value {i}, is {value}")));
                }
                parameters.push(value);
            }
        }
        if let Some(name) = views.keys().find(|name| !others(name)) {
            return Err(refuse(format!("unknown tensor '{name}'")));
        }
        self.set_parameters(&parameters)
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}
