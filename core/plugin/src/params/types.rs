//! The types a parameter can have.

use serde_json::Value;

use super::parse::describe;
use super::schema::Kind;

/// A type that [`params!`](crate::params!) takes.
pub trait ParamType: Sized {
    /// How the schema describes it.
    const KIND: Kind;
    /// What a default is written as: `&'static str` for `String`, else the type itself.
    type Literal;
    /// The value of a default.
    fn from_literal(literal: Self::Literal) -> Self;
    /// The value of a JSON value.
    ///
    /// # Errors
    /// A sentence about what was expected and what was found.
    fn from_json(value: &Value) -> Result<Self, String>;
}

/// A type whose values, or whose items' values, can be held within a range.
pub trait Ranged {
    /// Type of the ends of the range.
    type Bound;
    /// Is it, or is each of its items, within `low..=high`?
    fn within(&self, low: Self::Bound, high: Self::Bound) -> bool;
}

/// A type whose value, or whose items' values, can be held to a list of words.
pub trait Choosable {
    /// Is it, or is each of its items, one of `choices`?
    fn among(&self, choices: &[&str]) -> bool;
}

fn expected(what: &str, value: &Value) -> String {
    format!("expected {what}, found {}", describe(value))
}

macro_rules! integers {
    ($($type:ident $kind:expr;)+) => {$(
        impl ParamType for $type {
            const KIND: Kind = $kind;
            type Literal = Self;

            fn from_literal(literal: Self) -> Self {
                literal
            }

            fn from_json(value: &Value) -> Result<Self, String> {
                let integer = value
                    .as_i64()
                    .map(i128::from)
                    .or_else(|| value.as_u64().map(i128::from))
                    .ok_or_else(|| expected("an integer", value))?;
                Self::try_from(integer)
                    .map_err(|_| format!("{value} does not fit {}", stringify!($type)))
            }
        }

        ranged!($type);
    )+};
}

macro_rules! ranged {
    ($type:ident) => {
        impl Ranged for $type {
            type Bound = Self;

            fn within(&self, low: Self, high: Self) -> bool {
                (low..=high).contains(self)
            }
        }
    };
}

integers! {
    u8 Kind::Unsigned;
    u16 Kind::Unsigned;
    u32 Kind::Unsigned;
    u64 Kind::Unsigned;
    usize Kind::Unsigned;
    i32 Kind::Integer;
    i64 Kind::Integer;
}

impl ParamType for f64 {
    const KIND: Kind = Kind::Number;
    type Literal = Self;

    fn from_literal(literal: Self) -> Self {
        literal
    }

    fn from_json(value: &Value) -> Result<Self, String> {
        // JSON has no infinities, and numbers beyond f64 are refused by its reader.
        value.as_f64().ok_or_else(|| expected("a number", value))
    }
}

impl ParamType for f32 {
    const KIND: Kind = Kind::Number;
    type Literal = Self;

    fn from_literal(literal: Self) -> Self {
        literal
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to f32 is what is meant"
    )]
    fn from_json(value: &Value) -> Result<Self, String> {
        let narrow = f64::from_json(value)? as Self;
        if narrow.is_finite() {
            Ok(narrow)
        } else {
            Err(format!("{value} does not fit f32"))
        }
    }
}

ranged!(f32);
ranged!(f64);

impl ParamType for bool {
    const KIND: Kind = Kind::Boolean;
    type Literal = Self;

    fn from_literal(literal: Self) -> Self {
        literal
    }

    fn from_json(value: &Value) -> Result<Self, String> {
        value
            .as_bool()
            .ok_or_else(|| expected("true or false", value))
    }
}

impl ParamType for String {
    const KIND: Kind = Kind::Text;
    type Literal = &'static str;

    fn from_literal(literal: &'static str) -> Self {
        literal.to_owned()
    }

    fn from_json(value: &Value) -> Result<Self, String> {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| expected("a string", value))
    }
}

impl Choosable for String {
    fn among(&self, choices: &[&str]) -> bool {
        choices.contains(&self.as_str())
    }
}

impl<T: ParamType> ParamType for Option<T> {
    const KIND: Kind = Kind::Nullable(&T::KIND);
    type Literal = Option<T::Literal>;

    fn from_literal(literal: Self::Literal) -> Self {
        literal.map(T::from_literal)
    }

    fn from_json(value: &Value) -> Result<Self, String> {
        if value.is_null() {
            Ok(None)
        } else {
            T::from_json(value).map(Some)
        }
    }
}

impl<T: Ranged> Ranged for Option<T> {
    type Bound = T::Bound;

    fn within(&self, low: T::Bound, high: T::Bound) -> bool {
        self.as_ref().is_none_or(|value| value.within(low, high))
    }
}

impl<T: Choosable> Choosable for Option<T> {
    fn among(&self, choices: &[&str]) -> bool {
        self.as_ref().is_none_or(|value| value.among(choices))
    }
}

fn items<T: ParamType>(value: &Value) -> Result<Vec<T>, String> {
    let list = value.as_array().ok_or_else(|| expected("a list", value))?;
    list.iter().map(T::from_json).collect()
}

impl<T: ParamType<Literal: Clone> + 'static> ParamType for Vec<T> {
    const KIND: Kind = Kind::List {
        item: &T::KIND,
        length: None,
    };
    type Literal = &'static [T::Literal];

    fn from_literal(literal: Self::Literal) -> Self {
        literal.iter().cloned().map(T::from_literal).collect()
    }

    fn from_json(value: &Value) -> Result<Self, String> {
        items(value)
    }
}

impl<T: Ranged<Bound: Copy>> Ranged for Vec<T> {
    type Bound = T::Bound;

    fn within(&self, low: T::Bound, high: T::Bound) -> bool {
        self.iter().all(|item| item.within(low, high))
    }
}

impl<T: Choosable> Choosable for Vec<T> {
    fn among(&self, choices: &[&str]) -> bool {
        self.iter().all(|item| item.among(choices))
    }
}

impl<T: ParamType, const N: usize> ParamType for [T; N] {
    const KIND: Kind = Kind::List {
        item: &T::KIND,
        length: Some(N),
    };
    type Literal = [T::Literal; N];

    fn from_literal(literal: Self::Literal) -> Self {
        literal.map(T::from_literal)
    }

    fn from_json(value: &Value) -> Result<Self, String> {
        let list = items(value)?;
        let found = list.len();
        Self::try_from(list).map_err(|_| format!("expected {N} items, found {found}"))
    }
}

impl<T: Ranged<Bound: Copy>, const N: usize> Ranged for [T; N] {
    type Bound = T::Bound;

    fn within(&self, low: T::Bound, high: T::Bound) -> bool {
        self.iter().all(|item| item.within(low, high))
    }
}
