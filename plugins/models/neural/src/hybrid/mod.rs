//! A convolutional network whose pooled features are the input of a support vector machine.
//!
//! The network of [`hybrid_cnn`](crate::hybrid_cnn) is trained with its own dense layer first.
//! Then the 256 averages of its last convolution, as they are, go to a radial-kernel machine that
//! gives the probabilities, or scores of its decisions. Gradients follow the chain: the machine's exact derivative by the
//! features, pulled back through the network. The dense layer takes no part in the output; it
//! stays for class activation maps, as in the study.

mod randomise;
mod store;
#[cfg(test)]
mod tests;
mod train;

use std::sync::Arc;

use xbench_nn::Threads;
use xbench_svm::{Readout, Svm};

pub use train::{HybridReport, Kernel, Machine, train};

use crate::hybrid_cnn::{self, FEATURES, POOLED_LAYER};
use crate::network::{LayerInfo, Network, NetworkError, Pullback, Rule};

/// The name of the machine among the layers with parameters, behind the network's.
pub const MACHINE_LAYER: &str = "svm";

/// The network and, once trained or loaded, the machine. Rows are independent: row `i` of every
/// result depends on image `i` alone, with the same bits in any batch and for any number of
/// threads.
#[derive(Debug)]
pub struct Hybrid {
    network: Network,
    /// The machine as it is now, and before any randomisation.
    machines: Option<[Arc<Svm>; 2]>,
    readout: Readout,
}

impl Hybrid {
    /// A network with weights drawn from `seed`, and no machine yet.
    ///
    /// # Errors
    /// When the images are too small.
    pub fn new(input: [usize; 3], classes: usize, seed: u64) -> Result<Self, NetworkError> {
        let network = Network::new(hybrid_cnn::architecture(input, classes), seed)?;
        Ok(Hybrid {
            network,
            machines: None,
            readout: Readout::default(),
        })
    }

    /// The same with other outputs of the machine.
    #[must_use]
    pub fn with_readout(mut self, readout: Readout) -> Self {
        self.readout = readout;
        self
    }

    /// What the machine is asked for.
    pub fn readout(&self) -> Readout {
        self.readout
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The machine.
    ///
    /// # Errors
    /// When there is none yet.
    pub fn machine(&self) -> Result<&Svm, NetworkError> {
        match &self.machines {
            Some([now, _]) => Ok(now),
            None => Err(NetworkError::Untrained),
        }
    }

    /// Replaces both.
    fn set(&mut self, network: Network, machine: Svm) {
        let machine = Arc::new(machine);
        self.network = network;
        self.machines = Some([Arc::clone(&machine), machine]);
    }

    /// The layers that the output passes through, in forward order: all but the dense layer.
    pub fn layers(&self) -> Vec<LayerInfo> {
        let mut layers = self.network.layers();
        layers.retain(|layer| layer.name != hybrid_cnn::HEAD_LAYER);
        layers
    }

    /// What the machine gets, `[images, 256]`.
    ///
    /// # Errors
    /// When a length does not fit.
    pub fn features(&self, threads: &Threads, x: &[f32]) -> Result<Vec<f32>, NetworkError> {
        self.network.activation(threads, x, POOLED_LAYER)
    }

    /// Outputs `[images, classes]` of images `[images, channels, height, width]`.
    ///
    /// # Errors
    /// When there is no machine yet, or a length does not fit.
    pub fn outputs(
        &self,
        threads: &Threads,
        x: &[f32],
        out: &mut [f32],
    ) -> Result<(), NetworkError> {
        let machine = self.machine()?;
        let features = self.features(threads, x)?;
        Ok(machine.outputs(self.readout, threads, &features, out)?)
    }

    /// Pulls a gradient of the outputs, `[images, classes]`, back to the input (`layer` is
    /// `None`) or to a layer's activation.
    ///
    /// # Errors
    /// When there is no machine yet, no such layer, or a length does not fit.
    pub fn vjp(
        &self,
        threads: &Threads,
        x: &[f32],
        gradient: &[f32],
        layer: Option<&str>,
        want_activation: bool,
    ) -> Result<Pullback, NetworkError> {
        let machine = self.machine()?;
        let features = self.features(threads, x)?;
        let by_features = machine.output_gradient(self.readout, threads, &features, gradient)?;
        self.network.vjp_from(
            threads,
            x,
            (POOLED_LAYER, &by_features),
            layer,
            want_activation,
        )
    }
}

impl Hybrid {
    /// As [`Hybrid::vjp`], by a rule that changes what the network's ReLUs pass on; the machine is
    /// differentiated as it is.
    ///
    /// # Errors
    /// As [`Hybrid::vjp`].
    pub fn modified_vjp(
        &self,
        threads: &Threads,
        x: &[f32],
        gradient: &[f32],
        rule: Rule<'_>,
        layer: Option<&str>,
        want_activation: bool,
    ) -> Result<Pullback, NetworkError> {
        let machine = self.machine()?;
        let features = self.features(threads, x)?;
        let by_features = machine.output_gradient(self.readout, threads, &features, gradient)?;
        let from = (Some(POOLED_LAYER), &by_features[..]);
        self.network
            .modified_vjp(threads, x, from, rule, layer, want_activation)
    }

    /// Outputs `[images, classes]` that given values of a layer lead to.
    ///
    /// # Errors
    /// When there is no machine yet, no such layer in front of it, or a length does not fit.
    pub fn outputs_from(
        &self,
        threads: &Threads,
        layer: &str,
        value: &[f32],
        out: &mut [f32],
    ) -> Result<(), NetworkError> {
        let machine = self.machine()?;
        let features = self
            .network
            .activation_from(threads, (layer, value), POOLED_LAYER)?;
        Ok(machine.outputs(self.readout, threads, &features, out)?)
    }
}

/// A machine that fits the network.
fn check(machine: &Svm, classes: usize) -> Result<(), NetworkError> {
    let wrong = |what: String| Err(NetworkError::Weights(what));
    if machine.classes() != classes {
        return wrong(format!(
            "the machine has {} classes, the network {classes}",
            machine.classes()
        ));
    }
    if machine.features() != FEATURES {
        return wrong(format!(
            "the machine takes {} features, the network gives {FEATURES}",
            machine.features()
        ));
    }
    if !machine.has_probabilities() {
        return wrong("the machine was trained without probabilities".to_owned());
    }
    Ok(())
}
