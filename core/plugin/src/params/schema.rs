//! A JSON Schema, written by the compiler.
//!
//! Constant functions cannot allocate, so the text is written twice: once to count its bytes and once
//! into an array of that length. A default that is not a plain literal stops the build.

/// JSON type of a parameter.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A signed integer.
    Integer,
    /// An integer that is not negative.
    Unsigned,
    /// A number.
    Number,
    /// A string.
    Text,
    /// A list.
    List {
        /// Kind of its items.
        item: &'static Kind,
        /// Number of items, where it is fixed.
        length: Option<usize>,
    },
    /// Or null.
    Nullable(&'static Kind),
}

/// One parameter. The lists hold the source text of literals, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Key of the object.
    pub name: &'static str,
    /// Lines of its doc comment.
    pub docs: &'static [&'static str],
    /// Its type.
    pub kind: Kind,
    /// Empty: required.
    pub default: &'static [&'static str],
    /// Low and high, or empty.
    pub range: &'static [&'static str],
    /// Empty: any.
    pub choices: &'static [&'static str],
}

struct Writer<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Writer<N> {
    const fn byte(&mut self, byte: u8) {
        if self.length < N {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
    }

    const fn raw(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            self.byte(bytes[i]);
            i += 1;
        }
    }

    const fn escaped(&mut self, bytes: &[u8]) {
        let mut i = 0;
        while i < bytes.len() {
            match bytes[i] {
                b'"' | b'\\' => {
                    self.byte(b'\\');
                    self.byte(bytes[i]);
                }
                0..b' ' => self.byte(b' '),
                other => self.byte(other),
            }
            i += 1;
        }
    }

    const fn string(&mut self, text: &str) {
        self.byte(b'"');
        self.escaped(text.as_bytes());
        self.byte(b'"');
    }

    /// Lines of a doc comment, trimmed and joined by spaces.
    const fn docs(&mut self, lines: &[&str]) {
        self.byte(b'"');
        let mut i = 0;
        while i < lines.len() {
            if i > 0 {
                self.byte(b' ');
            }
            self.escaped(lines[i].as_bytes().trim_ascii());
            i += 1;
        }
        self.byte(b'"');
    }

    const fn number(&mut self, mut value: usize) {
        let mut digits = [0_u8; 20];
        let mut count = 0;
        while count == 0 || value > 0 {
            digits[count] = b'0' + (value % 10) as u8;
            value /= 10;
            count += 1;
        }
        while count > 0 {
            count -= 1;
            self.byte(digits[count]);
        }
    }

    /// The source text of a Rust literal, as JSON.
    const fn literal(&mut self, text: &str) {
        let bytes = text.as_bytes();
        if let b"None" = bytes {
            return self.raw("null");
        }
        let wrapped = bytes.len() > 6
            && matches!(bytes.split_at(5).0, b"Some(")
            && bytes[bytes.len() - 1] == b')';
        let (mut i, end) = if wrapped {
            (5, bytes.len() - 1)
        } else {
            (0, bytes.len())
        };
        if matches!(bytes[i], b'&') {
            i += 1;
        }
        let mut quoted = false;
        while i < end {
            let byte = bytes[i];
            if quoted {
                self.byte(byte);
                if byte == b'\\' {
                    i += 1;
                    self.byte(bytes[i]);
                } else if byte == b'"' {
                    quoted = false;
                }
                i += 1;
                continue;
            }
            match byte {
                b'"' => {
                    quoted = true;
                    self.byte(byte);
                }
                b'_' | b' ' | b'\n' => {}
                b'.' => {
                    assert!(
                        i + 1 < end && bytes[i + 1].is_ascii_digit(),
                        "write a digit after the decimal point of a default or limit"
                    );
                    self.byte(byte);
                }
                b'0'..=b'9' | b'-' | b'+' | b'e' | b'E' | b'[' | b']' | b',' => self.byte(byte),
                // The letters of `true` and `false`; other words fail in the test of the schema.
                b't' | b'r' | b'u' | b'f' | b'a' | b'l' | b's' => self.byte(byte),
                _ => panic!("a default or limit must be a plain literal without a suffix"),
            }
            i += 1;
        }
    }

    const fn key(&mut self, name: &str) {
        self.byte(b',');
        self.string(name);
        self.byte(b':');
    }

    /// `"type": ...` and the limits, without braces.
    const fn kind(&mut self, kind: Kind, field: &Field) {
        match kind {
            Kind::Nullable(inner) => {
                self.raw("\"anyOf\":[{");
                self.kind(*inner, field);
                self.raw("},{\"type\":\"null\"}]");
            }
            Kind::List { item, length } => {
                self.raw("\"type\":\"array\",\"items\":{");
                self.kind(*item, field);
                self.byte(b'}');
                if let Some(length) = length {
                    self.key("minItems");
                    self.number(length);
                    self.key("maxItems");
                    self.number(length);
                }
            }
            Kind::Boolean => self.raw("\"type\":\"boolean\""),
            Kind::Text => {
                self.raw("\"type\":\"string\"");
                if !field.choices.is_empty() {
                    self.key("enum");
                    self.byte(b'[');
                    let mut i = 0;
                    while i < field.choices.len() {
                        if i > 0 {
                            self.byte(b',');
                        }
                        self.string(field.choices[i]);
                        i += 1;
                    }
                    self.byte(b']');
                }
            }
            Kind::Integer | Kind::Unsigned | Kind::Number => {
                self.raw(match kind {
                    Kind::Number => "\"type\":\"number\"",
                    _ => "\"type\":\"integer\"",
                });
                if field.range.is_empty() {
                    if let Kind::Unsigned = kind {
                        self.key("minimum");
                        self.byte(b'0');
                    }
                } else {
                    self.key("minimum");
                    self.literal(field.range[0]);
                    self.key("maximum");
                    self.literal(field.range[1]);
                }
            }
        }
    }

    const fn schema(&mut self, docs: &[&str], fields: &[Field]) {
        self.raw("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"");
        self.raw(",\"type\":\"object\"");
        if !docs.is_empty() {
            self.key("description");
            self.docs(docs);
        }
        self.key("properties");
        self.byte(b'{');
        let mut i = 0;
        while i < fields.len() {
            let field = &fields[i];
            if i > 0 {
                self.byte(b',');
            }
            self.string(field.name);
            self.raw(":{");
            self.kind(field.kind, field);
            if !field.docs.is_empty() {
                self.key("description");
                self.docs(field.docs);
            }
            if !field.default.is_empty() {
                self.key("default");
                self.literal(field.default[0]);
            }
            self.byte(b'}');
            i += 1;
        }
        self.byte(b'}');
        self.key("required");
        self.byte(b'[');
        let (mut i, mut first) = (0, true);
        while i < fields.len() {
            if fields[i].default.is_empty() {
                if !first {
                    self.byte(b',');
                }
                self.string(fields[i].name);
                first = false;
            }
            i += 1;
        }
        self.byte(b']');
        self.key("additionalProperties");
        self.raw("false}");
    }
}

/// Bytes of the schema, without a NUL.
#[must_use]
pub const fn length(docs: &[&str], fields: &[Field]) -> usize {
    let mut writer = Writer::<0> {
        bytes: [],
        length: 0,
    };
    writer.schema(docs, fields);
    writer.length
}

/// The schema, padded with zeros to `N` bytes.
#[must_use]
pub const fn bytes<const N: usize>(docs: &[&str], fields: &[Field]) -> [u8; N] {
    let mut writer = Writer::<N> {
        bytes: [0; N],
        length: 0,
    };
    writer.schema(docs, fields);
    writer.bytes
}
