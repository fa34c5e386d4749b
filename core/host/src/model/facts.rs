//! What a model shows of itself: its linear head, biases, trees.

#![expect(unsafe_code, reason = "calls the model's tables of functions")]

use std::ffi::CStr;

use xbench_abi::{xb_linear, xb_owned, xb_tree_ensemble};

use super::LoadedModel;
use super::tables::function;
use crate::call::CallFrame;
use crate::error::Fault;
use crate::owned::OwnedOutput;
use crate::spec::LinearHead;
use crate::tensor::check_finite;

impl LoadedModel {
    /// The linear head's weights.
    pub(crate) fn run_linear(&self, frame: &CallFrame) -> Result<LinearHead, Fault> {
        let function = function!(self.tables.linear, weights)?;
        let layer = self.said.linear_layer.as_ref();
        let (_, features) = layer.ok_or_else(Fault::lacks::<xb_linear>)?;
        let mut weight: *mut xb_owned = std::ptr::null_mut();
        let mut bias: *mut xb_owned = std::ptr::null_mut();
        let outputs = self.said.spec.outputs;
        // SAFETY: object and function belong together; the results become ours, each by its own
        // `take`, before either is refused.
        let (weight, bias) = unsafe {
            let status = function(
                self.object.raw(),
                frame.raw(),
                &raw mut weight,
                &raw mut bias,
            );
            frame.finish("linear", status)?;
            let bias = (!bias.is_null())
                .then(|| OwnedOutput::take("linear: the bias", bias, outputs, Some(&[])));
            (
                OwnedOutput::take("linear: the weight", weight, outputs, Some(&[*features])),
                bias,
            )
        };
        let head = LinearHead {
            weight: weight?,
            bias: bias.transpose()?,
        };
        check_finite("linear: the weight", &head.weight, outputs, 0)?;
        if let Some(bias) = &head.bias {
            check_finite("linear: the bias", bias, outputs, 0)?;
        }
        Ok(head)
    }

    /// What a layer adds before its non-linearity; none where it adds nothing.
    pub(crate) fn run_biases(
        &self,
        frame: &CallFrame,
        layer: &CStr,
    ) -> Result<Option<OwnedOutput>, Fault> {
        let function = function!(self.tables.biases, get)?;
        let channels = self.layer_shape(layer)?[0];
        let mut bias: *mut xb_owned = std::ptr::null_mut();
        // SAFETY: object and function belong together; the result becomes ours.
        let bias = unsafe {
            let status = function(
                self.object.raw(),
                frame.raw(),
                layer.as_ptr(),
                &raw mut bias,
            );
            frame.finish("biases", status)?;
            if bias.is_null() {
                return Ok(None);
            }
            OwnedOutput::take("biases", bias, channels, Some(&[]))?
        };
        check_finite("biases", &bias, channels, 0)?;
        Ok(Some(bias))
    }

    /// What the model shows of its trees; not yet checked.
    pub(crate) fn run_trees(&self, frame: &CallFrame) -> Result<xb_tree_ensemble, Fault> {
        let function = function!(self.tables.trees, get)?;
        // SAFETY: numbers and pointers, for which zero is a value.
        let mut seen: xb_tree_ensemble = unsafe { std::mem::zeroed() };
        seen.struct_size = size_of::<xb_tree_ensemble>() as u32;
        // SAFETY: object and function belong together; the place outlives the call.
        let status = unsafe { function(self.object.raw(), frame.raw(), &raw mut seen) };
        frame.finish("trees", status)?;
        let spec = &self.said.spec;
        let expected = (spec.input_len(), spec.outputs);
        let found = (seen.num_features as usize, seen.num_outputs as usize);
        if found != expected {
            return Err(Fault::contract(format!(
                "its trees have (features, outputs) {found:?}, the model {expected:?}"
            )));
        }
        Ok(seen)
    }
}
