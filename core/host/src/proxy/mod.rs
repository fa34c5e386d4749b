//! The model as an explainer sees it.
//!
//! The explainer holds an object of the host's, with the contract's own tables, whose functions
//! forward to the model. So the host counts every row, cuts batches to memory, grants capabilities
//! one by one, and stops even an explainer that never looks at its deadline, as soon as it next
//! needs the model.

#![expect(unsafe_code, reason = "serves the contract's tables of functions")]

mod inner;
mod shift;

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::thread::ThreadId;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use xbench_abi::{
    DLDataType, XB_CANCELLED, XB_DEADLINE_EXCEEDED, XB_EXT_BIASES, XB_EXT_FORWARD_FROM,
    XB_EXT_LAYERS, XB_EXT_LINEAR, XB_EXT_MODIFIED_VJP, XB_EXT_PREDICT, XB_EXT_SEGMENT,
    XB_EXT_TREES, XB_EXT_VJP, XB_INTERNAL, XB_INVALID_ARGUMENT, XB_MODEL, XB_OK, XB_UNIMPLEMENTED,
    has_field, xb_biases, xb_call, xb_forward_from, xb_layers, xb_linear, xb_modified_vjp,
    xb_object, xb_owned, xb_predict, xb_segment, xb_status, xb_tensor, xb_tree_ensemble, xb_trees,
    xb_vjp,
};

use self::shift::Shift;
use crate::call::{CallFrame, deadline_ns, set_error};
use crate::error::{Fault, PluginErrorKind};
use crate::model::LoadedModel;
use crate::tensor::check;

/// How a [`ModelProxy`] treats its explainer.
#[derive(Debug, Clone, Default)]
pub struct ProxyOptions {
    /// Most rows handed to the model at once, beside the model's own limit; 0 for no limit.
    pub max_rows: usize,
    /// Ids of the capabilities that the explainer may use; `None` for all that the model has.
    pub granted: Option<Vec<String>>,
    /// When the model is no longer called.
    pub deadline: Option<Instant>,
    /// Taken from every value of the inputs before the model sees them, references of modified
    /// gradients among them: with c here the explainer meets f₂(x′) = f(x′ − c). Thresholds of
    /// trees move along; layers, their biases and the rules of modified gradients are the model's
    /// own. Rows of the batch and of its background are for the caller to move. 0 changes nothing,
    /// bit for bit.
    pub shift: f32,
}

/// What an explainer asked of the model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows of forward passes: predictions, activations, and the first half of each gradient.
    pub forward_rows: u64,
    /// Rows of backward passes.
    pub backward_rows: u64,
    /// Wall time in the model, in seconds.
    pub model_seconds: f64,
}

/// The model as an explainer sees it: counted, cut, and stopped at the deadline.
///
/// It grants `predict`, `layers`, `vjp`, `modified_vjp`, `forward_from`, `biases`, `linear`,
/// `segment` and `trees`; what would change the model is never granted.
#[derive(Debug)]
pub struct ModelProxy<'m> {
    state: NonNull<State<'m>>,
}

#[derive(Debug)]
struct State<'m> {
    object: xb_object,
    model: &'m LoadedModel,
    thread: ThreadId,
    max_rows: usize,
    deadline_ns: i64,
    shift: Shift,
    predict: Option<xb_predict>,
    layers: Option<xb_layers>,
    vjp: Option<xb_vjp>,
    linear: Option<xb_linear>,
    segment: Option<xb_segment>,
    trees: Option<xb_trees>,
    modified_vjp: Option<xb_modified_vjp>,
    forward_from: Option<xb_forward_from>,
    biases: Option<xb_biases>,
    counts: Cell<Counts>,
    /// The first failure since the explainer was last called.
    fault: RefCell<Option<Fault>>,
}

impl<'m> ModelProxy<'m> {
    /// A proxy of `model`, for use on this thread.
    #[must_use]
    pub fn new(model: &'m LoadedModel, options: &ProxyOptions) -> Self {
        let granted = |id: &CStr| {
            let all = || options.granted.as_deref();
            all().is_none_or(|ids| {
                ids.iter()
                    .any(|granted| granted.as_bytes() == id.to_bytes())
            })
        };
        let tables = model.tables();
        // SAFETY: the model's tables were checked when it was made, and it outlives the proxy. The
        // descriptions in them are passed on, the functions are replaced.
        let (predict, layers, vjp, linear) = unsafe {
            let predict = tables.predict.as_ref();
            (
                granted(XB_EXT_PREDICT).then_some(xb_predict {
                    struct_size: size_of::<xb_predict>() as u32,
                    run: Some(on_predict),
                    ..*predict
                }),
                tables
                    .layers
                    .filter(|_| granted(XB_EXT_LAYERS))
                    .map(|table| xb_layers {
                        struct_size: size_of::<xb_layers>() as u32,
                        activation: Some(on_activation),
                        ..*table.as_ptr()
                    }),
                tables.vjp.filter(|_| granted(XB_EXT_VJP)).map(|_| xb_vjp {
                    struct_size: size_of::<xb_vjp>() as u32,
                    reserved: 0,
                    run: Some(on_vjp),
                }),
                tables
                    .linear
                    .filter(|_| granted(XB_EXT_LINEAR))
                    .map(|table| xb_linear {
                        struct_size: size_of::<xb_linear>() as u32,
                        weights: Some(on_weights),
                        ..*table.as_ptr()
                    }),
            )
        };
        let segment = tables
            .segment
            .filter(|_| granted(XB_EXT_SEGMENT))
            .map(|_| xb_segment {
                struct_size: size_of::<xb_segment>() as u32,
                reserved: 0,
                run: Some(on_segment),
            });
        let trees = tables
            .trees
            .filter(|_| granted(XB_EXT_TREES))
            .map(|_| xb_trees {
                struct_size: size_of::<xb_trees>() as u32,
                reserved: 0,
                get: Some(on_trees),
            });
        // SAFETY: as above; the rules' names are passed on.
        let modified_vjp = tables
            .modified_vjp
            .filter(|_| granted(XB_EXT_MODIFIED_VJP))
            .map(|table| unsafe { inner::modified_vjp(table) });
        let forward_from = tables
            .forward_from
            .filter(|_| granted(XB_EXT_FORWARD_FROM))
            .map(|_| inner::forward_from());
        let biases = tables
            .biases
            .filter(|_| granted(XB_EXT_BIASES))
            .map(|_| inner::biases());
        let state = Box::into_raw(Box::new(State {
            object: xb_object {
                struct_size: size_of::<xb_object>() as u32,
                kind: XB_MODEL,
                self_: std::ptr::null_mut(),
                get_extension: Some(on_get_extension),
                destroy: Some(on_destroy),
            },
            model,
            thread: std::thread::current().id(),
            max_rows: options.max_rows,
            deadline_ns: deadline_ns(options.deadline),
            shift: Shift::new(options.shift),
            predict,
            layers,
            vjp,
            linear,
            segment,
            trees,
            modified_vjp,
            forward_from,
            biases,
            counts: Cell::default(),
            fault: RefCell::new(None),
        }));
        // SAFETY: just made.
        let state = unsafe {
            (*state).object.self_ = state.cast();
            NonNull::new_unchecked(state)
        };
        Self { state }
    }

    fn state(&self) -> &State<'m> {
        // SAFETY: made in `new`, freed in `drop`, and never borrowed mutably between.
        unsafe { self.state.as_ref() }
    }

    /// The model behind the proxy.
    #[must_use]
    pub fn model(&self) -> &'m LoadedModel {
        self.state().model
    }

    /// What was asked of the model since the proxy was made or last reset.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().counts.get()
    }

    /// Begins counting anew; returns what was counted so far.
    pub fn reset_counts(&self) -> Counts {
        self.state().counts.take()
    }

    pub(crate) fn raw(&self) -> *const xb_object {
        // SAFETY: as in `state`; the object is a field of it.
        unsafe { &raw const (*self.state.as_ptr()).object }
    }

    pub(crate) fn forget_fault(&self) {
        self.state().fault.take();
    }

    pub(crate) fn take_fault(&self) -> Option<Fault> {
        self.state().fault.take()
    }
}

impl Drop for ModelProxy<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `Box::into_raw` in `new`, freed once.
        unsafe { drop(Box::from_raw(self.state.as_ptr())) };
    }
}

impl State<'_> {
    fn count(&self, forward: usize, backward: usize) {
        let mut counts = self.counts.get();
        counts.forward_rows += forward as u64;
        counts.backward_rows += backward as u64;
        self.counts.set(counts);
    }

    /// Rows of an explainer's tensor, if its shape is `[n, inner...]`.
    ///
    /// # Safety
    ///
    /// `tensor` is as the contract describes it.
    unsafe fn rows(
        &self,
        what: &str,
        tensor: *const xb_tensor,
        inner: &[usize],
    ) -> Result<usize, Fault> {
        // SAFETY: by this function's contract.
        let shape = unsafe { check(what, tensor, DLDataType::F32) }
            .map_err(|fault| Fault::request(fault.message))?;
        if shape[1..] != *inner {
            return Err(Fault::request(format!(
                "{what}: expected rows of shape {inner:?}, found {shape:?}"
            )));
        }
        Ok(shape[0])
    }
}

/// Runs one function of a table: checks who calls, keeps the time, and reports failure.
///
/// # Safety
///
/// `object` is null or a living proxy's; `call` is null or a living call.
unsafe fn serve(
    object: *const xb_object,
    call: *const xb_call,
    work: impl FnOnce(&State<'_>, &CallFrame) -> Result<(), Fault>,
) -> xb_status {
    if object.is_null() || call.is_null() {
        return XB_INVALID_ARGUMENT;
    }
    // SAFETY: by this function's contract; a proxy's object points to its state.
    let (state, thread) = unsafe {
        let state = (*object).self_.cast::<State<'_>>();
        // Only the thread is read before it is known to be the right one.
        (state, (*state).thread)
    };
    let result = if thread == std::thread::current().id() {
        // SAFETY: as above; on the proxy's own thread nothing else holds the state mutably.
        let state = unsafe { &*state };
        let begin = Instant::now();
        // SAFETY: the explainer's call outlives this one.
        let frame = unsafe { CallFrame::nested(call, state.deadline_ns) };
        let result = catch_unwind(AssertUnwindSafe(|| {
            frame.check_deadline()?;
            work(state, &frame)
        }))
        .unwrap_or_else(|_| Err(Fault::contract("the host panicked")));
        let mut counts = state.counts.get();
        counts.model_seconds += begin.elapsed().as_secs_f64();
        state.counts.set(counts);
        result.map_err(|fault| {
            let message = format!("model {}: {}", state.model.id(), fault.message);
            let fault = Fault { message, ..fault };
            state
                .fault
                .borrow_mut()
                .get_or_insert_with(|| fault.clone());
            fault
        })
    } else {
        Err(Fault::request(
            "the model was called on another thread than the explainer's",
        ))
    };
    match result {
        Ok(()) => XB_OK,
        Err(fault) => {
            let status = status_of(&fault.kind);
            // SAFETY: the explainer's call lives.
            unsafe { set_error(call, status, &fault.message) };
            status
        }
    }
}

fn status_of(kind: &PluginErrorKind) -> xb_status {
    match kind {
        PluginErrorKind::Failed { status } => *status,
        PluginErrorKind::Unsupported { .. } => XB_UNIMPLEMENTED,
        PluginErrorKind::Deadline => XB_DEADLINE_EXCEEDED,
        PluginErrorKind::Cancelled => XB_CANCELLED,
        PluginErrorKind::Request => XB_INVALID_ARGUMENT,
        PluginErrorKind::NonFinite { .. }
        | PluginErrorKind::WrongShape
        | PluginErrorKind::Contract => XB_INTERNAL,
    }
}

unsafe extern "C" fn on_get_extension(
    object: *const xb_object,
    id: *const c_char,
) -> *const c_void {
    if object.is_null() || id.is_null() {
        return std::ptr::null();
    }
    fn pointer<T>(table: &Option<T>) -> *const c_void {
        table
            .as_ref()
            .map_or(std::ptr::null(), |table| (&raw const *table).cast())
    }
    // SAFETY: an explainer hands back the object it was given, and a NUL-terminated id; the tables
    // never change, so any thread may read them.
    unsafe {
        let state = (*object).self_.cast::<State<'_>>();
        match CStr::from_ptr(id) {
            id if id == XB_EXT_PREDICT => pointer(&(*state).predict),
            id if id == XB_EXT_LAYERS => pointer(&(*state).layers),
            id if id == XB_EXT_VJP => pointer(&(*state).vjp),
            id if id == XB_EXT_LINEAR => pointer(&(*state).linear),
            id if id == XB_EXT_SEGMENT => pointer(&(*state).segment),
            id if id == XB_EXT_TREES => pointer(&(*state).trees),
            id if id == XB_EXT_MODIFIED_VJP => pointer(&(*state).modified_vjp),
            id if id == XB_EXT_FORWARD_FROM => pointer(&(*state).forward_from),
            id if id == XB_EXT_BIASES => pointer(&(*state).biases),
            _ => std::ptr::null(),
        }
    }
}

/// The host owns the proxy; an explainer that destroys what it was lent changes nothing.
unsafe extern "C" fn on_destroy(_object: *mut xb_object) {}

unsafe extern "C" fn on_predict(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    y: *mut xb_tensor,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        let spec = state.model.spec();
        // SAFETY: the explainer's tensors are as the contract describes them, and checked.
        unsafe {
            let rows = state.rows("x", x, &spec.input_shape)?;
            let outputs = state.rows("y", y, &[spec.outputs])?;
            if rows != outputs {
                return Err(Fault::request(format!("x has {rows} rows and y {outputs}")));
            }
            state.count(rows, 0);
            let x = state.seen(x, rows);
            state
                .model
                .run_predict(frame, x.tensor(), &*y, rows, state.max_rows)
        }
    };
    // SAFETY: an explainer hands back the object and the call it was given.
    unsafe { serve(object, call, work) }
}

unsafe extern "C" fn on_activation(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    layer: *const c_char,
    out: *mut *mut xb_owned,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        if layer.is_null() || out.is_null() {
            return Err(Fault::request(
                "the layer's name or the place for its activation is null",
            ));
        }
        // SAFETY: as in `on_predict`; the name is NUL-terminated and the place writable.
        unsafe {
            let rows = state.rows("x", x, &state.model.spec().input_shape)?;
            state.count(rows, 0);
            let layer = CStr::from_ptr(layer);
            let x = state.seen(x, rows);
            let activation =
                state
                    .model
                    .run_activation(frame, x.tensor(), rows, layer, state.max_rows)?;
            *out = activation.into_raw();
        }
        Ok(())
    };
    // SAFETY: as in `on_predict`.
    unsafe { serve(object, call, work) }
}

unsafe extern "C" fn on_vjp(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    dy: *const xb_tensor,
    wrt: *const c_char,
    activation: *mut *mut xb_owned,
    gradient: *mut *mut xb_owned,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        if gradient.is_null() {
            return Err(Fault::request("the place for the gradient is null"));
        }
        let spec = state.model.spec();
        // SAFETY: as in `on_activation`.
        unsafe {
            let rows = state.rows("x", x, &spec.input_shape)?;
            let outputs = state.rows("dy", dy, &[spec.outputs])?;
            if rows != outputs {
                return Err(Fault::request(format!(
                    "x has {rows} rows and dy {outputs}"
                )));
            }
            state.count(rows, rows);
            let layer = (!wrt.is_null()).then(|| CStr::from_ptr(wrt));
            let wanted = !activation.is_null();
            let x = state.seen(x, rows);
            let tensors = (x.tensor(), &*dy);
            let pulled =
                state
                    .model
                    .run_vjp(frame, tensors, rows, layer, wanted, state.max_rows)?;
            if let Some(value) = pulled.activation {
                *activation = value.into_raw();
            }
            *gradient = pulled.gradient.into_raw();
        }
        Ok(())
    };
    // SAFETY: as in `on_predict`.
    unsafe { serve(object, call, work) }
}

unsafe extern "C" fn on_weights(
    object: *const xb_object,
    call: *const xb_call,
    weight: *mut *mut xb_owned,
    bias: *mut *mut xb_owned,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        if weight.is_null() || bias.is_null() {
            return Err(Fault::request("the place for the weights is null"));
        }
        let head = state.model.run_linear(frame)?;
        // SAFETY: checked not to be null, and the explainer's to be written.
        unsafe {
            *weight = head.weight.into_raw();
            *bias = head
                .bias
                .map_or(std::ptr::null_mut(), |bias| bias.into_raw());
        }
        Ok(())
    };
    // SAFETY: as in `on_predict`.
    unsafe { serve(object, call, work) }
}

unsafe extern "C" fn on_segment(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    out: *mut *mut xb_owned,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        if out.is_null() {
            return Err(Fault::request("the place for the mask is null"));
        }
        // SAFETY: as in `on_predict`; the place is writable.
        unsafe {
            let rows = state.rows("x", x, &state.model.spec().input_shape)?;
            state.count(rows, 0);
            let x = state.seen(x, rows);
            let mask = state
                .model
                .run_segment(frame, x.tensor(), rows, state.max_rows)?;
            *out = mask.into_raw();
        }
        Ok(())
    };
    // SAFETY: as in `on_predict`.
    unsafe { serve(object, call, work) }
}

unsafe extern "C" fn on_trees(
    object: *const xb_object,
    call: *const xb_call,
    out: *mut xb_tree_ensemble,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        // SAFETY: the explainer's place is null or as the contract describes it; the size is first.
        unsafe {
            if out.is_null()
                || !has_field!(
                    (&raw const (*out).struct_size).read(),
                    xb_tree_ensemble,
                    value
                )
            {
                return Err(Fault::request(
                    "the place for the trees is null or too small",
                ));
            }
            // The explainer reads the model's own arrays; its SDK checks them.
            let struct_size = (&raw const (*out).struct_size).read();
            *out = xb_tree_ensemble {
                struct_size,
                ..state.shifted_trees(state.model.run_trees(frame)?)?
            };
        }
        Ok(())
    };
    // SAFETY: as in `on_predict`.
    unsafe { serve(object, call, work) }
}

/// The proxy's tables hold all that revision 1 has.
const _: () = assert!(has_field!(size_of::<xb_predict>(), xb_predict, run));
