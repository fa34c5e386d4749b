//! Tensors as plugins see them: f32, row-major, compact, the first axis is the example.
//!
//! The ABI allows strided memory; the entry points copy it, so that no plugin has to care.

use crate::error::{Error, Result};

/// Borrowed tensor, row-major and compact. The first axis counts examples (*rows*).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TensorRef<'t> {
    shape: &'t [usize],
    data: &'t [f32],
}

/// Owned tensor, row-major and compact. The first axis counts examples (*rows*).
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Vec<f32>,
}

/// Number of elements of a shape; none on overflow.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1_usize, |product, &extent| product.checked_mul(extent))
}

fn check(shape: &[usize], length: usize) -> Result<()> {
    if shape.is_empty() {
        return Err(Error::invalid_argument(
            "a tensor needs at least one axis, the first counts examples",
        ));
    }
    if element_count(shape) != Some(length) {
        return Err(Error::invalid_argument(format!(
            "shape {shape:?} does not fit {length} elements"
        )));
    }
    Ok(())
}

impl<'t> TensorRef<'t> {
    /// A view of `data` in row-major order.
    ///
    /// # Errors
    /// When the shape has no axis or another number of elements.
    pub fn new(shape: &'t [usize], data: &'t [f32]) -> Result<Self> {
        check(shape, data.len())?;
        Ok(Self { shape, data })
    }

    /// Extents, the example axis first; never empty.
    #[must_use]
    pub fn shape(&self) -> &'t [usize] {
        self.shape
    }

    /// All elements in row-major order.
    #[must_use]
    pub fn data(&self) -> &'t [f32] {
        self.data
    }

    /// Number of examples: the first extent.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape[0]
    }

    /// Elements of one example: the product of the other extents.
    #[must_use]
    pub fn row_len(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// The elements of example `i`.
    ///
    /// # Panics
    /// When `i` is not below [`rows`](Self::rows).
    #[must_use]
    pub fn row(&self, i: usize) -> &'t [f32] {
        assert!(i < self.rows(), "row {i} of {}", self.rows());
        let length = self.row_len();
        &self.data[i * length..(i + 1) * length]
    }

    /// A copy that owns its elements.
    #[must_use]
    pub fn to_tensor(&self) -> Tensor {
        Tensor {
            shape: self.shape.to_vec(),
            data: self.data.to_vec(),
        }
    }
}

impl Tensor {
    /// A tensor of `data` in row-major order.
    ///
    /// # Errors
    /// When the shape has no axis or another number of elements.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Result<Self> {
        let shape = shape.into();
        check(&shape, data.len())?;
        Ok(Self { shape, data })
    }

    /// A tensor of zeros.
    ///
    /// # Errors
    /// When the shape has no axis or more elements than memory could hold.
    pub fn zeros(shape: impl Into<Vec<usize>>) -> Result<Self> {
        let shape = shape.into();
        let length = element_count(&shape)
            .filter(|&n| n <= isize::MAX as usize / 4)
            .ok_or_else(|| {
                Error::invalid_argument(format!("shape {shape:?} has too many elements"))
            })?;
        Self::new(shape, vec![0.0; length])
    }

    /// Borrows it.
    #[must_use]
    pub fn as_ref(&self) -> TensorRef<'_> {
        TensorRef {
            shape: &self.shape,
            data: &self.data,
        }
    }

    /// Extents, the example axis first; never empty.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// All elements in row-major order.
    #[must_use]
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// All elements in row-major order, to be changed.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// Number of examples: the first extent.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape[0]
    }

    /// The elements of example `i`.
    ///
    /// # Panics
    /// When `i` is not below [`rows`](Self::rows).
    #[must_use]
    pub fn row(&self, i: usize) -> &[f32] {
        self.as_ref().row(i)
    }

    /// The elements alone.
    #[must_use]
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    pub(crate) fn into_parts(self) -> (Vec<usize>, Vec<f32>) {
        (self.shape, self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_checked() {
        assert!(TensorRef::new(&[2, 3], &[0.0; 6]).is_ok());
        assert!(TensorRef::new(&[2, 3], &[0.0; 5]).is_err());
        assert!(TensorRef::new(&[], &[0.0]).is_err());
        assert!(TensorRef::new(&[usize::MAX, 2], &[]).is_err());
        assert!(Tensor::new([0, 3], vec![]).is_ok());
        assert!(Tensor::zeros([usize::MAX, 1]).is_err());
    }

    #[test]
    fn rows_are_slices() {
        let data: Vec<f32> = (0..12_u8).map(f32::from).collect();
        let tensor = Tensor::new([3, 2, 2], data).expect("fits");
        let view = tensor.as_ref();
        assert_eq!((view.rows(), view.row_len()), (3, 4));
        assert_eq!(view.row(2), [8.0, 9.0, 10.0, 11.0]);
        assert_eq!(view.to_tensor(), tensor);
    }

    #[test]
    fn empty_rows_are_empty_slices() {
        let view = TensorRef::new(&[3, 0], &[]).expect("fits");
        assert_eq!(view.row(2), [0.0_f32; 0]);
    }
}
