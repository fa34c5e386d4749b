//! From traits to the C entry: what [`export!`](crate::export!) stands on.
//!
//! The macro itself only names types; everything that can be generic is generic code here, so that
//! it is compiled, checked and read in one place.
#![expect(unsafe_code, reason = "implements the functions of the C contract")]

mod arguments;
mod backward;
mod descriptor;
mod explainer;
mod facts;
mod forward;
mod macros;
mod object;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use backward::{ModifiedVjp, Vjp};
pub use descriptor::{CStrings, descriptor, entry};
pub use explainer::Explain;
pub use facts::{Biases, Linear, Trees};
pub use forward::{ForwardFrom, Layers, Predict, Segment};
pub use object::Export;
pub(crate) use object::make;
pub use state::{Fit, Parameters, Weights};
pub use table::{Capability, OwnedTable};
pub use xbench_abi as abi;
