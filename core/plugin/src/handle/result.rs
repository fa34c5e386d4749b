//! What the model gives back, where it lies.

use std::ops::Deref;

use crate::error::{Error, Result};
use crate::ffi::Received;
use crate::tensor::TensorRef;

/// A result that lies in the model's memory, row-major and compact; freed on drop.
#[derive(Debug)]
pub struct OwnedTensor(pub(super) Received<f32>);

impl OwnedTensor {
    /// Extents, the example axis first; never empty.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    /// A view.
    #[must_use]
    pub fn as_ref(&self) -> TensorRef<'_> {
        TensorRef::new(self.shape(), self.0.data()).expect("checked when it was received")
    }

    /// The elements of example `i`.
    ///
    /// # Panics
    /// When `i` is not below the first extent.
    #[must_use]
    pub fn row(&self, i: usize) -> &[f32] {
        self.as_ref().row(i)
    }

    pub(super) fn check_rows(&self, what: &str, rows: usize) -> Result<()> {
        if self.shape()[0] == rows {
            return Ok(());
        }
        Err(Error::internal(format!(
            "{what} has shape {:?} for {rows} rows",
            self.shape()
        )))
    }
}

impl Deref for OwnedTensor {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.data()
    }
}

/// A gradient of the model, and where asked for the value at which it was taken.
#[derive(Debug)]
pub struct HandlePullback {
    /// `[n, layer shape...]`, or `[n, input...]`.
    pub activation: Option<OwnedTensor>,
    /// Shaped alike.
    pub gradient: OwnedTensor,
}
