//! One binary file: a JSON header and numbers, checksummed.
//!
//! ```text
//! 8  bytes  magic: 0x89 "XBK" CR LF 0x1a LF (damaged by any transfer that "mends" text)
//! 4  bytes  format version, little endian
//! 4  bytes  length of the header, little endian
//!    bytes  header: JSON {kind, key, words, word_bytes, body}
//!    bytes  numbers: byte planes (all first bytes, all second bytes, ...), deflated
//! 32 bytes  SHA-256 of all the above
//! ```
//!
//! Byte planes put the exponents of neighbouring numbers side by side, where deflate finds them;
//! its fastest level then costs little beside computing the numbers.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8; 8] = b"\x89XBK\r\n\x1a\n";
const VERSION: u32 = 1;
const FIXED: usize = 16;
const DIGEST: usize = 32;
/// Most numbers in a block: what 4096 rows of 3 × 224 × 224 need, and not much more, so that
/// no file can ask for more memory than a run could have.
const MAX_WORDS: usize = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Header<B> {
    kind: String,
    key: String,
    words: usize,
    word_bytes: usize,
    body: B,
}

/// A number of fixed width.
pub(crate) trait Word: Copy {
    const BYTES: usize;
    fn put(self, place: usize, planes: &mut [u8], stride: usize);
    fn take(place: usize, planes: &[u8], stride: usize) -> Self;
}

macro_rules! word {
    ($type:ty, $bytes:literal) => {
        impl Word for $type {
            const BYTES: usize = $bytes;
            fn put(self, place: usize, planes: &mut [u8], stride: usize) {
                for (plane, byte) in self.to_le_bytes().into_iter().enumerate() {
                    planes[plane * stride + place] = byte;
                }
            }
            fn take(place: usize, planes: &[u8], stride: usize) -> Self {
                let mut bytes = [0; $bytes];
                for (plane, byte) in bytes.iter_mut().enumerate() {
                    *byte = planes[plane * stride + place];
                }
                Self::from_le_bytes(bytes)
            }
        }
    };
}
word!(f32, 4);
word!(f64, 8);

/// The bytes of a block.
pub(crate) fn encode<B: Serialize, W: Word>(
    kind: &str,
    key: &str,
    body: &B,
    words: &[W],
) -> Result<Vec<u8>, String> {
    let header = Header {
        kind: kind.to_owned(),
        key: key.to_owned(),
        words: words.len(),
        word_bytes: W::BYTES,
        body,
    };
    let header = serde_json::to_vec(&header).map_err(|error| error.to_string())?;
    let header_len =
        u32::try_from(header.len()).map_err(|_| "the header is too long".to_owned())?;
    if words.len() > MAX_WORDS {
        return Err(format!("a block holds at most {MAX_WORDS} numbers"));
    }
    let mut bytes = Vec::with_capacity(FIXED + header.len() + words.len() * W::BYTES + DIGEST);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&header_len.to_le_bytes());
    bytes.extend_from_slice(&header);
    let mut planes = vec![0; words.len() * W::BYTES];
    for (place, word) in words.iter().enumerate() {
        word.put(place, &mut planes, words.len());
    }
    let mut encoder = ZlibEncoder::new(bytes, Compression::fast());
    encoder
        .write_all(&planes)
        .map_err(|error| error.to_string())?;
    let mut bytes = encoder.finish().map_err(|error| error.to_string())?;
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    Ok(bytes)
}

/// Header and numbers of a block that is what it claims to be.
pub(crate) fn decode<B: DeserializeOwned, W: Word>(
    kind: &str,
    key: &str,
    bytes: &[u8],
) -> Result<(B, Vec<W>), String> {
    if bytes.len() < FIXED + DIGEST {
        return Err("it is too short".to_owned());
    }
    let (content, digest) = bytes.split_at(bytes.len() - DIGEST);
    if Sha256::digest(content).as_slice() != digest {
        return Err("its checksum does not match: it is damaged or cut short".to_owned());
    }
    if &content[..8] != MAGIC {
        return Err("it is not a block of xbench".to_owned());
    }
    let number = |at: usize| {
        u32::from_le_bytes([
            content[at],
            content[at + 1],
            content[at + 2],
            content[at + 3],
        ])
    };
    if number(8) != VERSION {
        return Err(format!(
            "its format is version {}, this program reads {VERSION}",
            number(8)
        ));
    }
    let header_end = FIXED.saturating_add(number(12) as usize);
    let header = content
        .get(FIXED..header_end)
        .ok_or("its header is cut short")?;
    let header: Header<B> =
        serde_json::from_slice(header).map_err(|error| format!("its header is wrong: {error}"))?;
    if header.kind != kind || header.key != key {
        return Err(format!("it holds {} {}", header.kind, header.key));
    }
    if header.word_bytes != W::BYTES || header.words > MAX_WORDS {
        return Err("its numbers are of another width or too many".to_owned());
    }
    let length = header.words * W::BYTES;
    let mut planes = Vec::new();
    ZlibDecoder::new(&content[header_end..])
        .take(length as u64 + 1)
        .read_to_end(&mut planes)
        .map_err(|error| format!("its numbers cannot be unpacked: {error}"))?;
    if planes.len() != length {
        return Err("it holds another number of numbers than it says".to_owned());
    }
    let words = (0..header.words)
        .map(|place| W::take(place, &planes, header.words))
        .collect();
    Ok((header.body, words))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Vec<u8> {
        encode(
            "chunk",
            "k",
            &vec![1, 2, 3],
            &[0.5_f32, -1.0, f32::MIN_POSITIVE, 0.0],
        )
        .unwrap()
    }

    fn read(bytes: &[u8]) -> Result<(Vec<u32>, Vec<f32>), String> {
        decode("chunk", "k", bytes)
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let good = sample();
        assert_eq!(
            read(&good).unwrap(),
            (vec![1, 2, 3], vec![0.5, -1.0, f32::MIN_POSITIVE, 0.0])
        );
        for place in 0..good.len() {
            for flip in [1_u8, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[place] ^= flip;
                assert!(read(&bad).is_err(), "byte {place}");
            }
            assert!(read(&good[..place]).is_err(), "cut at {place}");
        }
        assert!(read(&[good.clone(), vec![0]].concat()).is_err());
        assert!(decode::<Vec<u32>, f32>("chunk", "other", &good).is_err());
        assert!(decode::<Vec<u32>, f32>("scores", "k", &good).is_err());
        assert!(decode::<Vec<u32>, f64>("chunk", "k", &good).is_err());
        assert!(decode::<String, f32>("chunk", "k", &good).is_err());
    }

    /// The bytes with a right checksum after a change, as a malicious file would have.
    fn signed(mut bytes: Vec<u8>) -> Vec<u8> {
        let end = bytes.len() - DIGEST;
        let digest = Sha256::digest(&bytes[..end]);
        bytes[end..].copy_from_slice(&digest);
        bytes
    }

    #[test]
    fn what_a_right_checksum_does_not_excuse() {
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = sample();
            change(&mut bytes);
            read(&signed(bytes)).unwrap_err()
        };
        assert!(with(&|bytes| bytes[0] = 0).contains("not a block"));
        assert!(with(&|bytes| bytes[8] = 9).contains("version 9"));
        assert!(with(&|bytes| bytes[15] = 0xff).contains("cut short"));
        assert!(with(&|bytes| bytes[16] = b'!').contains("header is wrong"));
        let bomb = encode("chunk", "k", &vec![1], &vec![0.0_f32; 1 << 16]).unwrap();
        let place = bomb
            .windows(5)
            .position(|window| window == b"65536")
            .unwrap();
        let mut fewer = bomb.clone();
        fewer[place..place + 5].copy_from_slice(b"00004");
        assert!(read(&signed(fewer)).is_err());
        let mut other = bomb;
        other[place..place + 5].copy_from_slice(b"10004");
        assert!(read(&signed(other)).unwrap_err().contains("another number"));
    }

    proptest! {
        #[test]
        fn numbers_come_back_bit_for_bit(bits in prop::collection::vec(any::<u32>(), 0..200), wide in prop::collection::vec(any::<u64>(), 0..100)) {
            let words: Vec<f32> = bits.iter().map(|&bits| f32::from_bits(bits)).collect();
            let (_, back) = read(&encode("chunk", "k", &Vec::<u32>::new(), &words).unwrap()).unwrap();
            prop_assert_eq!(back.iter().map(|word| word.to_bits()).collect::<Vec<_>>(), bits);
            let words: Vec<f64> = wide.iter().map(|&bits| f64::from_bits(bits)).collect();
            let (_, back): (Vec<u32>, Vec<f64>) = decode("s", "k", &encode("s", "k", &Vec::<u32>::new(), &words).unwrap()).unwrap();
            prop_assert_eq!(back.iter().map(|word| word.to_bits()).collect::<Vec<_>>(), wide);
        }

        #[test]
        fn no_bytes_panic(place in 0_usize..200, bytes in prop::collection::vec(any::<u8>(), 1..20), random in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(read(&random));
            let mut bad = sample();
            let place = place % (bad.len() - DIGEST - bytes.len());
            bad[place..place + bytes.len()].copy_from_slice(&bytes);
            drop(read(&signed(bad)));
        }
    }
}
