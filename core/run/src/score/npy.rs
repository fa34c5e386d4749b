//! Arrays from anywhere: NumPy files that nothing is known about.
//!
//! A file is read whole and looked at in place, so that a header which promises more than the
//! file holds costs nothing; its header is refused where it is longer than any true one.

use std::io::Read as _;
use std::path::Path;

use ndarray::{ArrayD, ArrayViewD};
use ndarray_npy::{ReadableElement, ViewElement, ViewNpyError, ViewNpyExt as _};

use crate::error::{RunError, at};

/// Largest file that is read, in bytes.
const LARGEST: u64 = 4 << 30;
/// Longest header: an array of six axes has 130 bytes.
const LONGEST_HEADER: usize = 1024;
/// What the values begin at a multiple of, in files that NumPy writes.
const ALIGNMENT: usize = 16;

/// A file in memory, its first byte aligned.
struct Content {
    buffer: Vec<u8>,
    start: usize,
}

impl Content {
    fn read(path: &Path) -> Result<Self, RunError> {
        let file = std::fs::File::open(path)
            .map_err(|error| refused(path, &format!("cannot be opened: {error}")))?;
        let mut bytes = Vec::new();
        // Not by the length in the file system: a device says 0 and never ends.
        file.take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(at(path))?;
        if bytes.len() as u64 > LARGEST {
            return Err(refused(
                path,
                "is larger than 4 GiB; score it in parts with --select",
            ));
        }
        let mut buffer = vec![0; bytes.len() + ALIGNMENT];
        let start = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        buffer[start..start + bytes.len()].copy_from_slice(&bytes);
        buffer.truncate(start + bytes.len());
        let content = Self { buffer, start };
        content.check(path)?;
        Ok(content)
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Magic word and length of the header.
    fn check(&self, path: &Path) -> Result<(), RunError> {
        let bytes = self.bytes();
        if bytes.starts_with(b"PK\x03\x04") {
            return Err(refused(
                path,
                "is an .npz archive; save the array by itself with numpy.save",
            ));
        }
        if !bytes.starts_with(b"\x93NUMPY") {
            return Err(refused(
                path,
                "is not a NumPy array file; write it with numpy.save",
            ));
        }
        let number = |from: usize, width: usize| {
            let digits = bytes.get(from..from + width)?;
            let value = digits
                .iter()
                .rev()
                .fold(0, |value, &byte| (value << 8) | usize::from(byte));
            Some(value)
        };
        let width = if bytes.get(6) == Some(&1) { 2 } else { 4 };
        let Some(length) = number(8, width) else {
            return Err(refused(path, "ends within its header; it is cut off"));
        };
        if length > LONGEST_HEADER {
            let what = format!(
                "has a header of {length} bytes, which no array needs; write it with numpy.save"
            );
            return Err(refused(path, &what));
        }
        // A dictionary with one tuple, the shape: the parser of anything deeper may never end.
        let header = bytes.iter().skip(8 + width).take(length);
        let brackets = header.filter(|&&byte| b"({[".contains(&byte)).count();
        if brackets > 2 {
            return Err(refused(
                path,
                "describes no plain array; write one of float32 with numpy.save",
            ));
        }
        Ok(())
    }

    /// The array, if its values are of this type; `None` if they are of another.
    fn array<T>(&self, path: &Path) -> Result<Option<ArrayD<T>>, RunError>
    where
        T: ViewElement + ReadableElement + Clone,
    {
        match ArrayViewD::<T>::view_npy(self.bytes()) {
            Ok(view) => Ok(Some(view.to_owned())),
            Err(ViewNpyError::WrongDescriptor(_)) => Ok(None),
            Err(ViewNpyError::MissingBytes(missing)) => Err(refused(
                path,
                &format!("is cut off: {missing} bytes of its values are missing; write it again"),
            )),
            Err(ViewNpyError::ExtraBytes(extra)) => Err(refused(
                path,
                &format!("has {extra} bytes behind its values; write it with numpy.save"),
            )),
            Err(error) => Err(refused(
                path,
                &format!("cannot be read: {error}; write it with numpy.save"),
            )),
        }
    }
}

fn refused(path: &Path, what: &str) -> RunError {
    RunError::Flag(format!("{} {what}", path.display()))
}

/// An array as rows in C order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array<T> {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<T>,
}

impl<T: Clone> Array<T> {
    /// Whatever order it lies in.
    fn of<S: Clone>(array: &ArrayD<S>, value: impl Fn(&S) -> T) -> Self {
        Self {
            shape: array.shape().to_vec(),
            values: array.iter().map(value).collect(),
        }
    }
}

/// Attributions: an array of float32 or float64 (rounded to float32).
pub(super) fn read_floats(path: &Path) -> Result<Array<f32>, RunError> {
    let content = Content::read(path)?;
    if let Some(array) = content.array::<f32>(path)? {
        return Ok(Array::of(&array, |&value| value));
    }
    if let Some(array) = content.array::<f64>(path)? {
        return Ok(Array::of(&array, |&value| value as f32));
    }
    Err(refused(
        path,
        "holds neither float32 nor float64 of this machine's byte order; convert it with \
         array.astype('float32')",
    ))
}

/// Masks: an array of booleans or of numbers that are all 0 or 1.
pub(super) fn read_mask(path: &Path) -> Result<Array<u8>, RunError> {
    let content = Content::read(path)?;
    let array = if let Some(array) = content.array::<bool>(path)? {
        Array::of(&array, |&inside| u8::from(inside))
    } else if let Some(array) = content.array::<u8>(path)? {
        Array::of(&array, |&value| value)
    } else if let Some(array) = content.array::<i64>(path)? {
        Array::of(&array, |&value| u8::try_from(value).unwrap_or(u8::MAX))
    } else if let Some(array) = content.array::<i32>(path)? {
        Array::of(&array, |&value| u8::try_from(value).unwrap_or(u8::MAX))
    } else if let Some(array) = content.array::<f32>(path)? {
        Array::of(&array, |&value| flag(f64::from(value)))
    } else if let Some(array) = content.array::<f64>(path)? {
        Array::of(&array, |&value| flag(value))
    } else {
        return Err(refused(
            path,
            "holds no masks; convert it with array.astype(bool)",
        ));
    };
    if array.values.iter().any(|&value| value > 1) {
        return Err(refused(
            path,
            "has values other than 0 and 1; make masks of it with array > threshold",
        ));
    }
    Ok(array)
}

fn flag(value: f64) -> u8 {
    if value == 0.0 {
        0
    } else if value == 1.0 {
        1
    } else {
        u8::MAX
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, ShapeBuilder as _, arr1, arr2};

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    fn npy(array: &impl ndarray_npy::WriteNpyExt) -> Vec<u8> {
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        bytes
    }

    fn error(bytes: &[u8]) -> String {
        let file = file(bytes);
        let text = read_floats(file.path()).unwrap_err().to_string();
        text.strip_prefix(&format!("{} ", file.path().display()))
            .expect("an error names its file")
            .to_owned()
    }

    #[test]
    fn both_float_types_and_both_orders_are_read() {
        let single = file(&npy(&arr2(&[[1.0f32, 2.0], [3.0, 4.0]])));
        let read = read_floats(single.path()).unwrap();
        assert_eq!(
            (read.shape, read.values),
            (vec![2, 2], vec![1.0, 2.0, 3.0, 4.0])
        );
        let double = file(&npy(&arr1(&[0.1f64, -1e300])));
        assert_eq!(
            read_floats(double.path()).unwrap().values,
            [0.1, f32::NEG_INFINITY]
        );
        let fortran = Array3::from_shape_fn((2, 3, 4).f(), |(i, j, k)| (i * 12 + j * 4 + k) as f32);
        let read = read_floats(file(&npy(&fortran)).path()).unwrap();
        assert_eq!(
            read.values,
            (0..24).map(|value| value as f32).collect::<Vec<f32>>()
        );
    }

    #[test]
    fn masks_are_booleans_or_zeros_and_ones() {
        let read = |bytes: Vec<u8>| read_mask(file(&bytes).path());
        assert_eq!(read(npy(&arr1(&[true, false]))).unwrap().values, [1, 0]);
        assert_eq!(read(npy(&arr1(&[1u8, 0]))).unwrap().values, [1, 0]);
        assert_eq!(read(npy(&arr1(&[0i64, 1]))).unwrap().values, [0, 1]);
        assert_eq!(read(npy(&arr1(&[0.0f64, 1.0]))).unwrap().values, [0, 1]);
        for wrong in [
            npy(&arr1(&[255u8])),
            npy(&arr1(&[0.5f32])),
            npy(&arr1(&[-1i64])),
        ] {
            assert!(
                read(wrong)
                    .unwrap_err()
                    .to_string()
                    .contains("other than 0 and 1")
            );
        }
    }

    #[test]
    fn hostile_files_are_refused_with_a_remedy() {
        let good = npy(&arr2(&[[1.0f32, 2.0], [3.0, 4.0]]));
        assert!(error(b"").starts_with("is not a NumPy array file"));
        assert!(error(b"PK\x03\x04rest").starts_with("is an .npz archive"));
        assert!(error(&good[..7]).starts_with("ends within its header"));
        assert!(error(&good[..40]).starts_with("cannot be read"));
        assert!(error(&good[..good.len() - 3]).starts_with("is cut off: 3 bytes"));
        assert!(error(&[&good[..], &[0; 5]].concat()).starts_with("has 5 bytes behind"));
        assert!(error(&npy(&arr1(&[1i64]))).starts_with("holds neither float32 nor float64"));
        // Version 2 may promise a header of 4 GB.
        let mut long = good.clone();
        long[6] = 2;
        long[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(error(&long).starts_with("has a header of 4294967295 bytes"));
        // Shapes beyond the file, and beyond all numbers.
        for shape in [
            "(99999999, 99999999)",
            "(999999999999999999, 99, 99)",
            "(3,)",
        ] {
            let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
            let text = format!("{header:<117}\n");
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((text.len() as u16).to_le_bytes());
            bytes.extend(text.as_bytes());
            bytes.extend([0; 8]);
            assert!(!error(&bytes).is_empty(), "{shape}");
        }
        // Values that look like brackets are no header.
        let brackets = npy(&arr1(&[f32::from_le_bytes(*b"([{("); 3]));
        assert_eq!(read_floats(file(&brackets).path()).unwrap().values.len(), 3);
        // Nonsense and brackets without end in the place of a header.
        for filler in [b'(', b'{', b'x'] {
            let mut bytes = b"\x93NUMPY\x01\x00\xf4\x03".to_vec();
            bytes.extend([filler; 1011]);
            bytes.push(b'\n');
            let text = error(&bytes);
            assert!(
                text.starts_with("cannot be read") || text.starts_with("describes no plain"),
                "{text}"
            );
        }
    }
}
