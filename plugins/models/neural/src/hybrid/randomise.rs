//! Randomised parameters of network and machine.

use std::sync::Arc;

use xbench_plugin::rng::CounterRng;
use xbench_svm::{StoredTensor, SupportRows, Svm};

use super::{Hybrid, MACHINE_LAYER};
use crate::network::NetworkError;

/// Stream of the seed for the machine; the network's layers use their numbers.
const MACHINE: u64 = 1 << 32;

impl Hybrid {
    /// The layers that have parameters, in forward order: the network's, its dense layer among
    /// them, and the machine.
    pub fn parameter_layers(&self) -> Vec<&'static str> {
        let mut layers = self.network.parameter_layers();
        layers.push(MACHINE_LAYER);
        layers
    }

    /// Draws new parameters for `layer`, and with `cascade` for everything behind it as well. The
    /// network's are drawn as before a training; the machine's coefficients change places at
    /// random, its support vectors, constants and sigmoids stay.
    ///
    /// # Errors
    /// When there is no such layer, it has no parameters, or there is no machine yet.
    pub fn randomise(&mut self, layer: &str, cascade: bool, seed: u64) -> Result<(), NetworkError> {
        let Some([_, original]) = &self.machines else {
            return Err(NetworkError::Untrained);
        };
        let original = Arc::clone(original);
        if layer == MACHINE_LAYER {
            self.network.restore();
        } else {
            self.network.randomise(layer, cascade, seed)?;
        }
        let now = if cascade || layer == MACHINE_LAYER {
            let rng = CounterRng::new(seed).stream(MACHINE);
            Arc::new(shuffled(&original, rng)?)
        } else {
            Arc::clone(&original)
        };
        self.machines = Some([now, original]);
        Ok(())
    }

    /// Undoes [`Hybrid::randomise`].
    pub fn restore(&mut self) {
        self.network.restore();
        if let Some([now, original]) = &mut self.machines {
            *now = Arc::clone(original);
        }
    }
}

/// The machine with its coefficients in another order.
fn shuffled(machine: &Svm, rng: CounterRng) -> Result<Svm, NetworkError> {
    let coefficients = machine.coefficients();
    let order = rng.permutation(coefficients.len());
    let shape = vec![machine.classes() - 1, machine.support_vectors()];
    let mut tensors = machine.write("", SupportRows::Inside);
    for (name, tensor) in &mut tensors {
        if name == "coefficients" {
            *tensor = StoredTensor::f32(shape.clone(), order.iter().map(|&i| coefficients[i]));
        }
    }
    let bytes =
        safetensors::serialize(tensors, None).map_err(|e| NetworkError::Weights(e.to_string()))?;
    Ok(Svm::load(&bytes)?)
}
