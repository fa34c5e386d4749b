//! Results that plugins make: taken, checked, and freed by whoever holds them last.

#![expect(unsafe_code, reason = "reads memory that the other side describes")]

use std::ops::Deref;
use std::ptr::NonNull;

use xbench_abi::{DLDataType, DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION, DLPackVersion, xb_owned};

use crate::error::Fault;
use crate::tensor::{Lent, check, compact, compact_strides, gather};

/// A result that a plugin made; frees it when dropped.
#[derive(Debug)]
struct Handed(NonNull<xb_owned>);

impl Drop for Handed {
    fn drop(&mut self) {
        // SAFETY: the plugin handed it over, and this is its one owner.
        unsafe {
            if let Some(deleter) = self.0.as_ref().deleter {
                deleter(self.0.as_ptr());
            }
        }
    }
}

impl Handed {
    /// Takes over what a plugin wrote to an out pointer, and checks its version.
    ///
    /// # Safety
    ///
    /// `raw` is null or a managed tensor whose ownership passes to the caller.
    unsafe fn take(what: &str, raw: *mut xb_owned) -> Result<Self, Fault> {
        let Some(raw) = NonNull::new(raw) else {
            return Err(Fault::contract(format!(
                "{what}: the call succeeded without a result"
            )));
        };
        let handed = Self(raw);
        // SAFETY: by this function's contract; the version comes first in every version.
        let version = unsafe { raw.as_ref().version };
        if version.major != DLPACK_MAJOR_VERSION {
            return Err(Fault::contract(format!(
                "{what}: it speaks DLPack {}.{}; supported is {DLPACK_MAJOR_VERSION}.x",
                version.major, version.minor
            )));
        }
        Ok(handed)
    }
}

/// Takes bytes that a plugin made.
///
/// # Safety
///
/// `raw` is null or a managed tensor whose ownership passes to the caller.
pub(crate) unsafe fn take_bytes(what: &str, raw: *mut xb_owned) -> Result<Vec<u8>, Fault> {
    // SAFETY: by this function's contract.
    unsafe {
        let handed = Handed::take(what, raw)?;
        let tensor = &handed.0.as_ref().dl_tensor;
        let shape = check(what, tensor, DLDataType::U8)?;
        if shape.len() != 1 {
            return Err(Fault::shape(format!(
                "{what}: expected [length], found {shape:?}"
            )));
        }
        Ok(gather::<u8>(tensor))
    }
}

#[derive(Debug)]
enum Memory {
    /// The plugin's own, compact.
    Plugin(Handed, NonNull<f32>, usize),
    /// Joined from several calls, or copied from a strided result.
    Host(Vec<f32>),
}

/// A tensor that a model made: shape, and the numbers in row-major order. It is the plugin's own
/// memory wherever possible, and freed by the plugin when dropped.
#[derive(Debug)]
pub struct OwnedOutput {
    shape: Vec<usize>,
    memory: Memory,
}

impl OwnedOutput {
    /// The shape; the first axis is the example, except for weights.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn joined(shape: Vec<usize>, data: Vec<f32>) -> Self {
        Self {
            shape,
            memory: Memory::Host(data),
        }
    }

    /// Takes what a plugin made and checks it: f32, in host memory, of the shape `expected` (where
    /// one is known; else any with as many rows).
    ///
    /// # Safety
    ///
    /// `raw` is null or a managed tensor whose ownership passes to the caller.
    pub(crate) unsafe fn take(
        what: &str,
        raw: *mut xb_owned,
        rows: usize,
        expected: Option<&[usize]>,
    ) -> Result<Self, Fault> {
        // SAFETY: by this function's contract.
        unsafe {
            let handed = Handed::take(what, raw)?;
            let tensor = &handed.0.as_ref().dl_tensor;
            let shape = check(what, tensor, DLDataType::F32)?;
            let fits = shape[0] == rows && expected.is_none_or(|inner| shape[1..] == *inner);
            if !fits {
                let mut wanted = vec![rows.to_string()];
                match expected {
                    Some(inner) => wanted.extend(inner.iter().map(usize::to_string)),
                    None => wanted.push("..".to_owned()),
                }
                let wanted = wanted.join(", ");
                return Err(Fault::shape(format!(
                    "{what}: expected [{wanted}], found {shape:?}"
                )));
            }
            let memory = match compact::<f32>(tensor) {
                Some(values) => {
                    let (first, length) = (NonNull::from(values).cast::<f32>(), values.len());
                    Memory::Plugin(handed, first, length)
                }
                None => Memory::Host(gather::<f32>(tensor)),
            };
            Ok(Self { shape, memory })
        }
    }

    /// Hands the result on to an explainer, which frees it.
    pub(crate) fn into_raw(self) -> *mut xb_owned {
        match self.memory {
            Memory::Plugin(handed, _, _) => {
                let raw = handed.0.as_ptr();
                std::mem::forget(handed);
                raw
            }
            Memory::Host(data) => HostOwned::hand_over(&self.shape, data),
        }
    }
}

impl Deref for OwnedOutput {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.memory {
            // SAFETY: checked and compact when taken; the plugin frees it only when dropped.
            Memory::Plugin(_, first, length) => unsafe {
                std::slice::from_raw_parts(first.as_ptr(), *length)
            },
            Memory::Host(data) => data,
        }
    }
}

/// A managed tensor of the host's own.
struct HostOwned {
    managed: xb_owned,
    shape: Vec<i64>,
    strides: Vec<i64>,
    data: Vec<f32>,
}

impl HostOwned {
    fn hand_over(shape: &[usize], data: Vec<f32>) -> *mut xb_owned {
        let dims: Vec<i64> = shape.iter().map(|&extent| extent as i64).collect();
        let owned = Box::into_raw(Box::new(Self {
            managed: xb_owned {
                version: DLPackVersion {
                    major: DLPACK_MAJOR_VERSION,
                    minor: DLPACK_MINOR_VERSION,
                },
                manager_ctx: std::ptr::null_mut(),
                deleter: Some(Self::delete),
                flags: 0,
                dl_tensor: *Lent::new(std::ptr::null_mut(), DLDataType::F32, shape).tensor(),
            },
            strides: compact_strides(&dims),
            shape: dims,
            data,
        }));
        // SAFETY: just made; the pointers lead into its own vectors, which never change again.
        unsafe {
            let owned = &mut *owned;
            owned.managed.manager_ctx = (&raw mut *owned).cast();
            owned.managed.dl_tensor.shape = owned.shape.as_mut_ptr();
            owned.managed.dl_tensor.strides = owned.strides.as_mut_ptr();
            owned.managed.dl_tensor.data = owned.data.as_mut_ptr().cast();
            &raw mut owned.managed
        }
    }

    unsafe extern "C" fn delete(managed: *mut xb_owned) {
        // SAFETY: the consumer calls it once with what `hand_over` made.
        unsafe { drop(Box::from_raw((*managed).manager_ctx.cast::<Self>())) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::PluginErrorKind;

    #[test]
    fn handed_over_results_are_freed_by_their_taker() {
        let joined = OwnedOutput::joined(vec![2, 3], vec![1.0; 6]);
        // SAFETY: each result is taken once.
        unsafe {
            let taken = OwnedOutput::take("y", joined.into_raw(), 2, Some(&[3])).unwrap();
            assert_eq!((taken.shape(), &taken[..]), (&[2, 3][..], &[1.0; 6][..]));
            let wrong = OwnedOutput::take("y", taken.into_raw(), 2, Some(&[4])).unwrap_err();
            assert_eq!(wrong.message, "y: expected [2, 4], found [2, 3]");
            let none = OwnedOutput::take("y", std::ptr::null_mut(), 2, None).unwrap_err();
            assert_eq!(none.kind, PluginErrorKind::Contract);
        }
    }
}
