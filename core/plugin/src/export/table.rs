//! Tables of functions together with the strings and shapes they point to.

use std::ffi::{CStr, CString, c_char, c_void};

use xbench_abi as abi;

use crate::error::{Error, Result};
use crate::ffi::c_string;
use crate::model::Plugin;

/// Something a plugin of type `P` can do.
pub trait Capability<P: Plugin> {
    /// The contract's table for it.
    type Table: abi::Table;
    /// Its id.
    const ID: &'static CStr = <Self::Table as abi::Table>::ID;

    /// Its table for one object.
    ///
    /// # Errors
    /// When the plugin describes itself in a way that does not fit the contract.
    fn table(plugin: &P) -> Result<OwnedTable>;
}

/// A table of functions at a fixed address, with all that it points to.
#[derive(Debug)]
pub struct OwnedTable {
    id: &'static CStr,
    pointer: *mut c_void,
    free: unsafe fn(*mut c_void),
}

/// What the pointer of an [`OwnedTable`] leads to: the table, and after it what the table points to.
#[repr(C)]
struct Whole<T, K> {
    table: T,
    kept: K,
}

impl OwnedTable {
    /// `kept` owns whatever `table` points to, on the heap, so that it stays where it is.
    pub(super) fn new<T: abi::Table + 'static, K: 'static>(table: T, kept: K) -> Self {
        unsafe fn free<W>(pointer: *mut c_void) {
            // SAFETY: the box made below, once.
            drop(unsafe { Box::from_raw(pointer.cast::<W>()) });
        }
        // A raw pointer from the start: a moved `Box` would invalidate pointers that were lent out.
        let pointer = Box::into_raw(Box::new(Whole { table, kept })).cast();
        Self {
            id: T::ID,
            pointer,
            free: free::<Whole<T, K>>,
        }
    }

    pub(super) fn id(&self) -> &'static CStr {
        self.id
    }

    pub(super) fn as_ptr(&self) -> *const c_void {
        self.pointer
    }
}

impl Drop for OwnedTable {
    fn drop(&mut self) {
        // SAFETY: made by `new` for this type, and dropped once.
        unsafe { (self.free)(self.pointer) };
    }
}

/// Strings as the ABI wants them, and what owns them.
pub(super) struct Names {
    pub(super) pointers: Vec<*const c_char>,
    _strings: Vec<CString>,
}

impl Names {
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self> {
        let strings = names
            .into_iter()
            .map(c_string)
            .collect::<Result<Vec<_>>>()?;
        let pointers = strings.iter().map(|name| name.as_ptr()).collect();
        Ok(Self {
            pointers,
            _strings: strings,
        })
    }
}

/// Extents as the ABI wants them.
pub(super) fn extents(shape: &[usize], what: &str) -> Result<Vec<i64>> {
    crate::tensor::element_count(shape)
        .and_then(|_| {
            shape
                .iter()
                .map(|&extent| i64::try_from(extent).ok())
                .collect()
        })
        .ok_or_else(|| Error::invalid_argument(format!("{what}: shape {shape:?} is too large")))
}

/// A count as the ABI wants it.
pub(super) fn count(value: usize, what: &str) -> Result<u32> {
    u32::try_from(value)
        .map_err(|_| Error::invalid_argument(format!("{what}: {value} is too large")))
}
