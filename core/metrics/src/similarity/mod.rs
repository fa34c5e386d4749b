//! How alike two maps are, by measures that do not come from the ranking of their pixels.
//!
//! Each measure prepares a map once ([`SsimMap`] and its like), so that the many pairs that a map
//! belongs to cost one pass each.

mod ssim;

pub use ssim::{SsimMap, ssim, ssim_in_range};
