//! The safe SDK for authors of model and explainer plugins.
//!
//! A plugin is a type that implements [`Model`] or [`Explainer`]; [`export!`] makes a dynamic library
//! of it. Nothing of the C contract shows: tensors come compact and checked, panics and errors go to
//! the host as texts, parameters are described and checked by [`params!`]. The [`testing`] module
//! drives a plugin through its real entry, so that its tests need no host.
//!
//! This crate is the whole of what a plugin depends on. It holds no mathematics: what a method needs
//! beyond the traits is the method's own.
//!
//! # An explainer, whole
//!
//! The library's `Cargo.toml` says `crate-type = ["cdylib", "rlib"]`, and this is its `lib.rs`:
//!
//! ```
//! use xbench_plugin::{
//!     Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, TensorRef, Wrt,
//!     capability, params,
//! };
//!
//! params! { pub struct GradientParams { /// Take the absolute value.
//!                                       absolute: bool = false; } }
//!
//! pub struct Gradient(GradientParams);
//!
//! impl Plugin for Gradient {
//!     const META: Meta = Meta {
//!         id: c"org.example.gradient",
//!         name: c"Gradient",
//!         version: c"0.1.0",
//!         license: c"MIT",
//!         citation: c"Simonyan, Vedaldi, Zisserman: Deep Inside Convolutional Networks, 2014",
//!         summary: c"Gradient of the target's logit with respect to the input.",
//!         flags: Flags::NONE,
//!         max_batch: 0,
//!     };
//!     type Params = GradientParams;
//!     fn create(params: GradientParams, _ctx: &Context<'_>) -> Result<Self> {
//!         Ok(Self(params))
//!     }
//! }
//!
//! impl Explainer for Gradient {
//!     const NEEDS: &'static [&'static std::ffi::CStr] = &[capability::VJP];
//!     fn explain(
//!         &self, ctx: &Context<'_>, model: &ModelHandle<'_>, batch: &Batch<'_>, out: &mut [f32],
//!     ) -> Result<()> {
//!         let shape = [batch.x.rows(), model.spec().outputs];
//!         let mut one_hot = vec![0.0; shape[0] * shape[1]];
//!         for (row, &target) in one_hot.chunks_mut(shape[1]).zip(batch.target) {
//!             row[target as usize] = 1.0;
//!         }
//!         let dy = TensorRef::new(&shape, &one_hot)?;
//!         let gradient = model.vjp(ctx, batch.x, dy, Wrt::Input, false)?.gradient;
//!         for (out, &g) in out.iter_mut().zip(gradient.iter()) {
//!             *out = if self.0.absolute { g.abs() } else { g };
//!         }
//!         Ok(())
//!     }
//! }
//!
//! xbench_plugin::export! { explainer Gradient; }
//! # fn main() {}
//! ```

mod backward;
pub mod capability;
mod context;
mod data;
mod error;
mod explainer;
#[doc(hidden)]
pub mod export;
mod ffi;
mod handle;
mod meta;
mod model;
mod monitor;
pub mod params;
pub mod rng;
mod tensor;
pub mod testing;
mod trees;

pub use backward::BackwardRule;
pub use context::{Context, Level};
pub use data::{DataHandle, Element};
pub use error::{Error, Result, Status};
pub use explainer::{Batch, Explainer};
pub use handle::{HandlePullback, ModelHandle, OwnedTensor};
pub use meta::{Flags, Meta};
pub use model::{
    Biases, Fit, FitMonitor, FitStep, ForwardFrom, LayerSpec, Layers, Linear, LinearHead, Model,
    ModelSpec, ModifiedVjp, OutputKind, Parameters, Plugin, Pullback, Randomise, Segment, Trees,
    Vjp, Weights, Wrt,
};
pub use params::{NoParams, Params};
pub use tensor::{Tensor, TensorRef};
pub use trees::TreeEnsemble;
