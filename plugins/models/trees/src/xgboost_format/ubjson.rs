//! Universal Binary JSON (specification draft 12), read into and written from JSON values.

use serde_json::{Map, Number, Value};
use xbench_plugin::{Error, Result};

use super::wrong;

/// Containers within containers.
const DEPTH: usize = 64;

/// The value in some bytes.
///
/// # Errors
/// When the bytes are no UBJSON, with the place; counts are held against what is left of the bytes
/// before anything is reserved.
pub(super) fn parse(bytes: &[u8]) -> Result<Value> {
    let mut reader = Reader { bytes, at: 0 };
    let marker = reader.marker()?;
    let value = reader.value(marker, 0)?;
    while reader.at < bytes.len() {
        if reader.byte()? != b'N' {
            reader.at -= 1;
            return Err(reader.error("bytes after the end"));
        }
    }
    Ok(value)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn error(&self, what: &str) -> Error {
        wrong(format!("UBJSON, byte {}: {what}", self.at))
    }

    fn byte(&mut self) -> Result<u8> {
        let [byte] = self.take()?;
        Ok(byte)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.bytes[self.at..].first_chunk().copied();
        let taken = taken.ok_or_else(|| self.error("the file ends here"))?;
        self.at += N;
        Ok(taken)
    }

    /// The next marker that is not a no-op.
    fn marker(&mut self) -> Result<u8> {
        loop {
            let marker = self.byte()?;
            if marker != b'N' {
                return Ok(marker);
            }
        }
    }

    fn integer(&mut self, marker: u8) -> Result<i64> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.take()?)),
            b'U' => i64::from(self.byte()?),
            b'I' => i64::from(i16::from_be_bytes(self.take()?)),
            b'l' => i64::from(i32::from_be_bytes(self.take()?)),
            b'L' => i64::from_be_bytes(self.take()?),
            _ => return Err(self.error("expected an integer")),
        })
    }

    /// A count of things that take `size` bytes each.
    fn count(&mut self, size: usize) -> Result<usize> {
        let marker = self.marker()?;
        let count = self.integer(marker)?;
        usize::try_from(count)
            .ok()
            .filter(|count| {
                count
                    .checked_mul(size)
                    .is_some_and(|bytes| bytes <= self.bytes.len() - self.at)
            })
            .ok_or_else(|| self.error(&format!("the count {count} goes beyond the end")))
    }

    fn text(&mut self) -> Result<String> {
        let length = self.count(1)?;
        let bytes = self.bytes[self.at..self.at + length].to_vec();
        self.at += length;
        String::from_utf8(bytes).map_err(|_| self.error("a text is not UTF-8"))
    }

    fn value(&mut self, marker: u8, depth: usize) -> Result<Value> {
        Ok(match marker {
            b'Z' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'i' | b'U' | b'I' | b'l' | b'L' => self.integer(marker)?.into(),
            b'd' => {
                let value = f32::from_be_bytes(self.take()?);
                self.float(f64::from(value))?
            }
            b'D' => {
                let value = f64::from_be_bytes(self.take()?);
                self.float(value)?
            }
            b'C' => Value::String(char::from(self.byte()? & 0x7f).to_string()),
            b'S' | b'H' => Value::String(self.text()?),
            b'[' => self.array(depth)?,
            b'{' => self.object(depth)?,
            _ => {
                self.at -= 1;
                return Err(self.error(&format!("unknown marker {marker:#04x}")));
            }
        })
    }

    fn float(&self, value: f64) -> Result<Value> {
        let number = Number::from_f64(value).map(Value::Number);
        number.ok_or_else(|| self.error(&format!("the number {value} is not finite")))
    }

    /// `$` and the type of all elements, `#` and their count; whichever are there. And the next byte.
    fn header(&mut self) -> Result<(Option<u8>, Option<usize>)> {
        let mut of = None;
        if self.bytes.get(self.at) == Some(&b'$') {
            self.at += 1;
            of = Some(self.byte()?);
        }
        if self.bytes.get(self.at) == Some(&b'#') {
            self.at += 1;
            let size = match of {
                None | Some(b'i' | b'U' | b'C') => 1,
                Some(b'I') => 2,
                Some(b'l' | b'd') => 4,
                Some(b'L' | b'D') => 8,
                // At least a length; and elements without bytes would make counts meaningless.
                Some(b'S' | b'H') => 2,
                Some(other) => {
                    return Err(self.error(&format!("a container of type {other:#04x}")));
                }
            };
            return Ok((of, Some(self.count(size)?)));
        }
        if of.is_some() {
            return Err(self.error("a container has a type and no count"));
        }
        Ok((None, None))
    }

    fn array(&mut self, depth: usize) -> Result<Value> {
        if depth >= DEPTH {
            return Err(self.error("containers are nested too deeply"));
        }
        let (of, count) = self.header()?;
        let mut array = Vec::with_capacity(count.unwrap_or(0));
        loop {
            if Some(array.len()) == count {
                break;
            }
            let marker = match of {
                Some(of) => of,
                None => self.marker()?,
            };
            if count.is_none() && marker == b']' {
                break;
            }
            array.push(self.value(marker, depth + 1)?);
        }
        Ok(Value::Array(array))
    }

    fn object(&mut self, depth: usize) -> Result<Value> {
        if depth >= DEPTH {
            return Err(self.error("containers are nested too deeply"));
        }
        let (of, count) = self.header()?;
        let mut object = Map::new();
        let mut entries = 0;
        loop {
            if Some(entries) == count {
                break;
            }
            if count.is_none() {
                while self.bytes.get(self.at) == Some(&b'N') {
                    self.at += 1;
                }
                if self.bytes.get(self.at) == Some(&b'}') {
                    self.at += 1;
                    break;
                }
            }
            let key = self.text()?;
            let marker = match of {
                Some(of) => of,
                None => self.marker()?,
            };
            object.insert(key, self.value(marker, depth + 1)?);
            entries += 1;
        }
        Ok(Value::Object(object))
    }
}

/// Writes documents.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// What is written so far.
    pub bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn begin_object(&mut self) {
        self.bytes.push(b'{');
    }

    pub(super) fn end_object(&mut self) {
        self.bytes.push(b'}');
    }

    fn length(&mut self, length: usize) {
        self.bytes.push(b'L');
        self.bytes.extend((length as i64).to_be_bytes());
    }

    pub(super) fn key(&mut self, key: &str) {
        self.length(key.len());
        self.bytes.extend(key.as_bytes());
    }

    /// `[` and a count; that many values are to follow.
    pub(super) fn begin_array(&mut self, count: usize) {
        self.bytes.extend(b"[#");
        self.length(count);
    }

    /// An array whose elements have one type: `bytes` are those of `count` elements.
    pub(super) fn typed(&mut self, of: u8, count: usize, bytes: impl IntoIterator<Item = u8>) {
        self.bytes.extend([b'[', b'$', of, b'#']);
        self.length(count);
        self.bytes.extend(bytes);
    }

    pub(super) fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.bytes.push(b'Z'),
            Value::Bool(true) => self.bytes.push(b'T'),
            Value::Bool(false) => self.bytes.push(b'F'),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => {
                    self.bytes.push(b'L');
                    self.bytes.extend(integer.to_be_bytes());
                }
                None => {
                    self.bytes.push(b'D');
                    let number = number.as_f64().unwrap_or(0.0);
                    self.bytes.extend(number.to_be_bytes());
                }
            },
            Value::String(text) => {
                self.bytes.push(b'S');
                self.key(text);
            }
            Value::Array(array) => {
                self.begin_array(array.len());
                for value in array {
                    self.value(value);
                }
            }
            Value::Object(object) => {
                self.begin_object();
                for (key, value) in object {
                    self.key(key);
                    self.value(value);
                }
                self.end_object();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_value_is_read() {
        let bytes = b"N{i\x01aZi\x01bTi\x01cFU\x01di\xfeI\x00\x01eI\x01\x00l\x00\x00\x00\x01fl\xff\xff\xff\xff\
            i\x01gL\x00\x00\x00\x00\x00\x00\x00\x07i\x01hd\x3f\x80\x00\x00i\x01jD\x3f\xe0\x00\x00\x00\x00\x00\x00\
            i\x01kCxi\x01mSi\x02\xc3\xa9i\x01n[i\x01N[]]i\x01o[#i\x02TFi\x01p[$U#i\x03\x01\x02\xff\
            i\x01q{#i\x01i\x01xZi\x01r{$i#i\x01i\x01y\x05}";
        let want = json!({"a": null, "b": true, "c": false, "d": -2, "e": 256, "f": -1, "g": 7,
            "h": 1.0, "j": 0.5, "k": "x", "m": "é", "n": [1, []], "o": [true, false],
            "p": [1, 2, 255], "q": {"x": null}, "r": {"y": 5}});
        assert_eq!(parse(bytes).unwrap(), want);
        for cut in 0..bytes.len() {
            assert!(parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let value = json!({"a": [1, -2, 3_000_000_000i64, 0.1], "b": {"c": "text", "d": [null, true, false]}});
        let mut writer = Writer::default();
        writer.value(&value);
        assert_eq!(parse(&writer.bytes).unwrap(), value);
    }

    #[test]
    fn hostile_counts_and_depths_are_refused() {
        for bytes in [
            &b"[$Z#L\x7f\xff\xff\xff\xff\xff\xff\xff"[..],
            b"[$[#l\x7f\xff\xff\xff",
            b"[$d#L\x40\x00\x00\x00\x00\x00\x00\x00",
            b"[#L\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"[#i\xff",
            b"SL\xff\xff\xff\xff\xff\xff\xff\xff",
            b"{#l\x7f\xff\xff\xff",
            b"Si\x01\xff",
            b"[$d]",
            b"d\x7f\xc0\x00\x00",
            b"x",
            b"]",
            b"ZZ",
            b"",
        ] {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
        assert!(parse(&[b'['; 100_000]).is_err());
        let nested = b"{i\x01a".repeat(100_000);
        assert!(parse(&nested).is_err());
    }
}
