//! Capabilities: small tables of functions, looked up by id. A file for each.

mod biases;
mod explain;
mod fit;
mod forward_from;
mod layers;
mod linear;
mod modified_vjp;
mod parameters;
mod predict;
mod rows;
mod segment;
mod trees;
mod vjp;
mod weights;

pub use biases::*;
pub use explain::*;
pub use fit::*;
pub use forward_from::*;
pub use layers::*;
pub use linear::*;
pub use modified_vjp::*;
pub use parameters::*;
pub use predict::*;
pub use rows::*;
pub use segment::*;
pub use trees::*;
pub use vjp::*;
pub use weights::*;
