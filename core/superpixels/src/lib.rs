//! Segments: the units of which an explanation says how much each matters.
//!
//! Single pixels are too many to be asked about one by one, and a neighbour can stand in for each.
//! Methods that hide parts of an input therefore work on segments: cells of a [`grid`], superpixels by
//! [`slic`] or [`quickshift`], or the columns of a table. [`Segmentation`] is the choice among them, as
//! parameters and files spell it.
//!
//! Everything here is a function of its arguments alone: no random numbers, no threads, and no
//! mathematics of the system, so that the same image has the same segments on every machine.

mod choice;
mod colour;
mod connect;
mod error;
mod quickshift;
mod segments;
mod slic;

pub use choice::{Options, Segmentation};
pub use error::Error;
pub use quickshift::{QuickshiftParams, quickshift};
pub use segments::{Members, Segments, Shape, grid};
pub use slic::{SlicParams, slic};
