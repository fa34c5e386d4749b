//! What the model shows of itself: its linear head, biases, trees.

use xbench_abi as abi;

use super::{ModelHandle, missing};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ffi::{self, Received, c_string};
use crate::model::LinearHead;
use crate::tensor::Tensor;
use crate::trees::TreeEnsemble;

impl ModelHandle<'_> {
    /// The layer whose spatial mean the outputs are linear in, and the weights.
    ///
    /// # Errors
    /// `Unimplemented` when the model is not of this form.
    pub fn linear(&self, ctx: &Context<'_>) -> Result<(String, LinearHead)> {
        let table = self.table(&self.linear)?;
        let run = table.weights.ok_or_else(missing::<abi::xb_linear>)?;
        // SAFETY: a table that keeps the contract.
        let layer = unsafe { ffi::text(table.layer, "the linear layer's name") }?.to_owned();
        let (mut weight, mut bias) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: an object that keeps the contract, and places that outlive the call.
        let status = unsafe { run(self.object, ctx.as_ptr(), &mut weight, &mut bias) };
        Error::check(status, "the model's linear weights")?;
        // SAFETY: success hands the results over. Both are taken before either is refused.
        let (weight, bias) = unsafe {
            let bias = (!bias.is_null()).then(|| Received::<f32>::take(bias, "linear: the bias"));
            (Received::<f32>::take(weight, "linear: the weight"), bias)
        };
        let (weight, bias) = (weight?, bias.transpose()?);
        let expected = [self.spec.outputs, table.num_features as usize];
        if weight.shape() != expected
            || bias
                .as_ref()
                .is_some_and(|bias| bias.shape() != &expected[..1])
        {
            return Err(Error::internal(format!(
                "linear: weight of shape {:?}, bias of shape {:?}; expected {expected:?}",
                weight.shape(),
                bias.as_ref().map(Received::shape)
            )));
        }
        let weight = Tensor::new(expected, weight.data().to_vec())?;
        Ok((
            layer,
            LinearHead {
                weight,
                bias: bias.map(|bias| bias.data().to_vec()),
            },
        ))
    }

    /// What a layer adds before its non-linearity, one value per channel or unit; none where it adds
    /// nothing.
    ///
    /// # Errors
    /// `Unimplemented` when the model does not tell, `NotFound` when it has no such layer.
    pub fn biases(&self, ctx: &Context<'_>, layer: &str) -> Result<Option<Vec<f32>>> {
        let get = self
            .table(&self.biases)?
            .get
            .ok_or_else(missing::<abi::xb_biases>)?;
        let name = c_string(layer)?;
        let mut out = std::ptr::null_mut();
        // SAFETY: an object that keeps the contract, and arguments that outlive the call.
        let status = unsafe { get(self.object, ctx.as_ptr(), name.as_ptr(), &mut out) };
        Error::check(status, "the model's biases")?;
        if out.is_null() {
            return Ok(None);
        }
        // SAFETY: success hands the result over.
        let bias = unsafe { Received::<f32>::take(out, "biases") }?;
        if bias.shape().len() != 1 {
            return Err(Error::internal(format!(
                "biases: expected [channels], found {:?}",
                bias.shape()
            )));
        }
        Ok(Some(bias.data().to_vec()))
    }

    /// The model's trees, copied and checked.
    ///
    /// # Errors
    /// `Unimplemented` when the model has none.
    pub fn trees(&self, ctx: &Context<'_>) -> Result<TreeEnsemble> {
        let get = self
            .table(&self.trees)?
            .get
            .ok_or_else(missing::<abi::xb_trees>)?;
        // SAFETY: numbers and pointers, for which zero is a value.
        let mut seen: abi::xb_tree_ensemble = unsafe { std::mem::zeroed() };
        seen.struct_size = size_of::<abi::xb_tree_ensemble>() as u32;
        // SAFETY: an object that keeps the contract, and a place that outlives the call.
        let status = unsafe { get(self.object, ctx.as_ptr(), &mut seen) };
        Error::check(status, "the model's trees")?;
        // SAFETY: success fills the arrays; the model is not changed while it is explained.
        unsafe { TreeEnsemble::from_abi(&seen) }
    }
}
