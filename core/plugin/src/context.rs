//! What a plugin may draw on besides its arguments: seed, threads, deadline, log.
#![expect(unsafe_code, reason = "calls the functions of the host's xb_call")]

use std::marker::PhantomData;
use std::ptr::NonNull;

use xbench_abi as abi;

use crate::error::{Error, Result, Status};

/// Importance of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Worth knowing.
    Info,
    /// For debugging.
    Debug,
}

impl Level {
    const fn code(self) -> i32 {
        match self {
            Self::Error => abi::XB_LOG_ERROR,
            Self::Warn => abi::XB_LOG_WARN,
            Self::Info => abi::XB_LOG_INFO,
            Self::Debug => abi::XB_LOG_DEBUG,
        }
    }
}

/// One call's context. It is the only thing a plugin may draw on besides its arguments: no clock, no
/// random numbers and no threads of its own.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    call: NonNull<abi::xb_call>,
    seed: u64,
    threads: usize,
    lifetime: PhantomData<&'c abi::xb_call>,
}

// SAFETY: the struct behind the pointer is constant during the call, and the contract lets its
// functions be called on any thread.
unsafe impl Send for Context<'_> {}
// SAFETY: as above.
unsafe impl Sync for Context<'_> {}

impl Context<'_> {
    /// For whatever is drawn once per call. Explainers use [`Batch::seed`](crate::Batch::seed), so
    /// that a row's result does not depend on its batch.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Cap on compute threads, the calling one included; at least 1.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// To be called once per step with the fraction done, 0 to 1.
    ///
    /// # Errors
    /// `DeadlineExceeded` when the deadline has passed, `Cancelled` when the host wants to stop: pass
    /// it on with `?`.
    pub fn checkpoint(&self, fraction: f64) -> Result<()> {
        // SAFETY: the pointer is valid for the lifetime, as `from_raw` demands.
        let call = unsafe { self.call.as_ref() };
        if let (true, Some(now_ns)) = (call.deadline_ns != i64::MAX, call.now_ns) {
            // SAFETY: the host's function gets the host's own call.
            let now = unsafe { now_ns(call) };
            if now >= call.deadline_ns {
                return Err(Error::deadline_exceeded());
            }
        }
        if let Some(progress) = call.progress {
            let fraction = if fraction.is_nan() {
                0.0
            } else {
                fraction.clamp(0.0, 1.0)
            };
            // SAFETY: the host's function gets the host's own call.
            if !unsafe { progress(call, fraction) } {
                return Err(Error::cancelled());
            }
        }
        Ok(())
    }

    /// Writes a line into the record of the run.
    pub fn log(&self, level: Level, text: &str) {
        // SAFETY: the pointer is valid for the lifetime, as `from_raw` demands.
        let call = unsafe { self.call.as_ref() };
        if let Some(log) = call.log {
            // SAFETY: the host's function gets the host's own call and copies the text.
            unsafe { log(call, level.code(), text.as_ptr().cast(), text.len()) };
        }
    }

    /// Tells the host why the call fails.
    pub(crate) fn set_error(&self, status: Status, text: &str) {
        // SAFETY: the pointer is valid for the lifetime, as `from_raw` demands.
        let call = unsafe { self.call.as_ref() };
        if let Some(set_error) = call.set_error {
            // SAFETY: the host's function gets the host's own call and copies the text.
            unsafe { set_error(call, status.code(), text.as_ptr().cast(), text.len()) };
        }
    }

    /// For handing the call on to the host's own objects.
    pub(crate) fn as_ptr(&self) -> *const abi::xb_call {
        self.call.as_ptr()
    }

    /// None where the host's call cannot be read: null, misaligned, or shorter than version 1.
    ///
    /// # Safety
    /// When not null, `call` must point to an `xb_call` that stays valid for the lifetime.
    pub(crate) unsafe fn from_raw(call: *const abi::xb_call) -> Option<Self> {
        let call = NonNull::new(call.cast_mut()).filter(|call| call.is_aligned())?;
        // SAFETY: the first field is there in every version.
        let size = unsafe { (&raw const (*call.as_ptr()).struct_size).read() };
        if !abi::has_field!(size, abi::xb_call, progress) {
            return None;
        }
        // SAFETY: valid by the caller's promise, and as long as this version of it.
        let (seed, threads) = unsafe { (call.as_ref().seed, call.as_ref().num_threads) };
        Some(Self {
            call,
            seed,
            threads: threads.max(1) as usize,
            lifetime: PhantomData,
        })
    }
}
