//! One call of an explainer into the proxy: checked, timed, its failure reported.

#![expect(unsafe_code, reason = "serves the contract's tables of functions")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use xbench_abi::{
    XB_CANCELLED, XB_DEADLINE_EXCEEDED, XB_INTERNAL, XB_INVALID_ARGUMENT, XB_OK, XB_UNIMPLEMENTED,
    xb_call, xb_object, xb_status,
};

use super::State;
use crate::call::{CallFrame, set_error};
use crate::error::{Fault, PluginErrorKind};

/// Runs one function of a table: checks who calls, keeps the time, and reports failure.
///
/// # Safety
///
/// `object` is null or a living proxy's; `call` is null or a living call.
pub(super) unsafe fn serve(
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
