//! The frames of the worker protocol.
//!
//! A frame is: magic `XBW1`, kind (u32), length of the header (u32), number of blobs (u32), the
//! length of each blob (u64), the header as JSON, then the blobs; integers are little-endian. Every
//! length is checked against a cap before anything is read, and buffers grow with what really
//! arrives, so a frame that lies about its size cannot exhaust memory.

use std::io::{self, Read, Write};

use serde_json::Value;

/// Largest header of a frame, in bytes.
pub const MAX_HEADER_BYTES: u64 = 16 << 20;
/// Largest sum of a frame's blobs, in bytes.
pub const MAX_BLOB_BYTES: u64 = 1 << 30;
/// Largest number of blobs in one frame.
const MAX_BLOBS: u32 = 4096;
const MAGIC: [u8; 4] = *b"XBW1";

/// What travels between host and worker: a JSON header and binary blobs beside it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Message {
    /// The request, reply or event, as JSON.
    pub header: Value,
    /// Arrays too large for JSON, in the order that the header's reader expects.
    pub blobs: Vec<Vec<u8>>,
}

macro_rules! numbers {
    ($push:ident, $get:ident, $type:ty) => {
        #[doc = concat!("Appends `values` as a blob of little-endian `", stringify!($type), "`.")]
        pub fn $push(&mut self, values: &[$type]) {
            let mut bytes = Vec::with_capacity(size_of_val(values));
            for value in values {
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            self.blobs.push(bytes);
        }

        #[doc = concat!("Blob `index` as little-endian `", stringify!($type), "`.\n\n# Errors\n\n",
                        "When there is no such blob or its length is not a multiple of the number's size.")]
        pub fn $get(&self, index: usize) -> Result<Vec<$type>, String> {
            const SIZE: usize = size_of::<$type>();
            let bytes = self.blob(index)?;
            if !bytes.len().is_multiple_of(SIZE) {
                return Err(format!(
                    "blob {index} has {} bytes, which is not a multiple of {SIZE}",
                    bytes.len()
                ));
            }
            Ok(bytes
                .chunks_exact(SIZE)
                .map(|chunk| {
                    let mut number = [0_u8; SIZE];
                    number.copy_from_slice(chunk);
                    <$type>::from_le_bytes(number)
                })
                .collect())
        }
    };
}

impl Message {
    /// A message without blobs.
    #[must_use]
    pub fn new(header: Value) -> Self {
        Self {
            header,
            blobs: Vec::new(),
        }
    }

    /// Blob `index`.
    ///
    /// # Errors
    ///
    /// When the message has fewer blobs.
    pub fn blob(&self, index: usize) -> Result<&[u8], String> {
        self.blobs.get(index).map(Vec::as_slice).ok_or_else(|| {
            format!(
                "blob {index} is missing: the message has {}",
                self.blobs.len()
            )
        })
    }

    numbers!(push_f32, f32s, f32);
    numbers!(push_i64, i64s, i64);
    numbers!(push_u64, u64s, u64);
}

/// The role of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// First frame of a worker: protocol and version.
    Hello = 1,
    /// Host to worker.
    Request = 2,
    /// The answer to a request.
    Reply = 3,
    /// The handler's error, as `{"error": text}`.
    Refusal = 4,
    /// Progress or a log line before the answer.
    Event = 5,
}

impl FrameKind {
    fn from_code(code: u32) -> Option<Self> {
        [
            Self::Hello,
            Self::Request,
            Self::Reply,
            Self::Refusal,
            Self::Event,
        ]
        .into_iter()
        .find(|kind| *kind as u32 == code)
    }
}

/// Why bytes are not a frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the stream ended in the middle of a frame")]
    Truncated,
    #[error("expected a frame, found the bytes {0:02x?}: something else writes to the stream")]
    Magic([u8; 4]),
    #[error("unknown kind of frame {0}")]
    Kind(u32),
    #[error("{what} of {size} is above the limit of {limit}")]
    TooLarge {
        what: &'static str,
        size: u64,
        limit: u64,
    },
    #[error("the header is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Io(error),
        }
    }
}

fn within(what: &'static str, size: u64, limit: u64) -> Result<(), FrameError> {
    if size > limit {
        Err(FrameError::TooLarge { what, size, limit })
    } else {
        Ok(())
    }
}

/// The frame's bytes up to where the blobs begin.
pub(crate) fn frame_head(kind: FrameKind, message: &Message) -> Result<Vec<u8>, FrameError> {
    let header = serde_json::to_vec(&message.header)?;
    within("a header", header.len() as u64, MAX_HEADER_BYTES)?;
    within(
        "a number of blobs",
        message.blobs.len() as u64,
        u64::from(MAX_BLOBS),
    )?;
    let total: u64 = message.blobs.iter().map(|blob| blob.len() as u64).sum();
    within("a sum of blobs", total, MAX_BLOB_BYTES)?;

    let mut head = Vec::with_capacity(16 + 8 * message.blobs.len() + header.len());
    head.extend_from_slice(&MAGIC);
    for number in [kind as u32, header.len() as u32, message.blobs.len() as u32] {
        head.extend_from_slice(&number.to_le_bytes());
    }
    for blob in &message.blobs {
        head.extend_from_slice(&(blob.len() as u64).to_le_bytes());
    }
    head.extend_from_slice(&header);
    Ok(head)
}

/// Writes one frame and flushes.
pub(crate) fn write_frame(
    writer: &mut impl Write,
    kind: FrameKind,
    message: &Message,
) -> Result<(), FrameError> {
    let head = frame_head(kind, message)?;
    writer.write_all(&head)?;
    for blob in &message.blobs {
        writer.write_all(blob)?;
    }
    writer.flush()?;
    Ok(())
}

/// Reads one frame; `None` when the stream ends cleanly before one begins.
pub(crate) fn read_frame(
    reader: &mut impl Read,
) -> Result<Option<(FrameKind, Message)>, FrameError> {
    let mut magic = [0_u8; 4];
    let mut filled = 0;
    while filled < magic.len() {
        match reader.read(&mut magic[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Truncated),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if magic != MAGIC {
        return Err(FrameError::Magic(magic));
    }
    let code = read_u32(reader)?;
    let kind = FrameKind::from_code(code).ok_or(FrameError::Kind(code))?;
    let header_length = u64::from(read_u32(reader)?);
    within("a header", header_length, MAX_HEADER_BYTES)?;
    let blob_count = read_u32(reader)?;
    within(
        "a number of blobs",
        u64::from(blob_count),
        u64::from(MAX_BLOBS),
    )?;

    let mut lengths = Vec::with_capacity(blob_count as usize);
    let mut total = 0_u64;
    for _ in 0..blob_count {
        let mut bytes = [0_u8; 8];
        reader.read_exact(&mut bytes)?;
        let length = u64::from_le_bytes(bytes);
        total = total.saturating_add(length);
        within("a sum of blobs", total, MAX_BLOB_BYTES)?;
        lengths.push(length);
    }
    let header = serde_json::from_slice(&read_bytes(reader, header_length)?)?;
    let blobs = lengths
        .into_iter()
        .map(|length| read_bytes(reader, length))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Some((kind, Message { header, blobs })))
}

fn read_u32(reader: &mut impl Read) -> Result<u32, FrameError> {
    let mut bytes = [0_u8; 4];
    reader.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Reads exactly `length` bytes into a buffer that grows as they arrive.
fn read_bytes(reader: &mut impl Read, length: u64) -> Result<Vec<u8>, FrameError> {
    /// Room made before the first byte: most blobs are smaller, and a false length costs no more.
    const FIRST_ROOM: u64 = 4 << 20;
    let mut bytes = Vec::with_capacity(length.min(FIRST_ROOM) as usize);
    reader.take(length).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        Err(FrameError::Truncated)
    } else {
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn frame(kind: FrameKind, message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, kind, message).unwrap();
        bytes
    }

    #[test]
    fn frames_come_back_as_they_were() {
        let mut message = Message::new(json!({"op": "explain", "rows": [1, 2]}));
        message.push_f32(&[1.5, f32::NEG_INFINITY, -0.0]);
        message.blobs.push(Vec::new());
        message.push_i64(&[-1, i64::MAX]);
        message.push_u64(&[u64::MAX]);
        let mut bytes = frame(FrameKind::Request, &message);
        bytes.extend(frame(FrameKind::Event, &Message::new(json!(null))));

        let mut reader = bytes.as_slice();
        let (kind, read) = read_frame(&mut reader).unwrap().unwrap();
        assert_eq!((kind, &read), (FrameKind::Request, &message));
        assert_eq!(read.f32s(0).unwrap(), [1.5, f32::NEG_INFINITY, -0.0]);
        assert_eq!(read.i64s(2).unwrap(), [-1, i64::MAX]);
        assert_eq!(read.u64s(3).unwrap(), [u64::MAX]);
        assert_eq!(
            read_frame(&mut reader).unwrap().unwrap().0,
            FrameKind::Event
        );
        assert!(read_frame(&mut reader).unwrap().is_none());
    }

    #[test]
    fn every_cut_of_a_frame_is_truncated() {
        let mut message = Message::new(json!({"a": 1}));
        message.push_f32(&[1.0, 2.0]);
        let bytes = frame(FrameKind::Reply, &message);
        for length in 1..bytes.len() {
            let error = read_frame(&mut &bytes[..length]).unwrap_err();
            assert!(
                matches!(error, FrameError::Truncated),
                "{length} bytes: {error}"
            );
        }
    }

    #[test]
    fn false_sizes_are_refused_before_reading() {
        let good = frame(FrameKind::Reply, &Message::new(json!({})));
        let mut long_header = good.clone();
        long_header[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut many_blobs = good.clone();
        many_blobs[12..16].copy_from_slice(&5000_u32.to_le_bytes());
        let mut long_blob = good[..12].to_vec();
        long_blob.extend(2_u32.to_le_bytes());
        long_blob.extend(u64::MAX.to_le_bytes());
        long_blob.extend(1_u64.to_le_bytes());
        for bytes in [long_header, many_blobs, long_blob] {
            let error = read_frame(&mut bytes.as_slice()).unwrap_err();
            assert!(matches!(error, FrameError::TooLarge { .. }), "{error}");
        }
        let error = read_frame(&mut b"hello from a plugin".as_slice()).unwrap_err();
        assert!(matches!(error, FrameError::Magic(_)), "{error}");
    }

    #[test]
    fn numbers_need_whole_blobs() {
        let message = Message {
            header: json!({}),
            blobs: vec![vec![0; 7]],
        };
        assert!(message.f32s(0).unwrap_err().contains("not a multiple of 4"));
        assert!(message.f32s(1).unwrap_err().contains("missing"));
    }
}
