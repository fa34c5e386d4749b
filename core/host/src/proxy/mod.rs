//! The model as an explainer sees it.
//!
//! The explainer holds an object of the host's, with the contract's own tables, whose functions
//! forward to the model. So the host counts every row, cuts batches to memory, grants capabilities
//! one by one, and stops even an explainer that never looks at its deadline, as soon as it next
//! needs the model.

#![expect(unsafe_code, reason = "an object of the contract")]

mod backward;
mod facts;
mod forward;
mod serve;
mod shift;
mod tables;

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::NonNull;
use std::thread::ThreadId;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use xbench_abi::{DLDataType, XB_MODEL, xb_object, xb_tensor};

use self::shift::Shift;
use self::tables::Tables;
use crate::call::deadline_ns;
use crate::error::Fault;
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
    tables: Tables,
    counts: Cell<Counts>,
    /// The first failure since the explainer was last called.
    fault: RefCell<Option<Fault>>,
}

impl<'m> ModelProxy<'m> {
    /// A proxy of `model`, for use on this thread.
    #[must_use]
    pub fn new(model: &'m LoadedModel, options: &ProxyOptions) -> Self {
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
            tables: Tables::new(model, options.granted.as_deref()),
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

    /// What was asked of the model since the proxy was made.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().counts.get()
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

    /// Checks that an explainer's tensor has as many rows as another, which is named too.
    ///
    /// # Safety
    ///
    /// As [`State::rows`].
    unsafe fn check_rows(
        &self,
        what: &str,
        tensor: *const xb_tensor,
        inner: &[usize],
        (other, rows): (&str, usize),
    ) -> Result<(), Fault> {
        // SAFETY: by this function's contract.
        let found = unsafe { self.rows(what, tensor, inner) }?;
        if found == rows {
            return Ok(());
        }
        Err(Fault::request(format!(
            "{other} has {rows} rows and {what} {found}"
        )))
    }
}

unsafe extern "C" fn on_get_extension(
    object: *const xb_object,
    id: *const c_char,
) -> *const c_void {
    if object.is_null() || id.is_null() {
        return std::ptr::null();
    }
    // SAFETY: an explainer hands back the object it was given, and a NUL-terminated id; the tables
    // never change, so any thread may read them.
    unsafe {
        let state = (*object).self_.cast::<State<'_>>();
        let tables = &raw const (*state).tables;
        (*tables).get(CStr::from_ptr(id))
    }
}

/// The host owns the proxy; an explainer that destroys what it was lent changes nothing.
unsafe extern "C" fn on_destroy(_object: *mut xb_object) {}
