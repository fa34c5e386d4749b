//! Live objects of a library: owned, asked for their tables, destroyed.

#![expect(unsafe_code, reason = "calls the functions of a plugin's xb_object")]

use std::ptr::NonNull;

use xbench_abi::{Table, XB_EXPLAINER, XB_MODEL, has_field, xb_object};

use crate::error::Fault;
use crate::manifest::Kind;
use crate::scan::ScannedPlugin;

/// A plugin's object; destroyed when dropped.
#[derive(Debug)]
pub(crate) struct Object(NonNull<xb_object>);

impl Object {
    /// Takes over an object that `create` made.
    ///
    /// # Safety
    ///
    /// `raw` is null or an object of the caller's.
    pub(crate) unsafe fn take(raw: *mut xb_object, kind: Kind) -> Result<Self, Fault> {
        let Some(raw) = NonNull::new(raw).filter(|raw| raw.is_aligned()) else {
            return Err(Fault::contract("create succeeded without an object"));
        };
        // SAFETY: by this function's contract; the size comes first.
        let size = unsafe { raw.cast::<u32>().read() };
        if !has_field!(size, xb_object, destroy) {
            return Err(Fault::contract(format!("its object has only {size} bytes")));
        }
        let object = Self(raw);
        // SAFETY: the size says that all fields exist.
        let fields = unsafe { raw.as_ref() };
        let expected = match kind {
            Kind::Model => XB_MODEL,
            Kind::Explainer => XB_EXPLAINER,
        };
        if fields.kind != expected {
            return Err(Fault::contract(format!(
                "its object is of kind {}, not {expected} ({kind})",
                fields.kind
            )));
        }
        if fields.get_extension.is_none() || fields.destroy.is_none() {
            return Err(Fault::contract("its object lacks get_extension or destroy"));
        }
        Ok(object)
    }

    pub(crate) fn raw(&self) -> *mut xb_object {
        self.0.as_ptr()
    }

    /// The table of functions of this type, where the descriptor `declares` it.
    pub(crate) fn table<T: Table>(
        &self,
        declares: &ScannedPlugin,
    ) -> Result<Option<NonNull<T>>, Fault> {
        let name = T::ID.to_string_lossy();
        if !declares.provides.iter().any(|declared| *declared == name) {
            return Ok(None);
        }
        // SAFETY: `take` checked the object; the id is NUL-terminated.
        let table = unsafe {
            self.0
                .as_ref()
                .get_extension
                .map(|get| get(self.0.as_ptr(), T::ID.as_ptr()))
        };
        let table = table.and_then(|table| NonNull::new(table.cast_mut().cast::<T>()));
        let Some(table) = table.filter(|table| table.is_aligned()) else {
            return Err(Fault::contract(format!(
                "it declares {name} and does not serve it"
            )));
        };
        // SAFETY: every table begins with its size.
        let size = unsafe { table.cast::<u32>().read() };
        if (size as usize) < T::FIRST_SIZE {
            return Err(Fault::contract(format!(
                "its table {name} has only {size} bytes"
            )));
        }
        Ok(Some(table))
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: this is the object's one owner, on the thread that made it (it is not Send).
        unsafe {
            if let Some(destroy) = self.0.as_ref().destroy {
                destroy(self.0.as_ptr());
            }
        }
    }
}
