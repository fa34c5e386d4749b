//! Entry points of backward passes, by the chain rule and by other rules.

use std::ffi::c_char;

use xbench_abi as abi;
use xbench_abi::{xb_call, xb_object, xb_owned, xb_status, xb_tensor};

use super::arguments::read_input;
use super::object::shared;
use super::table::{Capability, Names, OwnedTable, count};
use crate::backward::BackwardRule;
use crate::error::{Error, Result};
use crate::ffi::{self, Input};
use crate::model::{self, Model, ModelSpec, Pullback, Wrt};
use crate::tensor::TensorRef;

/// Capability `xbench.model.vjp/1`.
#[derive(Debug)]
pub enum Vjp {}
/// Capability `xbench.model.modified_vjp/1`.
#[derive(Debug)]
pub enum ModifiedVjp {}

/// What is to be differentiated, at what, with respect to what.
struct Asked<'a> {
    x: Input<'a, f32>,
    dy: Input<'a, f32>,
    wrt: Wrt<'a>,
}

impl<'a> Asked<'a> {
    /// # Safety
    /// When not null, the arguments must keep the contract and outlive the result.
    unsafe fn read<M: Model>(
        spec: &ModelSpec,
        x: *const xb_tensor,
        dy: *const xb_tensor,
        wrt: *const c_char,
    ) -> Result<Self> {
        // SAFETY: passed on.
        let (x, dy) = unsafe { (read_input::<M>(spec, x)?, Input::<f32>::read(dy, "dy")?) };
        if dy.shape != [x.shape[0], spec.outputs] {
            return Err(Error::invalid_argument(format!(
                "dy has shape {:?}, expected [{}, {}]",
                dy.shape, x.shape[0], spec.outputs
            )));
        }
        let wrt = if wrt.is_null() {
            Wrt::Input
        } else {
            // SAFETY: passed on.
            Wrt::Layer(unsafe { ffi::text(wrt, "the layer's name") }?)
        };
        Ok(Self { x, dy, wrt })
    }
}

/// Where the results go.
struct Places {
    what: &'static str,
    /// Null where the activation is not wanted.
    activation: *mut *mut xb_owned,
    gradient: *mut *mut xb_owned,
}

impl Places {
    /// Cleared, so that nothing stale stands there after a failure.
    ///
    /// # Safety
    /// When not null and aligned, the places must be writable.
    unsafe fn cleared(
        what: &'static str,
        activation: *mut *mut xb_owned,
        gradient: *mut *mut xb_owned,
    ) -> Result<Self> {
        // SAFETY: passed on.
        unsafe {
            ffi::clear_place(gradient, &format!("{what}: the place for the gradient"))?;
            if !activation.is_null() {
                ffi::clear_place(activation, &format!("{what}: the place for the activation"))?;
            }
        }
        Ok(Self {
            what,
            activation,
            gradient,
        })
    }

    fn want_activation(&self) -> bool {
        !self.activation.is_null()
    }

    /// Hands the results over where their shapes are right.
    ///
    /// # Safety
    /// The places must still be writable.
    unsafe fn fill(self, pullback: Pullback, x: TensorRef<'_>, wrt: Wrt<'_>) -> Result<()> {
        let what = self.what;
        let gradient = pullback.gradient;
        if gradient.rows() != x.rows() || (wrt == Wrt::Input && gradient.shape() != x.shape()) {
            return Err(Error::internal(format!(
                "{what}: the gradient has shape {:?} for x of shape {:?}",
                gradient.shape(),
                x.shape()
            )));
        }
        if self.want_activation() {
            let activation = match (pullback.activation, wrt) {
                (Some(activation), _) => activation,
                (None, Wrt::Input) => x.to_tensor(),
                (None, Wrt::Layer(layer)) => {
                    return Err(Error::internal(format!(
                        "{what}: no activation of `{layer}` was given"
                    )));
                }
            };
            if activation.shape() != gradient.shape() {
                return Err(Error::internal(format!(
                    "{what}: the activation has shape {:?}, the gradient {:?}",
                    activation.shape(),
                    gradient.shape()
                )));
            }
            // SAFETY: writable by the caller's promise.
            unsafe { self.activation.write(ffi::give(activation)) };
        }
        // SAFETY: as above.
        unsafe { self.gradient.write(ffi::give(gradient)) };
        Ok(())
    }
}

impl<M: model::Vjp> Capability<M> for Vjp {
    type Table = abi::xb_vjp;

    fn table(_plugin: &M) -> Result<OwnedTable> {
        let table = abi::xb_vjp {
            struct_size: size_of::<abi::xb_vjp>() as u32,
            reserved: 0,
            run: Some(vjp::<M>),
        };
        Ok(OwnedTable::new(table, ()))
    }
}

unsafe extern "C" fn vjp<M: model::Vjp>(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    dy: *const xb_tensor,
    wrt: *const c_char,
    activation_out: *mut *mut xb_owned,
    gradient_out: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "vjp", |ctx| {
            let places = Places::cleared("vjp", activation_out, gradient_out)?;
            let plugin = shared::<M>(object)?;
            let Asked { x, dy, wrt } = Asked::read::<M>(plugin.spec(), x, dy, wrt)?;
            let (x, dy) = (x.view()?, dy.view()?);
            let pullback = plugin.vjp(ctx, x, dy, wrt, places.want_activation())?;
            places.fill(pullback, x, wrt)
        })
    }
}

impl<M: model::ModifiedVjp> Capability<M> for ModifiedVjp {
    type Table = abi::xb_modified_vjp;

    fn table(plugin: &M) -> Result<OwnedTable> {
        let rules = plugin.rules();
        let rules = Names::new(rules.iter().map(String::as_str))?;
        let table = abi::xb_modified_vjp {
            struct_size: size_of::<abi::xb_modified_vjp>() as u32,
            num_rules: count(rules.pointers.len(), "the number of rules")?,
            rules: rules.pointers.as_ptr(),
            run: Some(modified_vjp::<M>),
        };
        Ok(OwnedTable::new(table, rules))
    }
}

unsafe extern "C" fn modified_vjp<M: model::ModifiedVjp>(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    dy: *const xb_tensor,
    rule: *const c_char,
    parameter: f64,
    reference: *const xb_tensor,
    wrt: *const c_char,
    activation_out: *mut *mut xb_owned,
    gradient_out: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "modified_vjp", |ctx| {
            let places = Places::cleared("modified_vjp", activation_out, gradient_out)?;
            let plugin = shared::<M>(object)?;
            let Asked { x, dy, wrt } = Asked::read::<M>(plugin.spec(), x, dy, wrt)?;
            let reference = if reference.is_null() {
                None
            } else {
                Some(Input::<f32>::read(reference, "reference")?)
            };
            if let Some(reference) = reference.as_ref().filter(|r| r.shape != x.shape) {
                return Err(Error::invalid_argument(format!(
                    "the reference has shape {:?}, expected {:?} as x",
                    reference.shape, x.shape
                )));
            }
            let reference = reference.as_ref().map(Input::view).transpose()?;
            let name = ffi::text(rule, "the rule's name")?;
            let rule = known_rule(name, parameter, reference, &plugin.rules())?;
            let (x, dy) = (x.view()?, dy.view()?);
            let pullback = plugin.modified_vjp(ctx, x, dy, rule, wrt, places.want_activation())?;
            places.fill(pullback, x, wrt)
        })
    }
}

fn known_rule<'a>(
    name: &str,
    parameter: f64,
    reference: Option<TensorRef<'a>>,
    known: &[String],
) -> Result<BackwardRule<'a>> {
    if !known.iter().any(|rule| rule == name) {
        return Err(Error::unimplemented(format!(
            "no backward rule `{name}`; rules: {}",
            known.join(", ")
        )));
    }
    if !(parameter.is_finite() && parameter >= 0.0) {
        return Err(Error::invalid_argument(format!(
            "the rule `{name}` has the parameter {parameter}, which must be a finite number of at \
             least 0"
        )));
    }
    BackwardRule::from_parts(name, parameter, reference)
        .ok_or_else(|| Error::invalid_argument(format!("the rule `{name}` needs a reference")))
}
