//! Results that were handed to us: read in place, freed on drop.

use std::ptr::NonNull;

use xbench_abi::{DLPACK_MAJOR_VERSION, xb_owned};

use super::view::{Element, Layout};
use crate::error::{Error, Result};

/// A result of the other side, compact.
#[derive(Debug)]
pub(crate) struct Received<T> {
    /// Kept for its deleter.
    _owner: Owner,
    shape: Vec<usize>,
    elements: Elements<T>,
}

#[derive(Debug)]
enum Elements<T> {
    /// In the other side's memory.
    Theirs { first: NonNull<T>, count: usize },
    /// Copied, because theirs are strided.
    Ours(Vec<T>),
}

#[derive(Debug)]
struct Owner(NonNull<xb_owned>);

// SAFETY: the contract lets the deleter be called on any thread, and the elements are only read.
unsafe impl<T: Element> Send for Received<T> {}
// SAFETY: as above.
unsafe impl<T: Element> Sync for Received<T> {}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: ours by the promise made in `Received::take`, and dropped once.
        unsafe {
            if let Some(deleter) = (*self.0.as_ptr()).deleter {
                deleter(self.0.as_ptr());
            }
        }
    }
}

impl<T: Element> Received<T> {
    /// Takes over a result and checks it; it is freed also when it is refused.
    ///
    /// # Safety
    /// When not null, `owned` must be a tensor after DLPack's rules that nobody else will free.
    pub(crate) unsafe fn take(owned: *mut xb_owned, name: &str) -> Result<Self> {
        let Some(owned) = NonNull::new(owned).filter(|owned| owned.is_aligned()) else {
            return Err(Error::internal(format!("{name}: success without a result")));
        };
        let owner = Owner(owned);
        // SAFETY: valid by the caller's promise; the version comes first in every version.
        let version = unsafe { (&raw const (*owned.as_ptr()).version).read() };
        if version.major != DLPACK_MAJOR_VERSION {
            return Err(Error::internal(format!(
                "{name}: made for DLPack {}, expected {DLPACK_MAJOR_VERSION}",
                version.major
            )));
        }
        // SAFETY: valid by the caller's promise, and of this version.
        let layout = unsafe { Layout::<T>::read(&raw const (*owned.as_ptr()).dl_tensor, name) }
            .map_err(|error| Error::internal(error.message()))?;
        let elements = if layout.is_compact() {
            let first = NonNull::new(layout.first).unwrap_or(NonNull::dangling());
            Elements::Theirs {
                first,
                count: layout.count,
            }
        } else {
            let mut copy = Vec::with_capacity(layout.count);
            // SAFETY: the shape and the strides lead to elements, by the caller's promise.
            layout.for_each(|_, element| copy.push(unsafe { element.read() }));
            Elements::Ours(copy)
        };
        Ok(Self {
            _owner: owner,
            shape: layout.shape,
            elements,
        })
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn data(&self) -> &[T] {
        match &self.elements {
            // SAFETY: compact and valid until the owner is dropped, which is after this borrow.
            Elements::Theirs { first, count } => unsafe {
                std::slice::from_raw_parts(first.as_ptr(), *count)
            },
            Elements::Ours(copy) => copy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hand_over;
    use super::*;

    #[test]
    fn handed_over_and_received() {
        let owned = hand_over(&[2, 2], vec![1.0_f32, 2.0, 3.0, 4.0]);
        // SAFETY: just made, and taken once.
        let received = unsafe { Received::<f32>::take(owned, "out") }.expect("valid");
        assert_eq!(received.shape(), [2, 2]);
        assert_eq!(received.data(), [1.0, 2.0, 3.0, 4.0]);
        std::thread::spawn(move || drop(received))
            .join()
            .expect("freed on another thread");
    }

    #[test]
    fn empty_results_pass() {
        // SAFETY: just made, and taken once.
        let received =
            unsafe { Received::<u8>::take(hand_over::<u8>(&[0], vec![]), "out") }.expect("valid");
        assert!(received.data().is_empty());
    }

    #[test]
    fn wrong_results_are_refused_and_freed() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static FREED: AtomicUsize = AtomicUsize::new(0);
        unsafe extern "C" fn count(_: *mut xb_owned) {
            FREED.fetch_add(1, Ordering::SeqCst);
        }
        for change in [
            |owned: &mut xb_owned| owned.version.major = 2,
            |owned: &mut xb_owned| {
                owned.dl_tensor.dtype.bits = 64;
            },
        ] {
            let owned = hand_over(&[1], vec![1.0_f32]);
            // SAFETY: just made. The copy only borrows what `owned` frees below.
            unsafe {
                let mut copy = std::ptr::read(owned);
                copy.deleter = Some(count);
                change(&mut copy);
                let before = FREED.load(Ordering::SeqCst);
                assert!(Received::<f32>::take(&mut copy, "out").is_err());
                assert_eq!(FREED.load(Ordering::SeqCst), before + 1);
                drop(Received::<f32>::take(owned, "out"));
            }
        }
        // SAFETY: null is refused.
        assert!(unsafe { Received::<f32>::take(std::ptr::null_mut(), "out") }.is_err());
    }
}
