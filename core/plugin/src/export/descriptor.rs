//! Static data: descriptors and the entry, made by constant functions.

use std::ffi::{CStr, c_char};

use xbench_abi::{XB_ABI_MAJOR, XB_ABI_MINOR, xb_descriptor, xb_entry};

use super::object::{self, Export};
use crate::model::Plugin;
use crate::params::Params;

/// A NULL-terminated list of C strings; `N` counts the NULL.
#[derive(Debug)]
#[repr(transparent)]
pub struct CStrings<const N: usize>([*const c_char; N]);

// SAFETY: the pointers lead to constants.
unsafe impl<const N: usize> Sync for CStrings<N> {}

impl<const N: usize> CStrings<N> {
    /// `N` must be one more than there are strings.
    #[must_use]
    pub const fn new(strings: &[&'static CStr]) -> Self {
        assert!(strings.len() + 1 == N, "a place for the NULL is needed");
        let mut pointers = [std::ptr::null(); N];
        let mut i = 0;
        while i < strings.len() {
            pointers[i] = strings[i].as_ptr();
            i += 1;
        }
        Self(pointers)
    }

    /// As the ABI carries it.
    #[must_use]
    pub const fn as_ptr(&'static self) -> *const *const c_char {
        self.0.as_ptr()
    }
}

/// The descriptor of a plugin.
#[must_use]
pub const fn descriptor<E: Export>(
    provides: *const *const c_char,
    requires_model: *const *const c_char,
) -> xb_descriptor {
    let meta = &<E::Plugin as Plugin>::META;
    xb_descriptor {
        struct_size: size_of::<xb_descriptor>() as u32,
        kind: E::KIND,
        flags: meta.flags.bits(),
        max_batch: meta.max_batch,
        id: meta.id.as_ptr(),
        name: meta.name.as_ptr(),
        version: meta.version.as_ptr(),
        license: meta.license.as_ptr(),
        citation: meta.citation.as_ptr(),
        summary: meta.summary.as_ptr(),
        params_schema: <<E::Plugin as Plugin>::Params as Params>::SCHEMA.as_ptr(),
        provides,
        requires_model,
        create: Some(object::create::<E>),
    }
}

/// The entry of a library.
#[must_use]
pub const fn entry(descriptors: &'static [&'static xb_descriptor]) -> xb_entry {
    xb_entry {
        struct_size: size_of::<xb_entry>() as u32,
        abi_major: XB_ABI_MAJOR,
        abi_minor: XB_ABI_MINOR,
        num_descriptors: descriptors.len() as u32,
        reserved: 0,
        descriptors: descriptors.as_ptr().cast(),
        init: None,
    }
}
