//! SHA-256 and its hexadecimal form.

use sha2::{Digest as _, Sha256};

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 of several byte strings as if they were one.
pub(crate) fn sha256_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| {
            [
                DIGITS[usize::from(b >> 4)] as char,
                DIGITS[usize::from(b & 15)] as char,
            ]
        })
        .collect()
}

/// The content hash of a set: the SHA-256 of its name, version and of the pinned
/// digests of all its parts, whichever of them were loaded.
pub(crate) fn content_hash(id: &str, version: u32, pins: &[&str]) -> [u8; 32] {
    let mut text = format!("{id}\n{version}\n");
    for pin in pins {
        text.push_str(pin);
        text.push('\n');
    }
    sha256(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_the_standard_example() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&sha256(b"abc")), expected);
        assert_eq!(hex(&sha256_of(&[b"a", b"", b"bc"])), expected);
    }
}
