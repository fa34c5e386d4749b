//! The plugin contract: the C header `include/xbench.h` and its Rust mirror.
//!
//! The header is the contract and is written by hand; this crate repeats it for Rust under the same
//! names, so that a reader finds one thing under one name in both languages. A test compiles C and
//! compares size, offset and value of everything that stands here, field by field.
//!
//! Function pointers are `Option`, also those that the contract requires: the other side may be C,
//! where forgetting one compiles, and a null must be refused with a text instead of being called.
#![expect(
    non_camel_case_types,
    reason = "the names of the C header are kept, so that both sides read alike"
)]

mod call;
mod entry;
pub mod ext;
mod object;
mod tensor;

pub use call::*;
pub use entry::*;
pub use ext::*;
pub use object::*;
pub use tensor::*;

/// Does a field lie within what the other side compiled? The Rust form of `XB_HAS`.
///
/// Takes the `struct_size` that was read from the struct, the struct's type and the field's name.
/// Sizes are never compared for equality: an older or a newer side is both allowed.
///
/// ```
/// use xbench_abi::{has_field, xb_predict};
/// assert!(has_field!(40, xb_predict, run));
/// assert!(!has_field!(39, xb_predict, run));
/// ```
#[macro_export]
macro_rules! has_field {
    ($struct_size:expr, $type:ty, $field:ident) => {
        ($struct_size as usize)
            >= ::core::mem::offset_of!($type, $field)
                + $crate::size_of_field(|value: &$type| &value.$field)
    };
}

/// Size in bytes of the field that `field` points out. A helper of [`has_field!`].
#[must_use]
pub const fn size_of_field<T, F>(field: fn(&T) -> &F) -> usize {
    _ = field;
    size_of::<F>()
}
