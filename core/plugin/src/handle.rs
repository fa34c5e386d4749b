//! The model, as an explainer sees it: the host's proxy, which counts and limits what is asked of it.
#![expect(unsafe_code, reason = "calls the functions of the host's xb_object")]

mod inner;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use xbench_abi as abi;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::ffi::{self, Borrowed, Received};
use crate::model::{LayerSpec, LinearHead, ModelSpec, OutputKind, Wrt};
use crate::tensor::{Tensor, TensorRef};
use crate::trees::TreeEnsemble;

/// A result that lies in the model's memory, row-major and compact; freed on drop.
#[derive(Debug)]
pub struct OwnedTensor(Received<f32>);

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

/// A table of functions of version 1; it begins with its size.
///
/// # Safety
/// The type must be `repr(C)` and begin with a `u32` that holds its size.
unsafe trait Table: Sized {
    const ID: &'static CStr;
}

macro_rules! tables {
    ($($type:ident $id:ident;)+) => {$(
        // SAFETY: the contract's structs begin with struct_size.
        unsafe impl Table for abi::$type {
            const ID: &'static CStr = abi::$id;
        }
    )+};
}

tables! {
    xb_predict XB_EXT_PREDICT;
    xb_layers XB_EXT_LAYERS;
    xb_vjp XB_EXT_VJP;
    xb_linear XB_EXT_LINEAR;
    xb_segment XB_EXT_SEGMENT;
    xb_trees XB_EXT_TREES;
    xb_modified_vjp XB_EXT_MODIFIED_VJP;
    xb_forward_from XB_EXT_FORWARD_FROM;
    xb_biases XB_EXT_BIASES;
}

/// The model that is explained. What it cannot do is answered with `Unimplemented`.
#[derive(Debug)]
pub struct ModelHandle<'m> {
    object: &'m abi::xb_object,
    spec: ModelSpec,
    predict: &'m abi::xb_predict,
    layers: OnceCell<Option<&'m abi::xb_layers>>,
    vjp: OnceCell<Option<&'m abi::xb_vjp>>,
    linear: OnceCell<Option<&'m abi::xb_linear>>,
    segment: OnceCell<Option<&'m abi::xb_segment>>,
    trees: OnceCell<Option<&'m abi::xb_trees>>,
    modified_vjp: OnceCell<Option<&'m abi::xb_modified_vjp>>,
    forward_from: OnceCell<Option<&'m abi::xb_forward_from>>,
    biases: OnceCell<Option<&'m abi::xb_biases>>,
}

impl<'m> ModelHandle<'m> {
    /// # Safety
    /// When not null and aligned, `object` must point to a model that keeps the contract and stays
    /// valid for the lifetime.
    pub(crate) unsafe fn from_raw(object: *const abi::xb_object) -> Result<Self> {
        if object.is_null() || !object.is_aligned() {
            return Err(Error::invalid_argument("the model is null or misaligned"));
        }
        // SAFETY: the first field is there in every version.
        let size = unsafe { (&raw const (*object).struct_size).read() };
        if !abi::has_field!(size, abi::xb_object, destroy) {
            return Err(Error::invalid_argument(
                "the model is made for an older contract",
            ));
        }
        // SAFETY: valid by the caller's promise, and as long as this version of it.
        let object = unsafe { &*object };
        // SAFETY: an object that keeps the contract.
        let predict = unsafe { table::<abi::xb_predict>(object) }
            .ok_or_else(|| missing(abi::xb_predict::ID))?;
        // SAFETY: as above.
        let spec = unsafe { read_spec(predict) }?;
        Ok(Self {
            object,
            spec,
            predict,
            layers: OnceCell::new(),
            vjp: OnceCell::new(),
            linear: OnceCell::new(),
            segment: OnceCell::new(),
            trees: OnceCell::new(),
            modified_vjp: OnceCell::new(),
            forward_from: OnceCell::new(),
            biases: OnceCell::new(),
        })
    }

    /// What goes in and what comes out.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Can the model do this? For methods that take either of two ways; see
    /// [`capability`](crate::capability).
    #[must_use]
    pub fn provides(&self, capability: &CStr) -> bool {
        self.object.get_extension.is_some_and(|get| {
            // SAFETY: an object that keeps the contract, and a NUL-terminated id.
            !unsafe { get(self.object, capability.as_ptr()) }.is_null()
        })
    }

    /// Fills `outputs`, `[n, outputs]` in row-major order, for `x`, `[n, input...]`.
    ///
    /// # Errors
    /// When the shapes are wrong, the model fails, or the host wants to stop.
    pub fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        self.check_input(x)?;
        if Some(outputs.len()) != x.rows().checked_mul(self.spec.outputs) {
            return Err(Error::invalid_argument(format!(
                "predict: {} places for the outputs of {} rows with {} outputs",
                outputs.len(),
                x.rows(),
                self.spec.outputs
            )));
        }
        let run = self
            .predict
            .run
            .ok_or_else(|| missing(abi::xb_predict::ID))?;
        let input = Borrowed::shared(x.shape(), x.data());
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
        check(status, "the model's predict")
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
            .ok_or_else(|| missing(abi::xb_layers::ID))?;
        let name = c_string(layer)?;
        let input = Borrowed::shared(x.shape(), x.data());
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
        check(status, "the model's activation")?;
        // SAFETY: success hands the result over.
        let value = OwnedTensor(unsafe { Received::take(out, "activation") }?);
        check_rows("activation", &value, x.rows())?;
        Ok(value)
    }

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
        self.check_input(x)?;
        if output_gradient.shape() != [x.rows(), self.spec.outputs] {
            return Err(Error::invalid_argument(format!(
                "vjp: the output gradient has shape {:?}, expected [{}, {}]",
                output_gradient.shape(),
                x.rows(),
                self.spec.outputs
            )));
        }
        let run = self
            .table(&self.vjp)?
            .run
            .ok_or_else(|| missing(abi::xb_vjp::ID))?;
        let name = match wrt {
            Wrt::Input => None,
            Wrt::Layer(layer) => Some(c_string(layer)?),
        };
        let name = name.as_deref().map_or(std::ptr::null(), CStr::as_ptr);
        let input = Borrowed::shared(x.shape(), x.data());
        let seed = Borrowed::shared(output_gradient.shape(), output_gradient.data());
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
                name,
                place,
                &mut gradient,
            )
        };
        check(status, "the model's vjp")?;
        // SAFETY: success hands the results over.
        unsafe {
            self.take_pullback(
                "vjp",
                x,
                wrt,
                want_activation.then_some(activation),
                gradient,
            )
        }
    }

    /// The layer whose spatial mean the outputs are linear in, and the weights.
    ///
    /// # Errors
    /// `Unimplemented` when the model is not of this form.
    pub fn linear(&self, ctx: &Context<'_>) -> Result<(String, LinearHead)> {
        let table = self.table(&self.linear)?;
        let run = table.weights.ok_or_else(|| missing(abi::xb_linear::ID))?;
        // SAFETY: a table that keeps the contract.
        let layer = unsafe { ffi::text(table.layer, "the linear layer's name") }?.to_owned();
        let (mut weight, mut bias) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: an object that keeps the contract, and places that outlive the call.
        let status = unsafe { run(self.object, ctx.as_ptr(), &mut weight, &mut bias) };
        check(status, "the model's linear weights")?;
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

    /// Probability that each pixel belongs to the object, `[n, height, width]`.
    ///
    /// # Errors
    /// `Unimplemented` when the model predicts no mask.
    pub fn segment(&self, ctx: &Context<'_>, x: TensorRef<'_>) -> Result<OwnedTensor> {
        self.check_input(x)?;
        let run = self
            .table(&self.segment)?
            .run
            .ok_or_else(|| missing(abi::xb_segment::ID))?;
        let input = Borrowed::shared(x.shape(), x.data());
        let mut out = std::ptr::null_mut();
        // SAFETY: an object that keeps the contract, and arguments that outlive the call.
        let status = unsafe { run(self.object, ctx.as_ptr(), input.as_ptr(), &mut out) };
        check(status, "the model's segment")?;
        // SAFETY: success hands the result over.
        let mask = OwnedTensor(unsafe { Received::take(out, "segment") }?);
        check_rows("segment", &mask, x.rows())?;
        Ok(mask)
    }

    /// The model's trees, copied and checked.
    ///
    /// # Errors
    /// `Unimplemented` when the model has none.
    pub fn trees(&self, ctx: &Context<'_>) -> Result<TreeEnsemble> {
        let get = self
            .table(&self.trees)?
            .get
            .ok_or_else(|| missing(abi::xb_trees::ID))?;
        // SAFETY: numbers and pointers, for which zero is a value.
        let mut seen: abi::xb_tree_ensemble = unsafe { std::mem::zeroed() };
        seen.struct_size = size_of::<abi::xb_tree_ensemble>() as u32;
        // SAFETY: an object that keeps the contract, and a place that outlives the call.
        let status = unsafe { get(self.object, ctx.as_ptr(), &mut seen) };
        check(status, "the model's trees")?;
        // SAFETY: success fills the arrays; the model is not changed while it is explained.
        unsafe { TreeEnsemble::from_abi(&seen) }
    }

    fn table<T: Table>(&self, cell: &OnceCell<Option<&'m T>>) -> Result<&'m T> {
        // SAFETY: an object that keeps the contract.
        cell.get_or_init(|| unsafe { table::<T>(self.object) })
            .ok_or_else(|| missing(T::ID))
    }

    fn check_input(&self, x: TensorRef<'_>) -> Result<()> {
        if x.shape()[1..] == self.spec.input_shape[..] {
            return Ok(());
        }
        Err(Error::invalid_argument(format!(
            "x has shape {:?}, the model takes rows of shape {:?}",
            x.shape(),
            self.spec.input_shape
        )))
    }
}

fn missing(id: &CStr) -> Error {
    Error::unimplemented(format!(
        "the model does not provide {}",
        id.to_string_lossy()
    ))
}

fn check(status: abi::xb_status, function: &str) -> Result<()> {
    if status == abi::XB_OK {
        Ok(())
    } else {
        Err(Error::from_host(status, function))
    }
}

fn check_rows(what: &str, value: &OwnedTensor, rows: usize) -> Result<()> {
    if value.shape()[0] == rows {
        return Ok(());
    }
    Err(Error::internal(format!(
        "{what} has shape {:?} for {rows} rows",
        value.shape()
    )))
}

pub(crate) fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::invalid_argument(format!("{text:?} has a NUL within")))
}

/// The object's table of this type; none where it has none or a shorter one.
///
/// # Safety
/// The object must keep the contract.
unsafe fn table<T: Table>(object: &abi::xb_object) -> Option<&T> {
    let get_extension = object.get_extension?;
    // SAFETY: the object keeps the contract; ids are NUL-terminated.
    let table = unsafe { get_extension(object, T::ID.as_ptr()) }.cast::<T>();
    if table.is_null() || !table.is_aligned() {
        return None;
    }
    // SAFETY: not null, aligned, and tables begin with their size.
    let size = unsafe { table.cast::<u32>().read() } as usize;
    // SAFETY: as long as this version of it; valid as long as the object.
    (size >= size_of::<T>()).then(|| unsafe { &*table })
}

/// Extents of a shape of the contract, all positive.
///
/// # Safety
/// When not null and aligned, `shape` must point to `axes` values.
pub(crate) unsafe fn read_shape(shape: *const i64, axes: i64, what: &str) -> Result<Vec<usize>> {
    let wrong = || Error::invalid_argument(format!("{what} is out of range"));
    let axes = usize::try_from(axes)
        .ok()
        .filter(|&axes| axes <= 32)
        .ok_or_else(wrong)?;
    // SAFETY: passed on.
    let extents = unsafe { ffi::slice(shape, axes, what) }?;
    let shape = extents
        .iter()
        .map(|&extent| usize::try_from(extent).map_err(|_| wrong()))
        .collect::<Result<Vec<usize>>>()?;
    // The size of a row must be a number too.
    crate::tensor::element_count(&shape).ok_or_else(wrong)?;
    Ok(shape)
}

/// # Safety
/// The table must keep the contract.
unsafe fn read_spec(table: &abi::xb_predict) -> Result<ModelSpec> {
    // SAFETY: a table that keeps the contract: a shape of input_ndim extents and a valid string.
    let (input_shape, layout) = unsafe {
        (
            read_shape(
                table.input_shape,
                i64::from(table.input_ndim),
                "the input's shape",
            )?,
            ffi::text(table.input_layout, "the input's layout")?,
        )
    };
    let output_kind = OutputKind::from_code(table.output_kind).ok_or_else(|| {
        Error::invalid_argument(format!("unknown kind of output {}", table.output_kind))
    })?;
    let outputs = table.num_outputs as usize;
    Ok(ModelSpec {
        input_shape,
        layout: interned(layout)?,
        outputs,
        output_kind,
    })
}

/// The layout as a constant. Layouts are few words of the contract, so that each distinct one is kept
/// for good rather than making every author of a model write an owned string.
fn interned(layout: &str) -> Result<&'static CStr> {
    static KNOWN: Mutex<BTreeSet<&'static CStr>> = Mutex::new(BTreeSet::new());
    let layout = c_string(layout)?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(layout.as_c_str()) {
        return Ok(found);
    }
    let kept: &'static CStr = Box::leak(layout.into_boxed_c_str());
    known.insert(kept);
    Ok(kept)
}
