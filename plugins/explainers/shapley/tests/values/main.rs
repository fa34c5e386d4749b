//! Shapley and Owen values against their definitions.

mod images;
mod support;
mod tables;
