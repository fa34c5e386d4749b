//! Gradients, by the chain rule and by other rules.

use std::ffi::{CStr, c_char};

use xbench_abi as abi;

use super::{HandlePullback, ModelHandle, OwnedTensor, missing};
use crate::backward::BackwardRule;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ffi::{self, Borrowed, Received, c_string};
use crate::model::Wrt;
use crate::tensor::TensorRef;

impl ModelHandle<'_> {
    /// Gradient of `sum(output_gradient * outputs)` with respect to the input or a layer;
    /// `output_gradient` is `[n, outputs]`.
    ///
    /// # Errors
    /// `Unimplemented` when the model has no gradients, `NotFound` when it has no such layer.
    pub fn vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<HandlePullback> {
        self.check_seed("vjp", x, output_gradient)?;
        let run = self
            .table(&self.vjp)?
            .run
            .ok_or_else(missing::<abi::xb_vjp>)?;
        let (input, seed) = (Borrowed::view(x), Borrowed::view(output_gradient));
        let (object, call) = (self.object, ctx.as_ptr());
        self.pull_back(
            "vjp",
            x,
            wrt,
            want_activation,
            |layer, activation, gradient| {
                // SAFETY: an object that keeps the contract, and arguments that outlive the call.
                unsafe {
                    run(
                        object,
                        call,
                        input.as_ptr(),
                        seed.as_ptr(),
                        layer,
                        activation,
                        gradient,
                    )
                }
            },
        )
    }

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
        let what = "modified_vjp";
        self.check_seed(what, x, output_gradient)?;
        let reference = rule.reference();
        if let Some(reference) = reference.filter(|reference| reference.shape() != x.shape()) {
            return Err(Error::invalid_argument(format!(
                "{what}: the reference has shape {:?}, expected {:?} as x",
                reference.shape(),
                x.shape()
            )));
        }
        let run = self
            .table(&self.modified_vjp)?
            .run
            .ok_or_else(missing::<abi::xb_modified_vjp>)?;
        let name = c_string(rule.name())?;
        let (input, seed) = (Borrowed::view(x), Borrowed::view(output_gradient));
        let reference = reference.map(Borrowed::view);
        let (object, call) = (self.object, ctx.as_ptr());
        self.pull_back(
            what,
            x,
            wrt,
            want_activation,
            |layer, activation, gradient| {
                // SAFETY: an object that keeps the contract, and arguments that outlive the call.
                unsafe {
                    run(
                        object,
                        call,
                        input.as_ptr(),
                        seed.as_ptr(),
                        name.as_ptr(),
                        rule.parameter(),
                        reference
                            .as_ref()
                            .map_or(std::ptr::null(), Borrowed::as_ptr),
                        layer,
                        activation,
                        gradient,
                    )
                }
            },
        )
    }

    fn check_seed(&self, what: &str, x: TensorRef<'_>, seed: TensorRef<'_>) -> Result<()> {
        self.check_input(x)?;
        if seed.shape() == [x.rows(), self.spec.outputs] {
            return Ok(());
        }
        Err(Error::invalid_argument(format!(
            "{what}: the output gradient has shape {:?}, expected [{}, {}]",
            seed.shape(),
            x.rows(),
            self.spec.outputs
        )))
    }

    /// Runs a backward pass and takes over what it gives. `pass` gets the layer's name, null for the
    /// input, and the places for the activation, null where it is not wanted, and the gradient.
    fn pull_back(
        &self,
        what: &str,
        x: TensorRef<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
        pass: impl FnOnce(
            *const c_char,
            *mut *mut abi::xb_owned,
            *mut *mut abi::xb_owned,
        ) -> abi::xb_status,
    ) -> Result<HandlePullback> {
        let layer = match wrt {
            Wrt::Input => None,
            Wrt::Layer(layer) => Some(c_string(layer)?),
        };
        let (mut activation, mut gradient) = (std::ptr::null_mut(), std::ptr::null_mut());
        let status = pass(
            layer.as_deref().map_or(std::ptr::null(), CStr::as_ptr),
            if want_activation {
                &raw mut activation
            } else {
                std::ptr::null_mut()
            },
            &raw mut gradient,
        );
        Error::check(status, &format!("the model's {what}"))?;
        let of_activation = format!("{what}: the activation");
        let of_gradient = format!("{what}: the gradient");
        // SAFETY: success hands the results over. Both are taken before either is refused.
        let (activation, gradient) = unsafe {
            (
                want_activation.then(|| Received::take(activation, &of_activation)),
                Received::take(gradient, &of_gradient),
            )
        };
        let gradient = OwnedTensor(gradient?);
        let activation = activation.transpose()?.map(OwnedTensor);
        gradient.check_rows(&of_gradient, x.rows())?;
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
                "{of_gradient} has shape {:?}, expected {:?}",
                gradient.shape(),
                x.shape()
            )));
        }
        Ok(HandlePullback {
            activation,
            gradient,
        })
    }
}
