//! What reaches into a network: modified backward passes, the forward pass from a layer, biases.

use xbench_abi as abi;

use super::{
    HandlePullback, ModelHandle, OwnedTensor, Table as _, c_string, check, check_rows, missing,
};
use crate::backward::BackwardRule;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ffi::{self, Borrowed, Received};
use crate::model::Wrt;
use crate::tensor::TensorRef;

impl ModelHandle<'_> {
    /// Names of the backward rules that the model can do.
    ///
    /// # Errors
    /// `Unimplemented` when it has none.
    pub fn backward_rules(&self) -> Result<Vec<String>> {
        let table = self.table(&self.modified_vjp)?;
        // SAFETY: a table that keeps the contract: num_rules strings.
        unsafe {
            ffi::slice(table.rules, table.num_rules as usize, "the model's rules")?
                .iter()
                .map(|&name| ffi::text(name, "a rule's name").map(str::to_owned))
                .collect()
        }
    }

    /// As [`vjp`](Self::vjp), but by `rule` in place of the chain rule.
    ///
    /// # Errors
    /// `Unimplemented` when the model cannot do this rule, `NotFound` when it has no such layer.
    pub fn modified_vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        rule: BackwardRule<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<HandlePullback> {
        self.check_input(x)?;
        if output_gradient.shape() != [x.rows(), self.spec.outputs] {
            return Err(Error::invalid_argument(format!(
                "modified_vjp: the output gradient has shape {:?}, expected [{}, {}]",
                output_gradient.shape(),
                x.rows(),
                self.spec.outputs
            )));
        }
        let reference = rule.reference();
        if let Some(reference) = reference.filter(|reference| reference.shape() != x.shape()) {
            return Err(Error::invalid_argument(format!(
                "modified_vjp: the reference has shape {:?}, expected {:?} as x",
                reference.shape(),
                x.shape()
            )));
        }
        let run = self
            .table(&self.modified_vjp)?
            .run
            .ok_or_else(|| missing(abi::xb_modified_vjp::ID))?;
        let layer = match wrt {
            Wrt::Input => None,
            Wrt::Layer(layer) => Some(c_string(layer)?),
        };
        let layer = layer
            .as_deref()
            .map_or(std::ptr::null(), std::ffi::CStr::as_ptr);
        let name = c_string(rule.name())?;
        let input = Borrowed::shared(x.shape(), x.data());
        let seed = Borrowed::shared(output_gradient.shape(), output_gradient.data());
        let reference = reference.map(|r| Borrowed::shared(r.shape(), r.data()));
        let (mut activation, mut gradient) = (std::ptr::null_mut(), std::ptr::null_mut());
        let place = if want_activation {
            &raw mut activation
        } else {
            std::ptr::null_mut()
        };
        // SAFETY: an object that keeps the contract, and arguments that outlive the call.
        let status = unsafe {
            run(
                self.object,
                ctx.as_ptr(),
                input.as_ptr(),
                seed.as_ptr(),
                name.as_ptr(),
                rule.parameter(),
                reference
                    .as_ref()
                    .map_or(std::ptr::null(), Borrowed::as_ptr),
                layer,
                place,
                &mut gradient,
            )
        };
        check(status, "the model's modified_vjp")?;
        let activation = want_activation.then_some(activation);
        // SAFETY: success hands the results over.
        unsafe { self.take_pullback("modified_vjp", x, wrt, activation, gradient) }
    }

    /// Takes what a backward pass gave, and checks its shapes.
    ///
    /// # Safety
    /// The pointers are what a successful call wrote.
    pub(super) unsafe fn take_pullback(
        &self,
        what: &str,
        x: TensorRef<'_>,
        wrt: Wrt<'_>,
        activation: Option<*mut abi::xb_owned>,
        gradient: *mut abi::xb_owned,
    ) -> Result<HandlePullback> {
        // SAFETY: by this function's contract. Both are taken before either is refused.
        let (gradient, activation) = unsafe {
            let activation =
                activation.map(|value| Received::take(value, &format!("{what}: the activation")));
            (
                Received::take(gradient, &format!("{what}: the gradient")),
                activation,
            )
        };
        let gradient = OwnedTensor(gradient?);
        let activation = activation.transpose()?.map(OwnedTensor);
        check_rows(&format!("{what}: the gradient"), &gradient, x.rows())?;
        if activation
            .as_ref()
            .is_some_and(|value| value.shape() != gradient.shape())
        {
            return Err(Error::internal(format!(
                "{what}: activation and gradient differ in shape"
            )));
        }
        if wrt == Wrt::Input && gradient.shape() != x.shape() {
            return Err(Error::internal(format!(
                "{what}: the gradient has shape {:?}, expected {:?}",
                gradient.shape(),
                x.shape()
            )));
        }
        Ok(HandlePullback {
            activation,
            gradient,
        })
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
        if Some(outputs.len()) != value.rows().checked_mul(self.spec.outputs) {
            return Err(Error::invalid_argument(format!(
                "forward_from: {} places for the outputs of {} rows with {} outputs",
                outputs.len(),
                value.rows(),
                self.spec.outputs
            )));
        }
        let run = self
            .table(&self.forward_from)?
            .run
            .ok_or_else(|| missing(abi::xb_forward_from::ID))?;
        let name = c_string(layer)?;
        let input = Borrowed::shared(value.shape(), value.data());
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
        check(status, "the model's forward_from")
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
            .ok_or_else(|| missing(abi::xb_biases::ID))?;
        let name = c_string(layer)?;
        let mut out = std::ptr::null_mut();
        // SAFETY: an object that keeps the contract, and arguments that outlive the call.
        let status = unsafe { get(self.object, ctx.as_ptr(), name.as_ptr(), &mut out) };
        check(status, "the model's biases")?;
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
}
