//! Live objects: made, asked for tables, destroyed.

use std::ffi::{CStr, c_char, c_void};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use xbench_abi::{xb_call, xb_descriptor, xb_object, xb_status};

use super::table::OwnedTable;
use crate::error::{Error, Result};
use crate::ffi;
use crate::model::Plugin;
use crate::params::Params;

/// A plugin type together with what it can do. Implemented by [`export!`](crate::export!).
pub trait Export: 'static {
    /// The type.
    type Plugin: Plugin;
    /// `XB_MODEL` or `XB_EXPLAINER`.
    const KIND: u32;

    /// Tables of all its capabilities.
    ///
    /// # Errors
    /// When the plugin describes itself in a way that does not fit the contract.
    fn tables(plugin: &Self::Plugin) -> Result<Vec<OwnedTable>>;
}

/// What `xb_object::self` points to.
struct Live<P> {
    object: xb_object,
    /// Overlapping calls are the host's right where the plugin allows them, and its mistake
    /// elsewhere; the lock makes both safe.
    plugin: RwLock<P>,
    /// Those asked for last stand last; older ones stay, since the host may still read them.
    tables: Mutex<Vec<OwnedTable>>,
    make_tables: fn(&P) -> Result<Vec<OwnedTable>>,
}

/// Makes an object of a plugin; the caller destroys it.
pub(crate) fn make<E: Export>(plugin: E::Plugin) -> Result<*mut xb_object> {
    let tables = E::tables(&plugin)?;
    let object = xb_object {
        struct_size: size_of::<xb_object>() as u32,
        kind: E::KIND,
        self_: std::ptr::null_mut(),
        get_extension: Some(get_extension::<E::Plugin>),
        destroy: Some(destroy::<E::Plugin>),
    };
    let live = Box::into_raw(Box::new(Live {
        object,
        plugin: RwLock::new(plugin),
        tables: Mutex::new(tables),
        make_tables: E::tables,
    }));
    // SAFETY: just made.
    unsafe {
        (*live).object.self_ = live.cast();
        Ok(&raw mut (*live).object)
    }
}

/// `xb_descriptor::create`.
pub(super) unsafe extern "C" fn create<E: Export>(
    _descriptor: *const xb_descriptor,
    call: *const xb_call,
    params: *const c_char,
    length: usize,
    out: *mut *mut xb_object,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "create", |ctx| {
            ffi::clear_place(out, "create: the place for the object")?;
            let json = ffi::text_of_length(params, length, "the parameters")?;
            let params = <E::Plugin as Plugin>::Params::parse(json)?;
            let plugin = E::Plugin::create(params, ctx)?;
            out.write(make::<E>(plugin)?);
            Ok(())
        })
    }
}

unsafe extern "C" fn get_extension<P: Plugin>(
    object: *const xb_object,
    id: *const c_char,
) -> *const c_void {
    // SAFETY: the host's arguments keep the contract; nothing here can panic.
    unsafe {
        let Ok(live) = live::<P>(object) else {
            return std::ptr::null();
        };
        if id.is_null() {
            return std::ptr::null();
        }
        let id = CStr::from_ptr(id);
        let tables = &(*live).tables;
        let tables = tables.lock().unwrap_or_else(PoisonError::into_inner);
        let table = tables.iter().rev().find(|table| table.id() == id);
        table.map_or(std::ptr::null(), OwnedTable::as_ptr)
    }
}

unsafe extern "C" fn destroy<P: Plugin>(object: *mut xb_object) {
    // SAFETY: the host calls this once, and not during another call.
    unsafe {
        if let Ok(live) = live::<P>(object) {
            // There is nobody to report a panic to.
            let _ = ffi::contained(|| drop(Box::from_raw(live)));
        }
    }
}

unsafe fn live<P>(object: *const xb_object) -> Result<*mut Live<P>> {
    if object.is_null() || !object.is_aligned() {
        return Err(Error::invalid_argument("the object is null or misaligned"));
    }
    // SAFETY: an object that `make` made for this type.
    let live = unsafe { (*object).self_ }.cast::<Live<P>>();
    if live.is_null() {
        return Err(Error::invalid_argument("the object is empty"));
    }
    Ok(live)
}

/// The plugin, for a call that does not change it.
///
/// # Safety
/// When not null, `object` must be one that `make` made for this type, not yet destroyed.
pub(super) unsafe fn shared<'o, P: Plugin>(
    object: *const xb_object,
) -> Result<RwLockReadGuard<'o, P>> {
    // SAFETY: passed on.
    let plugin = unsafe { &(*live::<P>(object)?).plugin };
    plugin.try_read().map_err(|error| refused(&error))
}

/// The plugin, for a call that changes it.
///
/// # Safety
/// As [`shared`].
pub(super) unsafe fn exclusive<'o, P: Plugin>(
    object: *const xb_object,
) -> Result<RwLockWriteGuard<'o, P>> {
    // SAFETY: passed on.
    let plugin = unsafe { &(*live::<P>(object)?).plugin };
    plugin.try_write().map_err(|error| refused(&error))
}

/// Describes the object anew, after a call that changed it.
///
/// # Safety
/// As [`shared`].
pub(super) unsafe fn refresh<P: Plugin>(object: *const xb_object) -> Result<()> {
    // SAFETY: passed on.
    let live = unsafe { &*live::<P>(object)? };
    // SAFETY: passed on.
    let plugin = unsafe { shared::<P>(object) }?;
    let tables = (live.make_tables)(&plugin)?;
    let mut kept = live.tables.lock().unwrap_or_else(PoisonError::into_inner);
    kept.extend(tables);
    Ok(())
}

fn refused<G>(error: &TryLockError<G>) -> Error {
    match error {
        TryLockError::Poisoned(_) => Error::internal(
            "an earlier call panicked while it changed this object; its state is unknown: make a new one",
        ),
        TryLockError::WouldBlock => Error::invalid_argument(
            "this call overlaps with one that changes the object: wait for that one to return",
        ),
    }
}
