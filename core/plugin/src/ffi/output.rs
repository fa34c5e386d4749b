//! A tensor of the caller that a plugin fills.

use xbench_abi::xb_tensor;

use super::view::{Element, Layout};
use crate::error::{Error, Result};

/// The caller's tensor as a compact slice of zeros: its own memory where that is compact, else a
/// temporary that [`Output::finish`] writes back.
pub(crate) struct Output<T> {
    layout: Layout<T>,
    temporary: Option<Vec<T>>,
}

impl<T: Element> Output<T> {
    /// # Safety
    /// When not null and aligned, `tensor` must keep DLPack's rules, be writable, be shared with
    /// nobody, and outlive the value.
    pub(crate) unsafe fn read(tensor: *mut xb_tensor, name: &str) -> Result<Self> {
        // SAFETY: passed on.
        let layout = unsafe { Layout::<T>::read(tensor, name) }?;
        let repeated = |(&extent, &stride): (&usize, &isize)| extent > 1 && stride == 0;
        if layout.shape.iter().zip(&layout.strides).any(repeated) {
            return Err(Error::invalid_argument(format!(
                "{name}: a stride of 0 makes elements of the result share memory"
            )));
        }
        let temporary = if layout.is_compact() {
            // Whoever made the memory may not have filled it, and a slice must be.
            // SAFETY: compact and writable by the caller's promise.
            unsafe { layout.first.write_bytes(0, layout.count) };
            None
        } else {
            Some(vec![T::default(); layout.count])
        };
        Ok(Self { layout, temporary })
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    pub(crate) fn slice(&mut self) -> &mut [T] {
        match &mut self.temporary {
            Some(temporary) => temporary,
            // SAFETY: compact, filled in `read`, and ours alone by the promise made there.
            None => unsafe { std::slice::from_raw_parts_mut(self.layout.first, self.layout.count) },
        }
    }

    /// Puts the values where the caller wants them.
    pub(crate) fn finish(self) {
        if let Some(temporary) = &self.temporary {
            // SAFETY: shape and strides lead to writable elements, by the promise made in `read`.
            self.layout
                .for_each(|i, element| unsafe { element.write(temporary[i]) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::describe;
    use super::*;

    #[test]
    fn strided_results_are_written_back() {
        let mut data = [9.0_f32; 6];
        let (mut axes, mut strides) = ([3, 2], [1, 3]);
        let mut tensor = describe::<f32>(data.as_mut_ptr().cast(), &mut axes, &mut strides);
        // SAFETY: the tensor leads to the array above.
        let mut output = unsafe { Output::<f32>::read(&mut tensor, "y") }.expect("valid");
        assert_eq!(output.slice(), [0.0; 6]);
        output
            .slice()
            .copy_from_slice(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        output.finish();
        assert_eq!(data, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    }

    #[test]
    fn compact_results_are_filled_in_place() {
        let mut data = [9.0_f32; 2];
        let (mut axes, mut strides) = ([2], [1]);
        let mut tensor = describe::<f32>(data.as_mut_ptr().cast(), &mut axes, &mut strides);
        // SAFETY: the tensor leads to the array above.
        let mut output = unsafe { Output::<f32>::read(&mut tensor, "y") }.expect("valid");
        output.slice()[1] = 3.0;
        output.finish();
        assert_eq!(data, [0.0, 3.0]);
    }

    #[test]
    fn shared_elements_are_refused() {
        let mut data = [9.0_f32; 2];
        let (mut axes, mut strides) = ([2, 2], [0, 1]);
        let mut tensor = describe::<f32>(data.as_mut_ptr().cast(), &mut axes, &mut strides);
        // SAFETY: the tensor leads to the array above.
        let error = unsafe { Output::<f32>::read(&mut tensor, "y") }
            .err()
            .expect("refused");
        assert!(error.message().contains("share memory"));
    }
}
