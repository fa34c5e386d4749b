//! Entry points of what a model can compute: predict, layers, vjp, linear.

use std::ffi::{CStr, CString, c_char};

use xbench_abi as abi;
use xbench_abi::{xb_call, xb_object, xb_owned, xb_status, xb_tensor};

use super::object::shared;
use super::table::{Capability, Names, Table, count, extents};
use crate::error::{Error, Result};
use crate::ffi::{self, Input, Output, hand_over};
use crate::handle::c_string;
use crate::model::{self, LinearHead, Model, ModelSpec, Pullback, Wrt};
use crate::params;
use crate::tensor::{Tensor, TensorRef};

/// Capability `xbench.model.predict/1`.
#[derive(Debug)]
pub enum Predict {}
/// Capability `xbench.model.layers/1`.
#[derive(Debug)]
pub enum Layers {}
/// Capability `xbench.model.vjp/1`.
#[derive(Debug)]
pub enum Vjp {}
/// Capability `xbench.model.linear/1`.
#[derive(Debug)]
pub enum Linear {}
/// Capability `xbench.model.segment/1`.
#[derive(Debug)]
pub enum Segment {}
/// Capability `xbench.model.trees/1`.
#[derive(Debug)]
pub enum Trees {}

#[repr(C)]
struct PredictTable {
    table: abi::xb_predict,
    _shape: Vec<i64>,
}

impl<M: Model> Capability<M> for Predict {
    const ID: &'static CStr = abi::XB_EXT_PREDICT;

    fn table(plugin: &M) -> Result<Table> {
        let spec = plugin.spec();
        let shape = extents(&spec.input_shape, "the input")?;
        let table = abi::xb_predict {
            struct_size: size_of::<abi::xb_predict>() as u32,
            num_outputs: count(spec.outputs, "the number of outputs")?,
            input_ndim: shape.len() as i32,
            output_kind: spec.output_kind.code(),
            input_shape: shape.as_ptr(),
            input_layout: spec.layout.as_ptr(),
            run: Some(predict::<M>),
        };
        Ok(Table::new(
            <Self as Capability<M>>::ID,
            PredictTable {
                table,
                _shape: shape,
            },
        ))
    }
}

/// Reads `x` and checks it against what the model takes.
///
/// # Safety
/// When not null, `x` must keep the contract and outlive the result.
pub(super) unsafe fn read_input<'x, M: Model>(
    spec: &ModelSpec,
    x: *const xb_tensor,
) -> Result<Input<'x, f32>> {
    // SAFETY: passed on.
    let x = unsafe { Input::read(x, "x") }?;
    if x.shape[1..] != spec.input_shape[..] {
        return Err(Error::invalid_argument(format!(
            "x has shape {:?}, expected [n, ...] with rows of shape {:?}",
            x.shape, spec.input_shape
        )));
    }
    check_batch(x.shape[0], M::META.max_batch)?;
    Ok(x)
}

pub(super) fn check_batch(rows: usize, limit: u32) -> Result<()> {
    if limit != 0 && rows > limit as usize {
        return Err(Error::invalid_argument(format!(
            "{rows} rows in one call, this plugin takes at most {limit}"
        )));
    }
    Ok(())
}

unsafe extern "C" fn predict<M: Model>(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    y: *mut xb_tensor,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "predict", |ctx| {
            let plugin = shared::<M>(object)?;
            let spec = plugin.spec();
            let x = read_input::<M>(spec, x)?;
            let mut y = Output::<f32>::read(y, "y")?;
            if y.shape() != [x.shape[0], spec.outputs] {
                return Err(Error::invalid_argument(format!(
                    "y has shape {:?}, expected [{}, {}]",
                    y.shape(),
                    x.shape[0],
                    spec.outputs
                )));
            }
            if x.shape[0] > 0 {
                plugin.predict(ctx, TensorRef::new(&x.shape, &x.data)?, y.slice())?;
                y.finish();
            }
            Ok(())
        })
    }
}

#[repr(C)]
struct LayersTable {
    table: abi::xb_layers,
    _layers: Vec<abi::xb_layer>,
    _names: Names,
    _ops: Names,
    _shapes: Vec<Vec<i64>>,
}

impl<M: model::Layers> Capability<M> for Layers {
    const ID: &'static CStr = abi::XB_EXT_LAYERS;

    fn table(plugin: &M) -> Result<Table> {
        let specs = plugin.layers();
        let names = Names::new(specs.iter().map(|layer| layer.name.as_str()))?;
        let ops = Names::new(specs.iter().map(|layer| layer.op.as_str()))?;
        let shapes = specs
            .iter()
            .map(|layer| extents(&layer.shape, &layer.name))
            .collect::<Result<Vec<_>>>()?;
        let layers: Vec<_> = names
            .pointers
            .iter()
            .zip(&ops.pointers)
            .zip(&shapes)
            .map(|((&name, &op), shape)| abi::xb_layer {
                name,
                op,
                ndim: shape.len() as i64,
                shape: shape.as_ptr(),
            })
            .collect();
        let table = abi::xb_layers {
            struct_size: size_of::<abi::xb_layers>() as u32,
            num_layers: count(layers.len(), "the number of layers")?,
            layers: layers.as_ptr(),
            activation: Some(activation::<M>),
        };
        let (_layers, _names, _ops, _shapes) = (layers, names, ops, shapes);
        let whole = LayersTable {
            table,
            _layers,
            _names,
            _ops,
            _shapes,
        };
        Ok(Table::new(<Self as Capability<M>>::ID, whole))
    }
}

pub(super) fn unknown_layer(name: &str, known: &[&str]) -> Error {
    Error::not_found(format!(
        "no layer `{name}`{}; layers: {}",
        params::suggestion(name, known),
        known.join(", ")
    ))
}

unsafe extern "C" fn activation<M: model::Layers>(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    layer: *const c_char,
    out: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "activation", |ctx| {
            ffi::clear_place(out, "activation: the place for the result")?;
            let plugin = shared::<M>(object)?;
            let x = read_input::<M>(plugin.spec(), x)?;
            let name = ffi::text(layer, "the layer's name")?;
            let spec = plugin
                .layers()
                .iter()
                .find(|spec| spec.name == name)
                .ok_or_else(|| {
                    let known: Vec<_> = plugin.layers().iter().map(|l| l.name.as_str()).collect();
                    unknown_layer(name, &known)
                })?;
            let value = plugin.activation(ctx, TensorRef::new(&x.shape, &x.data)?, name)?;
            if value.rows() != x.shape[0] || value.shape()[1..] != spec.shape[..] {
                return Err(Error::internal(format!(
                    "the activation of `{name}` has shape {:?}, expected [{}, ...] with rows of \
                     shape {:?}",
                    value.shape(),
                    x.shape[0],
                    spec.shape
                )));
            }
            out.write(give(value));
            Ok(())
        })
    }
}

pub(super) fn give(tensor: Tensor) -> *mut xb_owned {
    let (shape, data) = tensor.into_parts();
    hand_over(&shape, data)
}

#[repr(C)]
struct VjpTable {
    table: abi::xb_vjp,
}

impl<M: model::Vjp> Capability<M> for Vjp {
    const ID: &'static CStr = abi::XB_EXT_VJP;

    fn table(_plugin: &M) -> Result<Table> {
        let table = abi::xb_vjp {
            struct_size: size_of::<abi::xb_vjp>() as u32,
            reserved: 0,
            run: Some(vjp::<M>),
        };
        Ok(Table::new(<Self as Capability<M>>::ID, VjpTable { table }))
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
            ffi::clear_place(gradient_out, "vjp: the place for the gradient")?;
            let want_activation = !activation_out.is_null();
            if want_activation {
                ffi::clear_place(activation_out, "vjp: the place for the activation")?;
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
            let wrt = match wrt.is_null() {
                true => Wrt::Input,
                false => Wrt::Layer(ffi::text(wrt, "the layer's name")?),
            };
            let x_view = TensorRef::new(&x.shape, &x.data)?;
            let dy_view = TensorRef::new(&dy.shape, &dy.data)?;
            let pullback = plugin.vjp(ctx, x_view, dy_view, wrt, want_activation)?;
            let (gradient, activation) = check_pullback(pullback, x_view, wrt, want_activation)?;
            gradient_out.write(give(gradient));
            if let Some(activation) = activation {
                activation_out.write(give(activation));
            }
            Ok(())
        })
    }
}

/// Gradient, and the activation where it is wanted, both of the right shape.
pub(super) fn check_pullback(
    pullback: Pullback,
    x: TensorRef<'_>,
    wrt: Wrt<'_>,
    want_activation: bool,
) -> Result<(Tensor, Option<Tensor>)> {
    let gradient = pullback.gradient;
    if gradient.rows() != x.rows() || (wrt == Wrt::Input && gradient.shape() != x.shape()) {
        return Err(Error::internal(format!(
            "vjp: the gradient has shape {:?} for x of shape {:?}",
            gradient.shape(),
            x.shape()
        )));
    }
    if !want_activation {
        return Ok((gradient, None));
    }
    let activation = match (pullback.activation, wrt) {
        (Some(activation), _) => activation,
        (None, Wrt::Input) => x.to_tensor(),
        (None, Wrt::Layer(layer)) => {
            return Err(Error::internal(format!(
                "vjp: no activation of `{layer}` was given"
            )));
        }
    };
    if activation.shape() != gradient.shape() {
        return Err(Error::internal(format!(
            "vjp: the activation has shape {:?}, the gradient {:?}",
            activation.shape(),
            gradient.shape()
        )));
    }
    Ok((gradient, Some(activation)))
}

#[repr(C)]
struct LinearTable {
    table: abi::xb_linear,
    _layer: CString,
}

impl<M: model::Linear> Capability<M> for Linear {
    const ID: &'static CStr = abi::XB_EXT_LINEAR;

    fn table(plugin: &M) -> Result<Table> {
        let layer = c_string(plugin.layer())?;
        let table = abi::xb_linear {
            struct_size: size_of::<abi::xb_linear>() as u32,
            num_features: count(plugin.num_features(), "the number of features")?,
            layer: layer.as_ptr(),
            weights: Some(linear::<M>),
        };
        Ok(Table::new(
            <Self as Capability<M>>::ID,
            LinearTable {
                table,
                _layer: layer,
            },
        ))
    }
}

unsafe extern "C" fn linear<M: model::Linear>(
    object: *const xb_object,
    call: *const xb_call,
    weight_out: *mut *mut xb_owned,
    bias_out: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "linear", |ctx| {
            ffi::clear_place(weight_out, "linear: the place for the weight")?;
            ffi::clear_place(bias_out, "linear: the place for the bias")?;
            let plugin = shared::<M>(object)?;
            let LinearHead { weight, bias } = plugin.head(ctx)?;
            let (outputs, features) = (plugin.spec().outputs, plugin.num_features());
            let bias_len = bias.as_ref().map_or(outputs, Vec::len);
            if weight.shape() != [outputs, features] || bias_len != outputs {
                return Err(Error::internal(format!(
                    "linear: weight of shape {:?} and bias of length {bias_len}, expected \
                     [{outputs}, {features}]",
                    weight.shape()
                )));
            }
            weight_out.write(give(weight));
            if let Some(bias) = bias {
                bias_out.write(hand_over(&[outputs], bias));
            }
            Ok(())
        })
    }
}

#[repr(C)]
struct SegmentTable {
    table: abi::xb_segment,
}

impl<M: model::Segment> Capability<M> for Segment {
    const ID: &'static CStr = abi::XB_EXT_SEGMENT;

    fn table(_plugin: &M) -> Result<Table> {
        let table = abi::xb_segment {
            struct_size: size_of::<abi::xb_segment>() as u32,
            reserved: 0,
            run: Some(segment::<M>),
        };
        Ok(Table::new(
            <Self as Capability<M>>::ID,
            SegmentTable { table },
        ))
    }
}

unsafe extern "C" fn segment<M: model::Segment>(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    out: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "segment", |ctx| {
            ffi::clear_place(out, "segment: the place for the mask")?;
            let plugin = shared::<M>(object)?;
            let x = read_input::<M>(plugin.spec(), x)?;
            let mask = plugin.segment(ctx, TensorRef::new(&x.shape, &x.data)?)?;
            let expected = [x.shape.first(), x.shape.get(2), x.shape.get(3)];
            if !mask.shape().iter().map(Some).eq(expected) {
                return Err(Error::internal(format!(
                    "segment: the mask has shape {:?} for images of shape {:?}",
                    mask.shape(),
                    x.shape
                )));
            }
            out.write(give(mask));
            Ok(())
        })
    }
}

#[repr(C)]
struct TreesTable {
    table: abi::xb_trees,
}

impl<M: model::Trees> Capability<M> for Trees {
    const ID: &'static CStr = abi::XB_EXT_TREES;

    fn table(_plugin: &M) -> Result<Table> {
        let table = abi::xb_trees {
            struct_size: size_of::<abi::xb_trees>() as u32,
            reserved: 0,
            get: Some(trees::<M>),
        };
        Ok(Table::new(
            <Self as Capability<M>>::ID,
            TreesTable { table },
        ))
    }
}

unsafe extern "C" fn trees<M: model::Trees>(
    object: *const xb_object,
    call: *const xb_call,
    out: *mut abi::xb_tree_ensemble,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "trees", |_| {
            if out.is_null() || !out.is_aligned() {
                return Err(Error::invalid_argument("the place for the trees is null"));
            }
            let size = (&raw const (*out).struct_size).read();
            if !abi::has_field!(size, abi::xb_tree_ensemble, value) {
                return Err(Error::invalid_argument(
                    "the place for the trees is made for an older contract",
                ));
            }
            let plugin = shared::<M>(object)?;
            let trees = plugin.trees();
            trees.check()?;
            // The arrays are the plugin's own: they stay where they are until it is changed.
            out.write(abi::xb_tree_ensemble {
                struct_size: size,
                num_features: count(trees.num_features, "the number of features")?,
                num_outputs: count(trees.num_outputs, "the number of outputs")?,
                num_trees: count(trees.roots.len(), "the number of trees")?,
                num_nodes: count(trees.num_nodes(), "the number of nodes")?,
                leaf_values: count(trees.leaf_values(), "the values of a leaf")?,
                strict: u32::from(trees.strict),
                reserved: 0,
                base: trees.base.as_ptr(),
                roots: trees.roots.as_ptr(),
                tree_output: trees.tree_output.as_ptr(),
                feature: trees.feature.as_ptr(),
                threshold: trees.threshold.as_ptr(),
                left: trees.left.as_ptr(),
                right: trees.right.as_ptr(),
                default_left: trees.default_left.as_ptr(),
                cover: trees.cover.as_ptr(),
                gain: trees.gain.as_ptr(),
                value: trees.value.as_ptr(),
            });
            Ok(())
        })
    }
}
