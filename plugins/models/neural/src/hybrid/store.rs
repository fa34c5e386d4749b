//! Network and machine in one safetensors file: the network's tensors by their names, the
//! machine's behind `svm.`.

use std::collections::BTreeSet;

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};
use xbench_svm::{StoredTensor, SupportRows, Svm};

use super::{Hybrid, check};
use crate::network::NetworkError;

const PREFIX: &str = "svm.";

impl Hybrid {
    /// Network and machine as a safetensors file, the same bytes for the same parameters.
    ///
    /// # Errors
    /// When there is no machine yet.
    pub fn save(&self) -> Result<Vec<u8>, NetworkError> {
        let mut tensors: Vec<(String, StoredTensor)> = self
            .network
            .named_parameters()
            .into_iter()
            .map(|p| {
                let tensor = StoredTensor::f32(p.shape, p.values.iter().copied());
                (p.name, tensor)
            })
            .collect();
        tensors.extend(self.machine()?.write(PREFIX, SupportRows::Inside));
        safetensors::serialize(tensors, None).map_err(|e| NetworkError::Weights(e.to_string()))
    }

    /// Reads what [`Hybrid::save`] wrote; the bytes may come from anywhere. On error everything
    /// is as before.
    ///
    /// # Errors
    /// When it is not a safetensors file, or a tensor is missing, unknown, of another shape or
    /// type, or holds impossible values.
    pub fn load(&mut self, file: &[u8]) -> Result<(), NetworkError> {
        let tensors = SafeTensors::deserialize(file)
            .map_err(|e| NetworkError::Weights(format!("not a readable safetensors file: {e}")))?;
        let machine = Svm::read(&tensors, PREFIX, None)?;
        check(&machine, self.network.outputs())?;
        let known: BTreeSet<String> = machine
            .write(PREFIX, SupportRows::Inside)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let mut network = self.network.duplicate();
        network.read(&tensors, |name| known.contains(name))?;
        self.set(network, machine);
        Ok(())
    }

    /// SHA-256 over the network's fingerprint and the machine's file, where there is one.
    ///
    /// # Errors
    /// When the machine cannot be written.
    pub fn fingerprint(&self) -> Result<[u8; 32], NetworkError> {
        let mut hash = Sha256::new();
        hash.update(self.network.fingerprint());
        if let Ok(machine) = self.machine() {
            hash.update(machine.save()?);
        }
        Ok(hash.finalize().into())
    }
}
