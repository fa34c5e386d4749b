//! Suites from text to plan.

mod meaning;
mod plugins;
mod refused;
mod shipped;
