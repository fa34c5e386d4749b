//! The C side of tensors, strings and calls, made safe for the rest of the crate.
#![expect(unsafe_code, reason = "reads and makes the structs of the C contract")]

mod guard;
mod object;
mod output;
mod owned;
mod received;
mod view;

use std::ffi::{CStr, CString, c_char};

pub(crate) use guard::{contained, guard};
pub(crate) use object::{object, table};
pub(crate) use output::Output;
pub(crate) use owned::{give, hand_over};
pub(crate) use received::Received;
pub(crate) use view::{Borrowed, Element, Input};

use crate::error::{Error, Result};

/// A C string as text.
///
/// # Safety
/// When not null, `text` must be NUL-terminated and valid for the lifetime.
pub(crate) unsafe fn text<'t>(text: *const c_char, what: &str) -> Result<&'t str> {
    if text.is_null() {
        return Err(Error::invalid_argument(format!("{what} is null")));
    }
    // SAFETY: not null, and NUL-terminated by the caller's promise.
    unsafe { CStr::from_ptr(text) }
        .to_str()
        .map_err(|_| Error::invalid_argument(format!("{what} is not UTF-8")))
}

/// A text as a C string.
pub(crate) fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::invalid_argument(format!("{text:?} has a NUL within")))
}

/// A pointer with a length as a slice; null is fine where the length is 0.
///
/// # Safety
/// When not null and aligned, `start` must point to `length` values valid for the lifetime.
pub(crate) unsafe fn slice<'t, T>(start: *const T, length: usize, what: &str) -> Result<&'t [T]> {
    if length == 0 {
        return Ok(&[]);
    }
    if start.is_null() || !start.is_aligned() {
        return Err(Error::invalid_argument(format!(
            "{what} is null or misaligned"
        )));
    }
    if length > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Error::invalid_argument(format!(
            "{what} is longer than memory"
        )));
    }
    // SAFETY: checked above; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(start, length) })
}

/// A length-delimited text.
///
/// # Safety
/// As [`slice`].
pub(crate) unsafe fn text_of_length<'t>(
    start: *const c_char,
    length: usize,
    what: &str,
) -> Result<&'t str> {
    // SAFETY: passed on.
    let bytes = unsafe { slice(start.cast::<u8>(), length, what) }?;
    std::str::from_utf8(bytes).map_err(|_| Error::invalid_argument(format!("{what} is not UTF-8")))
}

/// A place for a result, cleared; an error where it is null.
///
/// # Safety
/// When not null and aligned, `place` must be writable.
pub(crate) unsafe fn clear_place<T>(place: *mut *mut T, what: &str) -> Result<()> {
    if place.is_null() || !place.is_aligned() {
        return Err(Error::invalid_argument(format!(
            "{what} is null or misaligned"
        )));
    }
    // SAFETY: checked above; writable by the caller's promise.
    unsafe { place.write(std::ptr::null_mut()) };
    Ok(())
}
