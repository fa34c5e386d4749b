//! The host's side of one call.

use std::ffi::c_char;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use xbench_abi as abi;

use crate::context::Context;
use crate::error::{Error, Result, Status};

/// What a call's context says.
#[derive(Clone, Debug, PartialEq)]
pub struct CallOptions {
    /// `Context::seed`.
    pub seed: u64,
    /// `Context::threads`.
    pub threads: u32,
    /// Time from the start of the call to its deadline.
    pub deadline: Option<Duration>,
    /// Progress from this fraction on is answered with the wish to stop.
    pub cancel_at: Option<f64>,
}

impl Default for CallOptions {
    /// Seed 0, one thread, no deadline, no cancellation.
    fn default() -> Self {
        Self {
            seed: 0,
            threads: 1,
            deadline: None,
            cancel_at: None,
        }
    }
}

struct Recorder {
    start: Instant,
    cancel_at: f64,
    error: Mutex<Option<(Status, String)>>,
}

/// Runs a call; an error that the plugin reported comes back with its text.
pub(crate) fn run<R>(
    options: &CallOptions,
    body: impl FnOnce(&Context<'_>) -> Result<R>,
) -> Result<R> {
    let recorder = Recorder {
        start: Instant::now(),
        cancel_at: options.cancel_at.unwrap_or(f64::INFINITY),
        error: Mutex::new(None),
    };
    let nanoseconds = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX - 1);
    let call = abi::xb_call {
        struct_size: size_of::<abi::xb_call>() as u32,
        num_threads: options.threads,
        host_data: (&raw const recorder).cast_mut().cast(),
        seed: options.seed,
        deadline_ns: options.deadline.map_or(i64::MAX, nanoseconds),
        device: abi::DLDevice {
            device_type: abi::K_DL_CPU,
            device_id: 0,
        },
        stream: std::ptr::null_mut(),
        now_ns: Some(now_ns),
        set_error: Some(set_error),
        log: Some(log),
        progress: Some(progress),
    };
    // SAFETY: the call outlives the context.
    let ctx = unsafe { Context::from_raw(&raw const call) }
        .ok_or_else(|| Error::internal("the context of a call could not be made"))?;
    body(&ctx).map_err(|error| {
        let seen = recorder
            .error
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        match seen {
            Some((status, text)) if error.is_reported() && status == error.status() => {
                Error::new(status, text)
            }
            _ => error,
        }
    })
}

/// # Safety
/// The call must be one that `run` made.
unsafe fn recorder<'c>(call: *const abi::xb_call) -> &'c Recorder {
    // SAFETY: `run` put it there, and it outlives the call.
    unsafe { &*(*call).host_data.cast::<Recorder>() }
}

unsafe extern "C" fn now_ns(call: *const abi::xb_call) -> i64 {
    // SAFETY: the plugin hands back the call that it was given.
    let elapsed = unsafe { recorder(call) }.start.elapsed();
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}

unsafe extern "C" fn set_error(
    call: *const abi::xb_call,
    status: abi::xb_status,
    text: *const c_char,
    length: usize,
) {
    // SAFETY: the plugin hands back the call that it was given, with a text of that length.
    let (recorder, bytes) = unsafe {
        (
            recorder(call),
            crate::ffi::slice(text.cast::<u8>(), length, "the text"),
        )
    };
    let text = String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    // The last text is the one of the error that the call ends with.
    *recorder
        .error
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Some((Status::from_code(status), text));
}

/// Log lines are for the record of a run, which a test has not.
unsafe extern "C" fn log(_: *const abi::xb_call, _: i32, _: *const c_char, _: usize) {}

unsafe extern "C" fn progress(call: *const abi::xb_call, fraction: f64) -> bool {
    // SAFETY: the plugin hands back the call that it was given.
    fraction < unsafe { recorder(call) }.cancel_at
}
