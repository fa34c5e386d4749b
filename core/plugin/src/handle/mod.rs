//! The model, as an explainer sees it: the host's proxy, which counts and limits what is asked of it.
#![expect(unsafe_code, reason = "calls the functions of the host's xb_object")]

mod backward;
mod facts;
mod forward;
mod read;
mod result;

use std::cell::OnceCell;
use std::ffi::CStr;

use xbench_abi as abi;

pub(crate) use read::read_shape;
pub use result::{HandlePullback, OwnedTensor};

use crate::error::{Error, Result};
use crate::ffi;
use crate::model::ModelSpec;
use crate::tensor::TensorRef;

use self::read::read_spec;

/// The model that is explained. What it cannot do is answered with `Unimplemented`.
#[derive(Debug)]
pub struct ModelHandle<'m> {
    object: &'m abi::xb_object,
    spec: ModelSpec,
    predict: &'m abi::xb_predict,
    layers: OnceCell<Option<&'m abi::xb_layers>>,
    vjp: OnceCell<Option<&'m abi::xb_vjp>>,
    linear: OnceCell<Option<&'m abi::xb_linear>>,
    segment: OnceCell<Option<&'m abi::xb_segment>>,
    trees: OnceCell<Option<&'m abi::xb_trees>>,
    modified_vjp: OnceCell<Option<&'m abi::xb_modified_vjp>>,
    forward_from: OnceCell<Option<&'m abi::xb_forward_from>>,
    biases: OnceCell<Option<&'m abi::xb_biases>>,
}

impl<'m> ModelHandle<'m> {
    /// # Safety
    /// When not null and aligned, `object` must point to a model that keeps the contract and stays
    /// valid for the lifetime.
    pub(crate) unsafe fn from_raw(object: *const abi::xb_object) -> Result<Self> {
        // SAFETY: passed on.
        let object = unsafe { ffi::object(object, "the model") }?;
        // SAFETY: an object that keeps the contract.
        let predict = unsafe { ffi::table::<abi::xb_predict>(object) }
            .ok_or_else(missing::<abi::xb_predict>)?;
        // SAFETY: as above.
        let spec = unsafe { read_spec(predict) }?;
        Ok(Self {
            object,
            spec,
            predict,
            layers: OnceCell::new(),
            vjp: OnceCell::new(),
            linear: OnceCell::new(),
            segment: OnceCell::new(),
            trees: OnceCell::new(),
            modified_vjp: OnceCell::new(),
            forward_from: OnceCell::new(),
            biases: OnceCell::new(),
        })
    }

    /// What goes in and what comes out.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Can the model do this? For methods that take either of two ways; see
    /// [`capability`](crate::capability).
    #[must_use]
    pub fn provides(&self, capability: &CStr) -> bool {
        self.object.get_extension.is_some_and(|get| {
            // SAFETY: an object that keeps the contract, and a NUL-terminated id.
            !unsafe { get(self.object, capability.as_ptr()) }.is_null()
        })
    }

    fn table<T: abi::Table>(&self, cell: &OnceCell<Option<&'m T>>) -> Result<&'m T> {
        // SAFETY: an object that keeps the contract.
        cell.get_or_init(|| unsafe { ffi::table::<T>(self.object) })
            .ok_or_else(missing::<T>)
    }

    fn check_input(&self, x: TensorRef<'_>) -> Result<()> {
        if x.shape()[1..] == self.spec.input_shape[..] {
            return Ok(());
        }
        Err(Error::invalid_argument(format!(
            "x has shape {:?}, the model takes rows of shape {:?}",
            x.shape(),
            self.spec.input_shape
        )))
    }
}

fn missing<T: abi::Table>() -> Error {
    Error::unimplemented(format!(
        "the model does not provide {}",
        T::ID.to_string_lossy()
    ))
}
