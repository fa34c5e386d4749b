//! The wall around every entry point: no panic crosses it, every failure leaves a text.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use xbench_abi::{XB_INVALID_ARGUMENT, XB_OK, xb_call, xb_status};

use crate::context::Context;
use crate::error::{Result, Status};

thread_local! {
    /// How many entry points of this library are on this thread's stack.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// What the hook saw last: message and place.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Replaces the panic hook, once, by one that keeps silent within entry points: what happened there
/// goes to the host as an error and must not appear on its standard error as well.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::thread::panicking() {
            return;
        }
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if DEPTH.try_with(Cell::get).unwrap_or(0) == 0 {
                return previous(info);
            }
            let place = info
                .location()
                .map(|place| format!(" at {place}"))
                .unwrap_or_default();
            let text = format!("{}{place}", payload_text(info.payload()));
            // A panic while the cell is in use would be a panic in this module.
            let _ = LAST.try_with(|last| last.try_borrow_mut().map(|mut last| *last = Some(text)));
        }));
    });
}

fn payload_text(payload: &dyn Any) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without text")
}

struct Inside;

impl Inside {
    fn enter() -> Self {
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}

/// Runs `body`; a panic becomes its text.
pub(crate) fn contained<R>(body: impl FnOnce() -> R) -> std::result::Result<R, String> {
    install_hook();
    let _inside = Inside::enter();
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let seen = LAST.with(|last| last.borrow_mut().take());
        // A panic of another thread was seen there, so that only its payload comes here.
        let text = seen.unwrap_or_else(|| payload_text(&*payload).to_owned());
        // Dropping a payload can panic again; it is small, so it is left alone.
        std::mem::forget(payload);
        text
    })
}

/// Runs one entry point: makes the context, contains panics, reports errors, returns the status.
///
/// # Safety
/// When not null, `call` must point to an `xb_call` that stays valid until this returns.
pub(crate) unsafe fn guard(
    call: *const xb_call,
    what: &str,
    body: impl FnOnce(&Context<'_>) -> Result<()>,
) -> xb_status {
    // SAFETY: passed on.
    let Some(ctx) = (unsafe { Context::from_raw(call) }) else {
        return XB_INVALID_ARGUMENT;
    };
    match contained(|| body(&ctx)) {
        Ok(Ok(())) => XB_OK,
        Ok(Err(error)) => {
            if !error.is_reported() {
                ctx.set_error(error.status(), error.message());
            }
            error.status().code()
        }
        Err(panic) => {
            ctx.set_error(Status::Internal, &format!("{what} panicked: {panic}"));
            Status::Internal.code()
        }
    }
}
