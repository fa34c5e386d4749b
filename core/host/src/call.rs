//! The context of one call into a plugin.
//!
//! A [`CallFrame`] lives on the heap for as long as the call runs, since the plugin holds pointers
//! into it. What a plugin says through it is copied at once; only its first error is kept.

#![expect(
    unsafe_code,
    reason = "the functions that plugins call back through raw pointers"
)]

use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use xbench_abi::{
    DLDevice, K_DL_CPU, XB_CANCELLED, XB_DEADLINE_EXCEEDED, XB_INTERNAL, XB_INVALID_ARGUMENT,
    XB_LOG_DEBUG, XB_LOG_ERROR, XB_LOG_INFO, XB_LOG_WARN, XB_NOT_FOUND, XB_OK,
    XB_RESOURCE_EXHAUSTED, XB_UNIMPLEMENTED, xb_call, xb_status,
};

use crate::error::{Fault, PluginErrorKind};

/// Longest text that is copied from a plugin, in bytes.
const MAX_TEXT: usize = 16 << 10;

/// Level of a plugin's log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Worth knowing.
    Info,
    /// For debugging.
    Debug,
}

impl LogLevel {
    /// The level in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    fn from_code(code: i32) -> Self {
        match code {
            XB_LOG_ERROR => Self::Error,
            XB_LOG_WARN => Self::Warn,
            XB_LOG_DEBUG => Self::Debug,
            _ => Self::Info,
        }
    }

    fn code(self) -> i32 {
        match self {
            Self::Error => XB_LOG_ERROR,
            Self::Warn => XB_LOG_WARN,
            Self::Info => XB_LOG_INFO,
            Self::Debug => XB_LOG_DEBUG,
        }
    }
}

/// Hears what a plugin says during a call; may be called on any thread of the plugin's.
pub trait Monitor: Send + Sync {
    /// A log line.
    fn log(&self, level: LogLevel, text: &str) {
        _ = (level, text);
    }

    /// The fraction done, 0 to 1; false asks the plugin to stop.
    fn progress(&self, fraction: f64) -> bool {
        _ = fraction;
        true
    }
}

/// What the host grants a call.
#[derive(Clone)]
pub struct CallSettings {
    /// For whatever is drawn once per call.
    pub seed: u64,
    /// Cap on compute threads, the calling one included; at least 1.
    pub threads: usize,
    /// When the call must have ended.
    pub deadline: Option<Instant>,
    /// Most rows handed to the plugin at once, beside the plugin's own limit; 0 for no limit.
    pub max_rows: usize,
    /// Hears log lines and progress.
    pub monitor: Option<Arc<dyn Monitor>>,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            seed: 0,
            threads: 1,
            deadline: None,
            max_rows: 0,
            monitor: None,
        }
    }
}

impl std::fmt::Debug for CallSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CallSettings")
            .field("seed", &self.seed)
            .field("threads", &self.threads)
            .field("deadline", &self.deadline)
            .field("max_rows", &self.max_rows)
            .field("monitor", &self.monitor.is_some())
            .finish()
    }
}

/// The host's clock: nanoseconds since its first use in this process.
pub(crate) fn now_ns() -> i64 {
    ns_of(Instant::now())
}

fn ns_of(instant: Instant) -> i64 {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    let epoch = *EPOCH.get_or_init(Instant::now);
    i64::try_from(instant.saturating_duration_since(epoch).as_nanos()).unwrap_or(i64::MAX)
}

/// A deadline on the clock of [`now_ns`]; `i64::MAX` for none.
pub(crate) fn deadline_ns(deadline: Option<Instant>) -> i64 {
    // The clock begins before the deadline is placed on it.
    let now = now_ns();
    match deadline {
        Some(deadline) if deadline <= Instant::now() => now,
        Some(deadline) => ns_of(deadline),
        None => i64::MAX,
    }
}

/// Where the callbacks of one call end up.
struct Sink {
    error: Mutex<Option<String>>,
    monitor: Option<Arc<dyn Monitor>>,
    /// Calls that a proxy makes: the explainer's call, to which log lines are passed on.
    outer: Option<*const xb_call>,
}

/// An `xb_call` and what its callbacks write to.
pub(crate) struct CallFrame {
    raw: xb_call,
    sink: Box<Sink>,
}

impl CallFrame {
    /// The frame of a call that the host makes.
    pub(crate) fn new(settings: &CallSettings) -> Box<Self> {
        Self::build(
            u32::try_from(settings.threads).unwrap_or(u32::MAX).max(1),
            settings.seed,
            deadline_ns(settings.deadline),
            DLDevice {
                device_type: K_DL_CPU,
                device_id: 0,
            },
            std::ptr::null_mut(),
            settings.monitor.clone(),
            None,
        )
    }

    /// The frame of a call to a model that an explainer makes through the proxy: thread cap, device
    /// and stream are the explainer's, the deadline is the earlier one, the seed is the model's own.
    ///
    /// # Safety
    ///
    /// `outer` is valid for as long as the frame lives.
    pub(crate) unsafe fn nested(outer: *const xb_call, deadline_ns: i64) -> Box<Self> {
        // SAFETY: by this function's contract.
        let call = unsafe { &*outer };
        let deadline_ns = deadline_ns.min(call.deadline_ns);
        Self::build(
            call.num_threads.max(1),
            0,
            deadline_ns,
            call.device,
            call.stream,
            None,
            Some(outer),
        )
    }

    fn build(
        num_threads: u32,
        seed: u64,
        deadline_ns: i64,
        device: DLDevice,
        stream: *mut c_void,
        monitor: Option<Arc<dyn Monitor>>,
        outer: Option<*const xb_call>,
    ) -> Box<Self> {
        let sink = Box::new(Sink {
            error: Mutex::new(None),
            monitor,
            outer,
        });
        Box::new(Self {
            raw: xb_call {
                struct_size: size_of::<xb_call>() as u32,
                num_threads,
                host_data: (&raw const *sink).cast_mut().cast(),
                seed,
                deadline_ns,
                device,
                stream,
                now_ns: Some(on_now_ns),
                set_error: Some(on_set_error),
                log: Some(on_log),
                progress: Some(on_progress),
            },
            sink,
        })
    }

    /// What is handed to the plugin.
    pub(crate) fn raw(&self) -> *const xb_call {
        &raw const self.raw
    }

    /// Has the deadline passed?
    pub(crate) fn check_deadline(&self) -> Result<(), Fault> {
        if self.raw.deadline_ns != i64::MAX && now_ns() >= self.raw.deadline_ns {
            return Err(Fault::deadline("the deadline has passed"));
        }
        Ok(())
    }

    /// Turns the status a plugin returned and the text it gave into a result.
    pub(crate) fn finish(&self, what: &str, status: xb_status) -> Result<(), Fault> {
        if status == XB_OK {
            return Ok(());
        }
        let text = self
            .sink
            .error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let message = match text {
            Some(text) => format!("{what}: {text}"),
            None => format!("{what}: {}, and gave no reason", status_name(status)),
        };
        let kind = match status {
            XB_DEADLINE_EXCEEDED => PluginErrorKind::Deadline,
            XB_CANCELLED => PluginErrorKind::Cancelled,
            status => PluginErrorKind::Failed { status },
        };
        Err(Fault { kind, message })
    }
}

fn status_name(status: xb_status) -> String {
    match status {
        XB_CANCELLED => "cancelled".to_owned(),
        XB_INVALID_ARGUMENT => "invalid argument".to_owned(),
        XB_DEADLINE_EXCEEDED => "deadline exceeded".to_owned(),
        XB_NOT_FOUND => "not found".to_owned(),
        XB_RESOURCE_EXHAUSTED => "out of a resource".to_owned(),
        XB_UNIMPLEMENTED => "not implemented".to_owned(),
        XB_INTERNAL => "internal error".to_owned(),
        other => format!("the unknown status {other}"),
    }
}

/// The sink of a call that a plugin hands back.
///
/// # Safety
///
/// `call` is null or one whose `host_data` was set by [`CallFrame`] and whose frame lives.
unsafe fn sink<'c>(call: *const xb_call) -> Option<&'c Sink> {
    // SAFETY: by this function's contract.
    unsafe {
        call.as_ref()
            .and_then(|call| call.host_data.cast::<Sink>().as_ref())
    }
}

/// Copies a plugin's text.
///
/// # Safety
///
/// `text` is null or has `length` readable bytes.
unsafe fn copy_text(text: *const c_char, length: usize) -> String {
    if text.is_null() {
        return String::new();
    }
    let length = length.min(MAX_TEXT);
    // SAFETY: by this function's contract.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
    String::from_utf8_lossy(bytes).into_owned()
}

/// Tells the maker of `call` why a call fails.
///
/// # Safety
///
/// `call` is valid.
pub(crate) unsafe fn set_error(call: *const xb_call, status: xb_status, text: &str) {
    // SAFETY: the call is valid, and the text is copied before the function returns.
    unsafe {
        if let Some(set_error) = (*call).set_error {
            set_error(call, status, text.as_ptr().cast(), text.len());
        }
    }
}

unsafe extern "C" fn on_now_ns(_call: *const xb_call) -> i64 {
    now_ns()
}

unsafe extern "C" fn on_set_error(
    call: *const xb_call,
    _status: xb_status,
    text: *const c_char,
    length: usize,
) {
    // SAFETY: a plugin hands back the call it was given, and a text with its length.
    let (sink, text) = unsafe { (sink(call), copy_text(text, length)) };
    if let Some(sink) = sink {
        sink.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(text);
    }
}

unsafe extern "C" fn on_log(call: *const xb_call, level: i32, text: *const c_char, length: usize) {
    // SAFETY: as in `on_set_error`.
    let (Some(sink), text) = (unsafe { (sink(call), copy_text(text, length)) }) else {
        return;
    };
    if let Some(monitor) = &sink.monitor {
        // A panic must not cross into C; a monitor that panics loses a line.
        drop(catch_unwind(AssertUnwindSafe(|| {
            monitor.log(LogLevel::from_code(level), &text)
        })));
    }
    if let Some(outer) = sink.outer {
        // SAFETY: the outer call lives for as long as this frame.
        unsafe {
            if let Some(log) = (*outer).log {
                log(
                    outer,
                    LogLevel::from_code(level).code(),
                    text.as_ptr().cast(),
                    text.len(),
                );
            }
        }
    }
}

unsafe extern "C" fn on_progress(call: *const xb_call, fraction: f64) -> bool {
    // SAFETY: as in `on_set_error`.
    match unsafe { sink(call) }.and_then(|sink| sink.monitor.as_ref()) {
        Some(monitor) => catch_unwind(AssertUnwindSafe(|| {
            monitor.progress(fraction.clamp(0.0, 1.0))
        }))
        .unwrap_or(false),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_kept_and_copied() {
        let frame = CallFrame::new(&CallSettings::default());
        let text = "first".to_owned();
        // SAFETY: the frame lives.
        unsafe {
            set_error(frame.raw(), XB_INTERNAL, &text);
            set_error(frame.raw(), XB_INTERNAL, "second");
        }
        drop(text);
        let fault = frame.finish("predict", XB_INTERNAL).unwrap_err();
        assert_eq!(fault.message, "predict: first");
        assert_eq!(
            fault.kind,
            PluginErrorKind::Failed {
                status: XB_INTERNAL
            }
        );
        let silent = frame.finish("predict", XB_NOT_FOUND).unwrap_err();
        assert_eq!(silent.message, "predict: not found, and gave no reason");
        assert!(frame.finish("predict", XB_OK).is_ok());
    }

    #[test]
    fn deadlines_hold_also_in_nested_calls() {
        let past = CallSettings {
            deadline: Some(Instant::now()),
            ..CallSettings::default()
        };
        assert!(CallFrame::new(&past).check_deadline().is_err());
        let free = CallFrame::new(&CallSettings {
            threads: 3,
            ..CallSettings::default()
        });
        free.check_deadline().unwrap();
        // SAFETY: the outer frame lives longer.
        let nested = unsafe { CallFrame::nested(free.raw(), deadline_ns(past.deadline)) };
        assert!(nested.check_deadline().is_err());
        assert_eq!(nested.raw.num_threads, 3);
    }
}
