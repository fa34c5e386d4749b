//! Arrays from anywhere: NumPy files that nothing is known about.
//!
//! A file is read whole once its header is that of an array, and looked at in place, so that a
//! header which promises more than the file holds costs nothing.

use std::io::Read as _;
use std::path::Path;

use ndarray::ArrayViewD;
use ndarray_npy::{ReadableElement, ViewElement, ViewNpyError, ViewNpyExt as _};

use crate::error::{RunError, at};

/// Largest file that is read, in bytes.
const LARGEST: u64 = 4 << 30;
/// Longest header: an array of six axes has 130 bytes.
const LONGEST_HEADER: usize = 1024;
/// Magic word, version and length of the header.
const LONGEST_START: usize = 12;
/// What the values are laid at a multiple of.
const ALIGNMENT: usize = 16;

/// A file in memory, its values aligned.
struct Content {
    buffer: Vec<u8>,
    start: usize,
}

impl Content {
    fn read(path: &Path) -> Result<Self, RunError> {
        let mut file = open(path)?;
        let mut head = Vec::new();
        let head_len = (LONGEST_START + LONGEST_HEADER) as u64;
        (&mut file)
            .take(head_len)
            .read_to_end(&mut head)
            .map_err(at(path))?;
        let values_at = header_len(&head).map_err(|what| refused(path, &what))?;
        let len = file.metadata().map_err(at(path))?.len();
        if len > LARGEST {
            return Err(refused(
                path,
                "is larger than 4 GiB; score it in parts with --select",
            ));
        }
        let len = len as usize;
        let mut buffer = vec![0; len + ALIGNMENT];
        let values = buffer.as_ptr().wrapping_add(values_at);
        let start = values.align_offset(ALIGNMENT).min(ALIGNMENT);
        let target = &mut buffer[start..start + len];
        let known = head.len().min(len);
        target[..known].copy_from_slice(&head[..known]);
        file.read_exact(&mut target[known..]).map_err(at(path))?;
        buffer.truncate(start + len);
        Ok(Self { buffer, start })
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// The array, if its values are of this type, else the type it says they are.
    fn array<S, T>(
        &self,
        path: &Path,
        value: impl Fn(&S) -> T,
    ) -> Result<Result<Array<T>, String>, RunError>
    where
        S: ViewElement + ReadableElement,
    {
        let what = match ArrayViewD::<S>::view_npy(self.bytes()) {
            Ok(view) => {
                return Ok(Ok(Array {
                    shape: view.shape().to_vec(),
                    // In the order of the axes, whatever order they lie in.
                    values: view.iter().map(value).collect(),
                }));
            }
            Err(ViewNpyError::WrongDescriptor(found)) => return Ok(Err(found.to_string())),
            Err(ViewNpyError::NonNativeEndian) => {
                "is of the other byte order; convert it with array.astype('float32')".to_owned()
            }
            Err(ViewNpyError::MissingBytes(missing)) => {
                format!("is cut off: {missing} bytes of its values are missing; write it again")
            }
            Err(ViewNpyError::ExtraBytes(extra)) => {
                format!("has {extra} bytes behind its values; write it with numpy.save")
            }
            Err(ViewNpyError::LengthOverflow) => {
                "has a shape beyond all memory; write it with numpy.save".to_owned()
            }
            Err(error) => format!("cannot be read: {error}; write it with numpy.save"),
        };
        Err(refused(path, &what))
    }
}

/// Opens a file that has an end: a device, a pipe and a folder are none.
fn open(path: &Path) -> Result<std::fs::File, RunError> {
    let failed = |error: std::io::Error| {
        refused(
            path,
            &format!("cannot be opened: {error}; check its path and rights"),
        )
    };
    // Before it is opened, since opening a pipe waits for its other end.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(refused(
            path,
            "is a folder; name the file that numpy.save wrote",
        ));
    }
    if !metadata.is_file() {
        return Err(refused(
            path,
            "is not a regular file; write the array to one with numpy.save",
        ));
    }
    std::fs::File::open(path).map_err(failed)
}

/// Where the values begin, of a file's first bytes, or what is wrong with those.
fn header_len(head: &[u8]) -> Result<usize, String> {
    if head.starts_with(b"PK\x03\x04") {
        return Err("is an .npz archive; save the array by itself with numpy.save".to_owned());
    }
    if !head.starts_with(b"\x93NUMPY") {
        let what = if head.is_empty() {
            "is empty"
        } else {
            "is not a NumPy array file"
        };
        return Err(format!("{what}; write it with numpy.save"));
    }
    let cut_off = || "ends within its header; it is cut off, write it again".to_owned();
    let width = if head.get(6) == Some(&1) { 2 } else { 4 };
    let digits = head.get(8..8 + width).ok_or_else(cut_off)?;
    let length = digits
        .iter()
        .rev()
        .fold(0, |value, &byte| (value << 8) | usize::from(byte));
    if length > LONGEST_HEADER {
        return Err(format!(
            "has a header of {length} bytes, which no array needs; write it with numpy.save"
        ));
    }
    let end = 8 + width + length;
    let header = head.get(8 + width..end).ok_or_else(cut_off)?;
    // A dictionary with one tuple, the shape: the parser of anything deeper may never end.
    if header
        .iter()
        .filter(|&&byte| b"({[".contains(&byte))
        .count()
        > 2
    {
        return Err("describes no plain array; write one of float32 with numpy.save".to_owned());
    }
    Ok(end)
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

/// Attributions as float32.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Floats {
    pub(super) array: Array<f32>,
    /// Entries of the first axis whose values are all too small for float32 (and were not 0).
    pub(super) vanished: usize,
}

/// Attributions: an array of float32 or float64 (rounded to float32).
pub(super) fn read_floats(path: &Path) -> Result<Floats, RunError> {
    let content = Content::read(path)?;
    if let Ok(array) = content.array(path, |&value: &f32| value)? {
        return Ok(Floats { array, vanished: 0 });
    }
    match content.array(path, |&value: &f64| value)? {
        Ok(array) => Ok(Floats {
            vanished: vanished(&array),
            array: Array {
                shape: array.shape,
                values: array.values.iter().map(|&value| value as f32).collect(),
            },
        }),
        Err(found) => Err(refused(
            path,
            &format!(
                "holds values of type {found}, neither float32 nor float64; convert it with \
                 array.astype('float32')"
            ),
        )),
    }
}

fn vanished(array: &Array<f64>) -> usize {
    let count = array.shape.first().copied().unwrap_or(0).max(1);
    let entries = array
        .values
        .chunks_exact((array.values.len() / count).max(1));
    entries
        .filter(|values| {
            values.iter().any(|&value| value != 0.0)
                && values.iter().all(|&value| value as f32 == 0.0)
        })
        .count()
}

/// Masks: an array of booleans or of numbers that are all 0 or 1.
pub(super) fn read_mask(path: &Path) -> Result<Array<u8>, RunError> {
    let content = Content::read(path)?;
    let whole = |value: i64| u8::try_from(value).unwrap_or(u8::MAX);
    let array = if let Ok(array) = content.array(path, |&inside: &bool| u8::from(inside))? {
        array
    } else if let Ok(array) = content.array(path, |&value: &u8| value)? {
        array
    } else if let Ok(array) = content.array(path, |&value: &i64| whole(value))? {
        array
    } else if let Ok(array) = content.array(path, |&value: &i32| whole(value.into()))? {
        array
    } else if let Ok(array) = content.array(path, |&value: &f32| flag(value.into()))? {
        array
    } else {
        content
            .array(path, |&value: &f64| flag(value))?
            .map_err(|found| {
                let what = format!(
                    "holds values of type {found}, which make no masks; convert it with \
                     array.astype(bool)"
                );
                refused(path, &what)
            })?
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
        let read = read_floats(single.path()).unwrap().array;
        assert_eq!(
            (read.shape, read.values),
            (vec![2, 2], vec![1.0, 2.0, 3.0, 4.0])
        );
        let double = file(&npy(&arr1(&[0.1f64, -1e300])));
        assert_eq!(
            read_floats(double.path()).unwrap().array.values,
            [0.1, f32::NEG_INFINITY]
        );
        let fortran = Array3::from_shape_fn((2, 3, 4).f(), |(i, j, k)| (i * 12 + j * 4 + k) as f32);
        let read = read_floats(file(&npy(&fortran)).path()).unwrap();
        assert_eq!(
            read.array.values,
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
        assert!(error(b"").starts_with("is empty; write it with numpy.save"));
        assert!(error(b"row,a\n").starts_with("is not a NumPy array file"));
        assert!(error(b"PK\x03\x04rest").starts_with("is an .npz archive"));
        assert!(error(&good[..7]).starts_with("ends within its header"));
        assert!(error(&good[..40]).starts_with("ends within its header"));
        assert!(error(&good[..good.len() - 3]).starts_with("is cut off: 3 bytes"));
        assert!(error(&[&good[..], &[0; 5]].concat()).starts_with("has 5 bytes behind"));
        assert!(error(&npy(&arr1(&[1i64]))).starts_with("holds values of type '<i8', neither"));
        let swapped = String::from_utf8_lossy(&good).contains("'<f4'");
        assert!(swapped, "the test swaps the byte order in the header");
        let at = good.iter().position(|&byte| byte == b'<').unwrap();
        let mut other = good.clone();
        other[at] = b'>';
        assert!(error(&other).starts_with("is of the other byte order; convert it with"));
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
        let read = read_floats(file(&brackets).path()).unwrap();
        assert_eq!(read.array.values.len(), 3);
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

    #[test]
    fn what_has_no_end_is_not_read() {
        let refusal = |path: &Path| read_floats(path).unwrap_err().to_string();
        let folder = tempfile::tempdir().unwrap();
        assert!(refusal(folder.path()).contains("is a folder; name the file"));
        let missing = folder.path().join("maps.npy");
        assert!(refusal(&missing).contains("cannot be opened"));
        let looped = folder.path().join("loop.npy");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&looped, &looped).unwrap();
            assert!(refusal(&looped).contains("cannot be opened"));
            assert!(refusal(Path::new("/dev/zero")).contains("is not a regular file"));
        }
        // Terabytes of holes: the file's length is asked before it is read.
        let sparse = tempfile::NamedTempFile::new().unwrap();
        let header = npy(&arr2(&[[1.0f32, 2.0]]));
        std::fs::write(sparse.path(), &header).unwrap();
        if sparse.as_file().set_len(1 << 40).is_ok() {
            assert!(refusal(sparse.path()).contains("is larger than 4 GiB"));
        }
    }

    #[test]
    fn a_header_of_any_length_is_read() {
        // As other programs write it: not padded, so that the values lie at odd places.
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
        for version in [1u8, 2] {
            for padding in 0..5 {
                let text = format!("{}{text}", " ".repeat(padding));
                let mut bytes = b"\x93NUMPY".to_vec();
                bytes.extend([version, 0]);
                let len = (text.len() as u32).to_le_bytes();
                bytes.extend(&len[..if version == 1 { 2 } else { 4 }]);
                bytes.extend(text.as_bytes());
                bytes.extend([0, 0, 128, 63, 0, 0, 0, 64]);
                let read = read_floats(file(&bytes).path()).unwrap();
                assert_eq!(read.array.values, [1.0, 2.0], "{version} {padding}");
            }
        }
    }

    #[test]
    fn maps_that_vanish_in_float32_are_counted() {
        let tiny = arr2(&[[1e-60, -1e-50], [0.0, 0.0], [1e-60, 1.0], [1e300, 1e-60]]);
        let read = read_floats(file(&npy(&tiny)).path()).unwrap();
        assert_eq!(read.vanished, 1);
        let empty = ndarray::Array2::<f64>::zeros((3, 0));
        assert_eq!(read_floats(file(&npy(&empty)).path()).unwrap().vanished, 0);
    }
}
