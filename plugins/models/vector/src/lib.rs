//! Support vector machines as model plugins.
//!
//! [`plugin::SvmMask`] is the machine of the study `cam-hybrid` on all pixels of an image, to be
//! explained with a mask that slides over it. [`scaling`] says how pixels are scaled first and
//! which accuracy each scaling reaches; [`settings`] are the options of a training.

pub mod fit;
pub mod plugin;
pub mod scaling;
pub mod settings;
mod store;
