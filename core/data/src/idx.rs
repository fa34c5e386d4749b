//! IDX files (LeCun's format for MNIST), plain or gzip, read without trusting them.
//!
//! A header of four bytes (two zeros, a type code, the number of dimensions) is
//! followed by one big-endian `u32` per dimension and then the values. Nothing is
//! allocated on the word of the header alone: its product is computed with overflow
//! checks and capped, and at most one byte more than it declares is ever decompressed,
//! so neither a false header nor a gzip bomb can fill the memory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::digest;
use crate::error::{DataError, Result};

/// Largest content, in bytes, that is read from one IDX file.
pub const MAX_CONTENT: u64 = 512 << 20;

/// Room made before the first byte is read; beyond it memory grows with what arrives.
const FIRST_ROOM: u64 = 64 << 20;

/// The type code of unsigned bytes, the only one read here.
const UNSIGNED_BYTE: u8 = 0x08;

const REMEDY: &str = "replace the file by an intact copy";

/// Images of an IDX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// Number of images.
    pub count: usize,
    /// Rows of one image.
    pub height: usize,
    /// Columns of one image.
    pub width: usize,
    /// Pixels, `[count, height, width]`.
    pub pixels: Vec<u8>,
    /// SHA-256 of the whole decompressed file, header included.
    pub digest: [u8; 32],
}

/// Labels of an IDX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// One class index per image.
    pub values: Vec<u8>,
    /// SHA-256 of the whole decompressed file, header included.
    pub digest: [u8; 32],
}

/// Reads an image file (three dimensions), plain or gzip; which of the two is told by
/// its first bytes, not by its name. `size`, if given, is the height and width asked for.
///
/// # Errors
/// [`DataError::Io`], [`DataError::NotAFile`], and [`DataError::Malformed`] with the
/// header field and byte offset: wrong magic, type, dimensions, truncated or damaged
/// content, trailing bytes, more than [`MAX_CONTENT`].
pub fn read_images(path: &Path, size: Option<[usize; 2]>) -> Result<Images> {
    images(path, size, REMEDY)
}

/// Reads a label file (one dimension), plain or gzip. `classes`, if given, is the number
/// of classes: labels must be below it.
///
/// # Errors
/// As [`read_images`]; a label out of range is named by its index.
pub fn read_labels(path: &Path, classes: Option<u8>) -> Result<Labels> {
    labels(path, classes, REMEDY)
}

/// Checks that there is one label per image.
///
/// # Errors
/// [`DataError::Malformed`] for the label file's count.
pub fn check_counts(images: (&Path, usize), labels: (&Path, usize)) -> Result<()> {
    counts(images, labels, REMEDY)
}

pub(crate) fn images(path: &Path, size: Option<[usize; 2]>, remedy: &str) -> Result<Images> {
    let (dims, pixels, digest) = Reader::open(path, remedy)?.read::<3>()?;
    let [count, height, width] = dims;
    if let Some([h, w]) = size {
        for (field, offset, asked, found) in [("height", 8, h, height), ("width", 12, w, width)] {
            if asked != found {
                return Err(malformed(path, field, offset, asked, found, remedy));
            }
        }
    }
    Ok(Images {
        count,
        height,
        width,
        pixels,
        digest,
    })
}

pub(crate) fn labels(path: &Path, classes: Option<u8>, remedy: &str) -> Result<Labels> {
    let (_, values, digest) = Reader::open(path, remedy)?.read::<1>()?;
    if let Some(classes) = classes
        && let Some(index) = values.iter().position(|&label| label >= classes)
    {
        let expected = format!("a class below {classes} for label {index}");
        return Err(malformed(
            path,
            "label",
            8 + index as u64,
            expected,
            values[index],
            remedy,
        ));
    }
    Ok(Labels { values, digest })
}

pub(crate) fn counts(images: (&Path, usize), labels: (&Path, usize), remedy: &str) -> Result<()> {
    if images.1 == labels.1 {
        return Ok(());
    }
    let expected = format!(
        "{} labels, one per image of {}",
        images.1,
        images.0.display()
    );
    Err(malformed(labels.0, "count", 4, expected, labels.1, remedy))
}

fn malformed(
    path: &Path,
    field: &'static str,
    offset: u64,
    expected: impl ToString,
    found: impl ToString,
    remedy: &str,
) -> DataError {
    DataError::Malformed {
        path: path.to_owned(),
        field,
        offset,
        expected: expected.to_string(),
        found: found.to_string(),
        remedy: remedy.to_owned(),
    }
}

/// Opens `path` for reading when it is a regular file; never blocks on a pipe.
pub(crate) fn open_regular(path: &Path, remedy: &str) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(|e| DataError::io("open", path, e))?;
    if !metadata.is_file() {
        return Err(DataError::NotAFile {
            path: path.to_owned(),
            remedy: remedy.to_owned(),
        });
    }
    File::open(path).map_err(|e| DataError::io("open", path, e))
}

struct Reader<'a> {
    path: &'a Path,
    remedy: &'a str,
    source: Box<dyn Read>,
    gzip: bool,
    offset: u64,
}

impl<'a> Reader<'a> {
    fn open(path: &'a Path, remedy: &'a str) -> Result<Self> {
        let mut file = BufReader::with_capacity(1 << 16, open_regular(path, remedy)?);
        let head = file
            .fill_buf()
            .map_err(|e| DataError::io("read", path, e))?;
        let gzip = head.starts_with(&[0x1f, 0x8b]);
        let source: Box<dyn Read> = if gzip {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        Ok(Self {
            path,
            remedy,
            source,
            gzip,
            offset: 0,
        })
    }

    fn read<const D: usize>(mut self) -> Result<([usize; D], Vec<u8>, [u8; 32])> {
        let mut header = vec![0u8; 4 + 4 * D];
        self.fill(&mut header[..4], "magic number")?;
        if header[..2] != [0, 0] {
            return Err(self.wrong("magic number", 0, "two zero bytes", hex(&header[..2])));
        }
        if header[2] != UNSIGNED_BYTE {
            let found = format!("0x{:02x}", header[2]);
            return Err(self.wrong("type code", 2, "0x08 (unsigned bytes)", found));
        }
        if usize::from(header[3]) != D {
            return Err(self.wrong("number of dimensions", 3, D, header[3]));
        }
        self.fill(&mut header[4..], "dimensions")?;
        let mut dims = [0usize; D];
        let mut content = 1u64;
        for (dim, bytes) in dims.iter_mut().zip(header[4..].chunks_exact(4)) {
            let size = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            content = match content.checked_mul(u64::from(size)) {
                Some(product) if product <= MAX_CONTENT => product,
                _ => {
                    let found = dimensions(&header[4..]);
                    let expected = format!("at most {MAX_CONTENT} bytes of content");
                    return Err(self.wrong("dimensions", 4, expected, found));
                }
            };
            *dim = size as usize;
        }
        let data = self.content(content)?;
        let digest = digest::sha256_of(&[&header, &data]);
        Ok((dims, data, digest))
    }

    /// Exactly `expected` bytes and then the end.
    fn content(&mut self, expected: u64) -> Result<Vec<u8>> {
        // Both fit in usize: they are capped above.
        let mut data = Vec::with_capacity(expected.min(FIRST_ROOM) as usize + 1);
        let read = self
            .source
            .as_mut()
            .take(expected + 1)
            .read_to_end(&mut data);
        self.offset += data.len() as u64;
        if let Err(error) = read {
            return Err(self.failed("content", error));
        }
        let offset = self.offset;
        if (data.len() as u64) < expected {
            let found = format!("{} (the file is truncated)", data.len());
            return Err(self.wrong("content", offset, format!("{expected} bytes"), found));
        }
        if data.len() as u64 > expected {
            let expected = format!("the end after {expected} bytes of content");
            return Err(self.wrong("content", offset - 1, expected, "trailing bytes"));
        }
        Ok(data)
    }

    fn fill(&mut self, buffer: &mut [u8], field: &'static str) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.source.read(&mut buffer[filled..]) {
                Ok(0) => {
                    let expected = format!("{} more bytes", buffer.len() - filled);
                    let found = "the end of the file (it is truncated)";
                    return Err(self.wrong(field, self.offset, expected, found));
                }
                Ok(n) => {
                    filled += n;
                    self.offset += n as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(field, error)),
            }
        }
        Ok(())
    }

    fn failed(&self, field: &'static str, error: std::io::Error) -> DataError {
        if !self.gzip {
            return DataError::io("read", self.path, error);
        }
        let found = match error.kind() {
            ErrorKind::UnexpectedEof => "a truncated gzip stream".to_owned(),
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                format!("a damaged gzip stream ({error})")
            }
            _ => return DataError::io("read", self.path, error),
        };
        self.wrong(field, self.offset, "a whole gzip stream", found)
    }

    fn wrong(
        &self,
        field: &'static str,
        offset: u64,
        expected: impl ToString,
        found: impl ToString,
    ) -> DataError {
        malformed(self.path, field, offset, expected, found, self.remedy)
    }
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", digest::hex(bytes))
}

fn dimensions(header: &[u8]) -> String {
    let sizes = header
        .chunks_exact(4)
        .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    sizes
        .map(|size| size.to_string())
        .collect::<Vec<_>>()
        .join(" x ")
}
