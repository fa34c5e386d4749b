//! How alike two maps are, by measures that do not come from the ranking of their pixels.
//!
//! Each measure prepares a map once ([`SsimMap`] and its like), so that the many pairs that a map
//! belongs to cost one pass each.

mod cosine;
mod divergence;
mod earth_mover;
mod ssim;
mod transport;

pub use cosine::{UnitMap, cosine};
pub use divergence::{Shares, js_divergence};
pub use earth_mover::{GridMass, earth_movers_distance};
pub use ssim::{SsimMap, ssim, ssim_in_range};
