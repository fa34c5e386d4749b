//! Objects of the other side and their tables of functions.

use xbench_abi as abi;

use crate::error::{Error, Result};

/// An object of the other side, with all that this version of the contract asks of one.
///
/// # Safety
/// When not null and aligned, `object` must keep the contract and stay valid for the lifetime.
pub(crate) unsafe fn object<'o>(
    object: *const abi::xb_object,
    what: &str,
) -> Result<&'o abi::xb_object> {
    if object.is_null() || !object.is_aligned() {
        return Err(Error::invalid_argument(format!(
            "{what} is null or misaligned"
        )));
    }
    // SAFETY: the first field is there in every version.
    let size = unsafe { (&raw const (*object).struct_size).read() };
    if !abi::has_field!(size, abi::xb_object, destroy) {
        return Err(Error::invalid_argument(format!(
            "{what} is made for an older contract"
        )));
    }
    // SAFETY: valid by the caller's promise, and as long as this version of it.
    Ok(unsafe { &*object })
}

/// The object's table of this type; none where it has none, or one that is not whole.
///
/// # Safety
/// The object must keep the contract.
pub(crate) unsafe fn table<T: abi::Table>(object: &abi::xb_object) -> Option<&T> {
    let get_extension = object.get_extension?;
    // SAFETY: the object keeps the contract; ids are NUL-terminated.
    let table = unsafe { get_extension(object, T::ID.as_ptr()) }.cast::<T>();
    if table.is_null() || !table.is_aligned() {
        return None;
    }
    // SAFETY: not null, aligned, and tables begin with their size.
    let size = unsafe { table.cast::<u32>().read() } as usize;
    // SAFETY: as long as this version of it; valid as long as the object.
    (size >= T::FIRST_SIZE).then(|| unsafe { &*table })
}
