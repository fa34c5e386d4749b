//! Capabilities: small tables of functions, looked up by id. A file for each.

mod explain;
mod fit;
mod layers;
mod linear;
mod parameters;
mod predict;
mod rows;
mod segment;
mod trees;
mod vjp;
mod weights;

pub use explain::*;
pub use fit::*;
pub use layers::*;
pub use linear::*;
pub use parameters::*;
pub use predict::*;
pub use rows::*;
pub use segment::*;
pub use trees::*;
pub use vjp::*;
pub use weights::*;
