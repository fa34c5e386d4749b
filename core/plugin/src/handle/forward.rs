//! What forward passes give: outputs, values of layers, predicted masks.

use xbench_abi as abi;

use super::{ModelHandle, OwnedTensor, missing, read_shape};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ffi::{self, Borrowed, Received, c_string};
use crate::model::LayerSpec;
use crate::tensor::TensorRef;

impl ModelHandle<'_> {
    /// Fills `outputs`, `[n, outputs]` in row-major order, for `x`, `[n, input...]`.
    ///
    /// # Errors
    /// When the shapes are wrong, the model fails, or the host wants to stop.
    pub fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        self.check_input(x)?;
        self.check_places("predict", x.rows(), outputs)?;
        let run = self.predict.run.ok_or_else(missing::<abi::xb_predict>)?;
        let input = Borrowed::view(x);
        let mut output = Borrowed::exclusive(&[x.rows(), self.spec.outputs], outputs);
        // SAFETY: an object that keeps the contract, and tensors that outlive the call.
        let status = unsafe {
            run(
                self.object,
                ctx.as_ptr(),
                input.as_ptr(),
                output.as_mut_ptr(),
            )
        };
        Error::check(status, "the model's predict")
    }

    /// The model's layers, in forward order.
    ///
    /// # Errors
    /// `Unimplemented` when it does not show them.
    pub fn layers(&self) -> Result<Vec<LayerSpec>> {
        let table = self.table(&self.layers)?;
        // SAFETY: a table that keeps the contract: num_layers layers with valid strings.
        unsafe {
            ffi::slice(
                table.layers,
                table.num_layers as usize,
                "the model's layers",
            )?
            .iter()
            .map(|layer| {
                Ok(LayerSpec {
                    name: ffi::text(layer.name, "a layer's name")?.to_owned(),
                    op: ffi::text(layer.op, "a layer's operation")?.to_owned(),
                    shape: read_shape(layer.shape, layer.ndim, "a layer's shape")?,
                })
            })
            .collect()
        }
    }

    /// Value `[n, layer shape...]` of a layer.
    ///
    /// # Errors
    /// `Unimplemented` when the model does not show layers, `NotFound` when it has no such layer.
    pub fn activation(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        layer: &str,
    ) -> Result<OwnedTensor> {
        self.check_input(x)?;
        let run = self
            .table(&self.layers)?
            .activation
            .ok_or_else(missing::<abi::xb_layers>)?;
        let name = c_string(layer)?;
        let input = Borrowed::view(x);
        let mut out = std::ptr::null_mut();
        // SAFETY: an object that keeps the contract, and arguments that outlive the call.
        let status = unsafe {
            run(
                self.object,
                ctx.as_ptr(),
                input.as_ptr(),
                name.as_ptr(),
                &mut out,
            )
        };
        Error::check(status, "the model's activation")?;
        // SAFETY: success hands the result over.
        let value = OwnedTensor(unsafe { Received::take(out, "activation") }?);
        value.check_rows("activation", x.rows())?;
        Ok(value)
    }

    /// Fills `outputs`, `[n, outputs]`, with what `value`, `[n, layer shape...]`, of a layer leads to.
    ///
    /// # Errors
    /// `Unimplemented` when the model cannot do this from that layer, `NotFound` when it has no such
    /// layer.
    pub fn forward_from(
        &self,
        ctx: &Context<'_>,
        layer: &str,
        value: TensorRef<'_>,
        outputs: &mut [f32],
    ) -> Result<()> {
        self.check_places("forward_from", value.rows(), outputs)?;
        let run = self
            .table(&self.forward_from)?
            .run
            .ok_or_else(missing::<abi::xb_forward_from>)?;
        let name = c_string(layer)?;
        let input = Borrowed::view(value);
        let mut output = Borrowed::exclusive(&[value.rows(), self.spec.outputs], outputs);
        // SAFETY: an object that keeps the contract, and arguments that outlive the call.
        let status = unsafe {
            run(
                self.object,
                ctx.as_ptr(),
                name.as_ptr(),
                input.as_ptr(),
                output.as_mut_ptr(),
            )
        };
        Error::check(status, "the model's forward_from")
    }

    /// Probability that each pixel belongs to the object, `[n, height, width]`.
    ///
    /// # Errors
    /// `Unimplemented` when the model predicts no mask.
    pub fn segment(&self, ctx: &Context<'_>, x: TensorRef<'_>) -> Result<OwnedTensor> {
        self.check_input(x)?;
        let run = self
            .table(&self.segment)?
            .run
            .ok_or_else(missing::<abi::xb_segment>)?;
        let input = Borrowed::view(x);
        let mut out = std::ptr::null_mut();
        // SAFETY: an object that keeps the contract, and arguments that outlive the call.
        let status = unsafe { run(self.object, ctx.as_ptr(), input.as_ptr(), &mut out) };
        Error::check(status, "the model's segment")?;
        // SAFETY: success hands the result over.
        let mask = OwnedTensor(unsafe { Received::take(out, "segment") }?);
        mask.check_rows("segment", x.rows())?;
        Ok(mask)
    }

    fn check_places(&self, what: &str, rows: usize, outputs: &[f32]) -> Result<()> {
        if Some(outputs.len()) == rows.checked_mul(self.spec.outputs) {
            return Ok(());
        }
        Err(Error::invalid_argument(format!(
            "{what}: {} places for the outputs of {rows} rows with {} outputs",
            outputs.len(),
            self.spec.outputs
        )))
    }
}
