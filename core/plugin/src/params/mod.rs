//! Parameters of a plugin: one declaration makes the struct, its defaults, its JSON Schema as a
//! constant of the library, and the checks of what a suite's author wrote.
//!
//! The schema must be static data, because a scan reads it without running plugin code; that is why
//! it is put together at compile time instead of being derived at run time.

mod parse;
pub mod schema;
mod types;

use std::ffi::CStr;

pub(crate) use parse::suggestion;
pub use parse::{Object, out_of_range, unknown_choice};
pub use types::{Choosable, ParamType, Ranged};

use crate::error::Result;

/// What `create` gets: parsed from a JSON object and described by a JSON Schema. Made by
/// [`params!`](crate::params!).
pub trait Params: Sized {
    /// JSON Schema 2020-12 of an object, as constant data.
    const SCHEMA: &'static CStr;

    /// Reads a JSON object; an empty text counts as `{}`.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown key (with the nearest known one), a missing required key, a
    /// wrong type, or a value out of its range or choices.
    fn parse(json: &str) -> Result<Self>;
}

/// Declares the parameters of a plugin.
///
/// Each field is `name: type = default, limit;`. Its doc comment becomes the description in the
/// schema. Without `= default` the parameter is required (and the struct has no `Default`). The limit
/// is `low..=high` for numbers or `["one", "other"]` for strings; in a list or an option it holds for
/// the items. Types are `bool`, the integers, `f32`, `f64`, `String`, `Vec<T>`, `[T; N]` and
/// `Option<T>` of these. Defaults are literals: `50`, `0.5`, `"mean"`, `true`, `[1, 2]` (`&[1, 2]` for
/// `Vec`), `None`.
///
/// ```
/// use xbench_plugin::{Params as _, params};
///
/// params! {
///     /// Parameters of integrated gradients.
///     pub struct IgParams {
///         /// Number of steps of the path integral.
///         steps: u32 = 50, 1..=10_000;
///         /// Value of every pixel of the baseline.
///         baseline: f32 = 0.0;
///         /// Where each step is evaluated.
///         rule: String = "trapezoid", ["left", "right", "trapezoid"];
///     }
/// }
///
/// assert_eq!(IgParams::parse(r#"{"steps": 20}"#).unwrap().steps, 20);
/// let error = IgParams::parse(r#"{"step": 20}"#).unwrap_err();
/// assert!(error.message().contains("did you mean `steps`?"));
/// ```
#[macro_export]
macro_rules! params {
    (
        $(#[doc = $docs:literal])*
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $field_docs:literal])*
                $field:ident : $type:ty
                    $(= $default:expr)?
                    $(, $low:literal ..= $high:literal)?
                    $(, [ $($choice:literal),+ $(,)? ])?
                ;
            )*
        }
    ) => {
        $(#[doc = $docs])*
        #[derive(Clone, Debug)]
        $visibility struct $name {
            $(
                $(#[doc = $field_docs])*
                pub $field: $type,
            )*
        }

        $crate::__params_default! { $name { $($field: $type $(= $default)?;)* } }

        impl $crate::Params for $name {
            const SCHEMA: &'static ::core::ffi::CStr = {
                const DOCS: &[&str] = &[$($docs),*];
                const FIELDS: &[$crate::params::schema::Field] = &[$(
                    $crate::params::schema::Field {
                        name: ::core::stringify!($field),
                        docs: &[$($field_docs),*],
                        kind: <$type as $crate::params::ParamType>::KIND,
                        default: &[$(::core::stringify!($default))?],
                        range: &[$(::core::stringify!($low), ::core::stringify!($high))?],
                        choices: &[$($($choice),+)?],
                    }
                ),*];
                const LENGTH: usize = $crate::params::schema::length(DOCS, FIELDS);
                const BYTES: [u8; LENGTH + 1] = $crate::params::schema::bytes(DOCS, FIELDS);
                match ::core::ffi::CStr::from_bytes_with_nul(&BYTES) {
                    ::core::result::Result::Ok(text) => text,
                    ::core::result::Result::Err(_) => ::core::panic!("a NUL within the schema"),
                }
            };

            fn parse(json: &str) -> $crate::Result<Self> {
                let object =
                    $crate::params::Object::parse(json, &[$(::core::stringify!($field)),*])?;
                // Not used where there are no fields.
                let _ = &object;
                ::core::result::Result::Ok(Self {$(
                    $field: {
                        let defaults: &[fn() -> $type] = &[$(
                            || <$type as $crate::params::ParamType>::from_literal($default)
                        )?];
                        let value: $type =
                            object.field(::core::stringify!($field), defaults.first())?;
                        $(
                            if !$crate::params::Ranged::within(&value, $low, $high) {
                                return ::core::result::Result::Err($crate::params::out_of_range(
                                    ::core::stringify!($field), &value, $low, $high,
                                ));
                            }
                        )?
                        $(
                            if !$crate::params::Choosable::among(&value, &[$($choice),+]) {
                                return ::core::result::Result::Err($crate::params::unknown_choice(
                                    ::core::stringify!($field), &value, &[$($choice),+],
                                ));
                            }
                        )?
                        value
                    },
                )*})
            }
        }
    };
}

/// `Default` for parameters that all have one; nothing where one is required.
#[doc(hidden)]
#[macro_export]
macro_rules! __params_default {
    ($name:ident { $($field:ident : $type:ty = $default:expr;)* }) => {
        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self {
                    $($field: <$type as $crate::params::ParamType>::from_literal($default),)*
                }
            }
        }
    };
    ($($required:tt)*) => {};
}

params! {
    /// A plugin without parameters.
    pub struct NoParams {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    params! {
        /// Says "hello" \ twice.
        /// On two lines.
        struct Sample {
            /// Number of steps.
            steps: u32 = 50, 1..=10_000;
            baseline: f32 = -0.5, -1.0..=1.0;
            rule: String = "trapezoid", ["left", "right", "trapezoid"];
            absolute: bool = false;
            layer: Option<String> = None;
            scales: Vec<f32> = &[0.5, 1e-3], 0.0..=2.0;
        }
    }

    params! {
        struct Shaped {
            input: [usize; 3], 1..=4096;
            names: Vec<String>, ["a", "b"];
        }
    }

    fn schema<P: Params>() -> serde_json::Value {
        serde_json::from_slice(P::SCHEMA.to_bytes()).expect("the schema is JSON")
    }

    fn message<P: Params>(json: &str) -> String {
        let error = P::parse(json).err().expect("refused");
        assert_eq!(error.status(), Status::InvalidArgument);
        error.message().to_owned()
    }

    #[test]
    fn schema_says_all_that_was_declared() {
        let expected = serde_json::json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "description": "Says \"hello\" \\ twice. On two lines.",
            "properties": {
                "steps": {"type": "integer", "minimum": 1, "maximum": 10000,
                    "description": "Number of steps.", "default": 50},
                "baseline": {"type": "number", "minimum": -1.0, "maximum": 1.0, "default": -0.5},
                "rule": {"type": "string", "enum": ["left", "right", "trapezoid"],
                    "default": "trapezoid"},
                "absolute": {"type": "boolean", "default": false},
                "layer": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null},
                "scales": {"type": "array", "items":
                    {"type": "number", "minimum": 0.0, "maximum": 2.0}, "default": [0.5, 1e-3]},
            },
            "required": [],
            "additionalProperties": false,
        });
        assert_eq!(schema::<Sample>(), expected);
    }

    #[test]
    fn schema_lists_what_is_required() {
        let schema = schema::<Shaped>();
        assert_eq!(schema["required"], serde_json::json!(["input", "names"]));
        assert_eq!(
            schema["properties"]["input"],
            serde_json::json!({"type": "array", "minItems": 3, "maxItems": 3,
                "items": {"type": "integer", "minimum": 1, "maximum": 4096}})
        );
        assert!(schema["properties"]["input"].get("default").is_none());
    }

    #[test]
    fn defaults_of_schema_struct_and_parser_agree() {
        let parsed = Sample::parse("{}").expect("defaults are valid");
        let default = Sample::default();
        assert_eq!(format!("{parsed:?}"), format!("{default:?}"));
        let properties = schema::<Sample>()["properties"].clone();
        assert_eq!(properties["steps"]["default"], default.steps);
        assert_eq!(properties["rule"]["default"], default.rule.as_str());
        assert_eq!(default.scales, [0.5, 1e-3]);
        assert_eq!(Sample::parse("").expect("as an empty object").steps, 50);
    }

    #[test]
    fn values_replace_defaults() {
        let parsed = Sample::parse(
            r#"{"steps": 3, "baseline": 1, "rule": "left", "absolute": true, "layer": "conv1",
               "scales": [2]}"#,
        )
        .expect("valid");
        assert_eq!((parsed.steps, parsed.baseline), (3, 1.0));
        assert_eq!((parsed.rule.as_str(), parsed.absolute), ("left", true));
        assert_eq!(parsed.layer.as_deref(), Some("conv1"));
        assert_eq!(parsed.scales, [2.0]);
        let shaped = Shaped::parse(r#"{"input": [1, 28, 28], "names": ["b"]}"#).expect("valid");
        assert_eq!(shaped.input, [1, 28, 28]);
        assert_eq!(shaped.names, ["b"]);
    }

    #[test]
    fn mistakes_are_named() {
        let text = message::<Sample>(r#"{"step": 3}"#);
        assert!(
            text.contains("`step`") && text.contains("did you mean `steps`?"),
            "{text}"
        );
        let text = message::<Sample>(r#"{"qqqqqqqqqqqq": 3}"#);
        assert!(
            !text.contains("did you mean") && text.contains("absolute"),
            "{text}"
        );
        let text = message::<Sample>(r#"{"steps": 0}"#);
        assert_eq!(text, "parameter `steps`: 0 is not within 1 to 10000");
        let text = message::<Sample>(r#"{"steps": "many"}"#);
        assert_eq!(
            text,
            "parameter `steps`: expected an integer, found the string \"many\""
        );
        let text = message::<Sample>(r#"{"steps": -1}"#);
        assert!(text.contains("-1 does not fit"), "{text}");
        let text = message::<Sample>(r#"{"rule": "lefty"}"#);
        assert!(text.contains("did you mean `left`?"), "{text}");
        let text = message::<Sample>(r#"{"scales": [1, 3]}"#);
        assert!(text.contains("not within 0 to 2"), "{text}");
        let text = message::<Sample>(r#"{"baseline": 1e300}"#);
        assert!(text.contains("does not fit"), "{text}");
        assert!(message::<Sample>("[1]").contains("expected an object"));
        assert!(message::<Sample>("{").contains("not JSON"));
        let text = message::<Shaped>(r#"{"input": [1, 28], "names": []}"#);
        assert!(text.contains("expected 3 items, found 2"), "{text}");
        assert!(message::<Shaped>("{}").contains("`input` is required"));
    }

    #[test]
    fn no_params_accepts_nothing() {
        NoParams::parse("{}").expect("empty");
        let text = message::<NoParams>(r#"{"a": 1}"#);
        assert!(text.contains("no parameters"), "{text}");
        assert_eq!(schema::<NoParams>()["properties"], serde_json::json!({}));
    }
}
