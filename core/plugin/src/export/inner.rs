//! Entry points of what reaches into a network: modified backward passes, the forward pass from a
//! layer, biases.

use std::ffi::{CStr, c_char};

use xbench_abi as abi;
use xbench_abi::{xb_call, xb_object, xb_owned, xb_status, xb_tensor};

use super::model::{check_batch, check_pullback, give, read_input, unknown_layer};
use super::object::shared;
use super::table::{Capability, Names, Table, count};
use crate::backward::BackwardRule;
use crate::error::{Error, Result};
use crate::ffi::{self, Input, Output, hand_over};
use crate::model::{self, LayerSpec, Wrt};
use crate::tensor::TensorRef;

/// Capability `xbench.model.modified_vjp/1`.
#[derive(Debug)]
pub enum ModifiedVjp {}
/// Capability `xbench.model.forward_from/1`.
#[derive(Debug)]
pub enum ForwardFrom {}
/// Capability `xbench.model.biases/1`.
#[derive(Debug)]
pub enum Biases {}

#[repr(C)]
struct ModifiedVjpTable {
    table: abi::xb_modified_vjp,
    _rules: Names,
}

impl<M: model::ModifiedVjp> Capability<M> for ModifiedVjp {
    const ID: &'static CStr = abi::XB_EXT_MODIFIED_VJP;

    fn table(plugin: &M) -> Result<Table> {
        let rules = plugin.rules();
        let rules = Names::new(rules.iter().map(String::as_str))?;
        let table = abi::xb_modified_vjp {
            struct_size: size_of::<abi::xb_modified_vjp>() as u32,
            num_rules: count(rules.pointers.len(), "the number of rules")?,
            rules: rules.pointers.as_ptr(),
            run: Some(modified_vjp::<M>),
        };
        Ok(Table::new(
            <Self as Capability<M>>::ID,
            ModifiedVjpTable {
                table,
                _rules: rules,
            },
        ))
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
            ffi::clear_place(gradient_out, "modified_vjp: the place for the gradient")?;
            let want_activation = !activation_out.is_null();
            if want_activation {
                ffi::clear_place(activation_out, "modified_vjp: the place for the activation")?;
            }
            let plugin = shared::<M>(object)?;
            let spec = plugin.spec();
            let x = read_input::<M>(spec, x)?;
            let dy = Input::<f32>::read(dy, "dy")?;
            if dy.shape != [x.shape[0], spec.outputs] {
                return Err(Error::invalid_argument(format!(
                    "dy has shape {:?}, expected [{}, {}]",
                    dy.shape, x.shape[0], spec.outputs
                )));
            }
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
            let reference = reference
                .as_ref()
                .map(|r| TensorRef::new(&r.shape, &r.data))
                .transpose()?;
            let name = ffi::text(rule, "the rule's name")?;
            let rule = known_rule(name, parameter, reference, &plugin.rules())?;
            let wrt = match wrt.is_null() {
                true => Wrt::Input,
                false => Wrt::Layer(ffi::text(wrt, "the layer's name")?),
            };
            let x_view = TensorRef::new(&x.shape, &x.data)?;
            let dy_view = TensorRef::new(&dy.shape, &dy.data)?;
            let pullback = plugin.modified_vjp(ctx, x_view, dy_view, rule, wrt, want_activation)?;
            let (gradient, activation) = check_pullback(pullback, x_view, wrt, want_activation)?;
            gradient_out.write(give(gradient));
            if let Some(activation) = activation {
                activation_out.write(give(activation));
            }
            Ok(())
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

#[repr(C)]
struct ForwardFromTable {
    table: abi::xb_forward_from,
}

impl<M: model::ForwardFrom> Capability<M> for ForwardFrom {
    const ID: &'static CStr = abi::XB_EXT_FORWARD_FROM;

    fn table(_plugin: &M) -> Result<Table> {
        let table = abi::xb_forward_from {
            struct_size: size_of::<abi::xb_forward_from>() as u32,
            reserved: 0,
            run: Some(forward_from::<M>),
        };
        Ok(Table::new(
            <Self as Capability<M>>::ID,
            ForwardFromTable { table },
        ))
    }
}

fn known_layer<'l>(layers: &'l [LayerSpec], name: &str) -> Result<&'l LayerSpec> {
    layers
        .iter()
        .find(|layer| layer.name == name)
        .ok_or_else(|| {
            let known: Vec<_> = layers.iter().map(|layer| layer.name.as_str()).collect();
            unknown_layer(name, &known)
        })
}

unsafe extern "C" fn forward_from<M: model::ForwardFrom>(
    object: *const xb_object,
    call: *const xb_call,
    layer: *const c_char,
    value: *const xb_tensor,
    y: *mut xb_tensor,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "forward_from", |ctx| {
            let plugin = shared::<M>(object)?;
            let name = ffi::text(layer, "the layer's name")?;
            let layer = known_layer(plugin.layers(), name)?;
            let value = Input::<f32>::read(value, "value")?;
            if value.shape[1..] != layer.shape[..] {
                return Err(Error::invalid_argument(format!(
                    "value has shape {:?}, expected rows of shape {:?} as `{name}` has them",
                    value.shape, layer.shape
                )));
            }
            check_batch(value.shape[0], M::META.max_batch)?;
            let outputs = plugin.spec().outputs;
            let mut y = Output::<f32>::read(y, "y")?;
            if y.shape() != [value.shape[0], outputs] {
                return Err(Error::invalid_argument(format!(
                    "y has shape {:?}, expected [{}, {outputs}]",
                    y.shape(),
                    value.shape[0]
                )));
            }
            if value.shape[0] > 0 {
                let value = TensorRef::new(&value.shape, &value.data)?;
                plugin.forward_from(ctx, name, value, y.slice())?;
                y.finish();
            }
            Ok(())
        })
    }
}

#[repr(C)]
struct BiasesTable {
    table: abi::xb_biases,
}

impl<M: model::Biases> Capability<M> for Biases {
    const ID: &'static CStr = abi::XB_EXT_BIASES;

    fn table(_plugin: &M) -> Result<Table> {
        let table = abi::xb_biases {
            struct_size: size_of::<abi::xb_biases>() as u32,
            reserved: 0,
            get: Some(biases::<M>),
        };
        Ok(Table::new(
            <Self as Capability<M>>::ID,
            BiasesTable { table },
        ))
    }
}

unsafe extern "C" fn biases<M: model::Biases>(
    object: *const xb_object,
    call: *const xb_call,
    layer: *const c_char,
    out: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "biases", |ctx| {
            ffi::clear_place(out, "biases: the place for the bias")?;
            let plugin = shared::<M>(object)?;
            let name = ffi::text(layer, "the layer's name")?;
            let layer = known_layer(plugin.layers(), name)?;
            if let Some(bias) = plugin.biases(ctx, name)? {
                if Some(&bias.len()) != layer.shape.first() {
                    return Err(Error::internal(format!(
                        "biases: {} values for `{name}` of shape {:?}",
                        bias.len(),
                        layer.shape
                    )));
                }
                out.write(hand_over(&[bias.len()], bias));
            }
            Ok(())
        })
    }
}
