//! From traits to the C entry: what [`export!`](crate::export!) stands on.
//!
//! The macro itself only names types; everything that can be generic is generic code here, so that
//! it is compiled, checked and read in one place.
#![expect(unsafe_code, reason = "implements the functions of the C contract")]

mod descriptor;
mod explainer;
mod inner;
mod macros;
mod model;
mod object;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use descriptor::{CStrings, descriptor, entry};
pub use explainer::Explain;
pub use inner::{Biases, ForwardFrom, ModifiedVjp};
pub use model::{Layers, Linear, Predict, Segment, Trees, Vjp};
pub use object::Export;
pub(crate) use object::make;
pub use state::{Fit, Parameters, Weights};
pub use table::{Capability, Table};
pub use xbench_abi as abi;
