//! The state of a training that is under way, kept beside its weights.
//!
//! A file holds the identity of the training (model, settings, data, library), the epochs told so
//! far, and the model's own state. A training of another identity never goes on from it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xbench_record::write_file;

use crate::task::TrainingStep;

/// Where the state of one training is kept.
pub(crate) struct CheckpointFile {
    path: PathBuf,
    identity: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    identity: String,
    curve: Vec<TrainingStep>,
}

/// What was kept.
pub(crate) struct Kept {
    /// The epochs that were done.
    pub(crate) curve: Vec<TrainingStep>,
    /// The model's state.
    pub(crate) state: Vec<u8>,
}

impl CheckpointFile {
    /// Beside `weights`; `identity` tells what determines the training.
    pub(crate) fn new(weights: &Path, identity: String) -> Self {
        Self {
            path: weights.with_extension("checkpoint"),
            identity,
        }
    }

    /// Where it is kept.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Is anything kept, of use or not?
    pub(crate) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// What an interrupted training of the same identity kept; nothing where there is none, or
    /// where the file is another training's or damaged.
    pub(crate) fn read(&self) -> Option<Kept> {
        let bytes = std::fs::read(&self.path).ok()?;
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let header: Header = serde_json::from_slice(rest.get(..length)?).ok()?;
        (header.format == 1 && header.identity == self.identity).then(|| Kept {
            curve: header.curve,
            state: rest[length..].to_vec(),
        })
    }

    /// Keeps a state, whole or not at all.
    pub(crate) fn write(&self, curve: &[TrainingStep], state: &[u8]) -> Result<(), String> {
        let header = Header {
            format: 1,
            identity: self.identity.clone(),
            curve: curve.to_vec(),
        };
        let header = serde_json::to_vec(&header).map_err(|error| error.to_string())?;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(state);
        write_file(&self.path, &bytes).map_err(|error| error.to_string())
    }

    /// Removes it, once the weights are there.
    pub(crate) fn remove(&self) {
        // Only space: a checkpoint that stays is found to be of no use.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_training_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let weights = folder.path().join("net.safetensors");
        let file = CheckpointFile::new(&weights, "a".to_owned());
        assert!(file.read().is_none());
        let step = TrainingStep {
            epoch_done: true,
            epoch: 3,
            epochs: 9,
            batch: 1,
            batches: 1,
            loss: 0.5,
            accuracy: 0.75,
            validation_loss: None,
            validation_accuracy: Some(0.5),
            learning_rate: 0.1,
        };
        file.write(&[step], &[1, 2, 3]).expect("written");
        let kept = file.read().expect("kept");
        assert_eq!((kept.curve[0].epoch, kept.state), (3, vec![1, 2, 3]));
        assert!(
            CheckpointFile::new(&weights, "b".to_owned())
                .read()
                .is_none()
        );
        let path = weights.with_extension("checkpoint");
        let bytes = std::fs::read(&path).expect("there");
        for cut in [0, 7, 9, bytes.len() / 2] {
            std::fs::write(&path, &bytes[..cut]).expect("written");
            assert!(file.read().is_none(), "cut at {cut}");
        }
        file.remove();
        assert!(!path.exists());
    }
}
