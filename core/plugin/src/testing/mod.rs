//! Drives plugins through their real C entry, in this process and without a host: for the tests of
//! plugin authors and for our own.
//!
//! There is no proxy in between: an explainer gets the model object itself, so that nothing is counted
//! and no batch is cut. The model is one of the library's own, a function of a row
//! ([`TestModel::black_box`], [`TestModel::differentiable`]), or any type that is a model
//! ([`test_model!`](crate::test_model!)).
//!
//! ```
//! # use xbench_plugin::*;
//! # pub struct Identity(ModelSpec);
//! # impl Plugin for Identity {
//! #     const META: Meta = Meta { id: c"org.example.identity", name: c"", version: c"0.1.0",
//! #         license: c"MIT", citation: c"", summary: c"", flags: Flags::NONE, max_batch: 0 };
//! #     type Params = NoParams;
//! #     fn create(_: NoParams, _: &Context<'_>) -> Result<Self> {
//! #         Ok(Self(ModelSpec { input_shape: vec![2], layout: c"tabular", outputs: 2,
//! #             output_kind: OutputKind::Values }))
//! #     }
//! # }
//! # impl Model for Identity {
//! #     fn spec(&self) -> &ModelSpec { &self.0 }
//! #     fn predict(&self, _: &Context<'_>, x: TensorRef<'_>, y: &mut [f32]) -> Result<()> {
//! #         y.copy_from_slice(x.data());
//! #         Ok(())
//! #     }
//! # }
//! # xbench_plugin::export! { model Identity; }
//! # fn main() -> Result<()> {
//! use xbench_plugin::{TensorRef, testing::TestHost};
//!
//! let host = TestHost::new(&xbench_entry_v1)?;
//! let model = host.model("org.example.identity", "{}")?;
//! let y = model.predict(TensorRef::new(&[1, 2], &[3.0, 4.0])?)?;
//! assert_eq!(y.data(), [3.0, 4.0]);
//! # Ok(())
//! # }
//! ```
#![expect(unsafe_code, reason = "plays the host's side of the C contract")]

pub(crate) mod call;
mod data;
mod explainer;
mod function;
mod model;

use std::ptr::NonNull;

use xbench_abi as abi;

pub use call::CallOptions;
pub use data::TestData;
pub use explainer::{TestBatch, TestExplainer};
pub use model::TestModel;

use crate::error::{Error, Result};
use crate::ffi;

/// A host of one library.
#[derive(Clone, Debug)]
pub struct TestHost {
    entry: &'static abi::xb_entry,
    options: CallOptions,
}

impl TestHost {
    /// The library of an entry: `&xbench_entry_v1` of the crate under test, or a symbol of a library
    /// that was loaded. The entry must keep the contract, as one made by [`export!`](crate::export!)
    /// does.
    ///
    /// # Errors
    /// When the entry is of another major version, or its `init` fails.
    pub fn new(entry: &'static abi::xb_entry) -> Result<Self> {
        if !abi::has_field!(entry.struct_size, abi::xb_entry, init)
            || entry.abi_major != abi::XB_ABI_MAJOR
        {
            return Err(Error::invalid_argument(format!(
                "an entry of {} bytes for version {} of the contract, expected version {}",
                entry.struct_size,
                entry.abi_major,
                abi::XB_ABI_MAJOR
            )));
        }
        let host = Self {
            entry,
            options: CallOptions::default(),
        };
        if let Some(init) = entry.init {
            call::run(&host.options, |ctx| {
                // SAFETY: an entry that keeps the contract; both arguments outlive the call.
                Error::check(unsafe { init(ctx.as_ptr(), c"".as_ptr()) }, "init")
            })?;
        }
        Ok(host)
    }

    /// Seed, threads, deadline and cancellation of the calls of objects made from now on.
    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Ids of the library's plugins.
    ///
    /// # Errors
    /// When a descriptor is null or its id is not text.
    pub fn ids(&self) -> Result<Vec<String>> {
        self.descriptors()?
            .into_iter()
            // SAFETY: a descriptor that keeps the contract.
            .map(|one| unsafe { ffi::text(one.id, "an id") }.map(str::to_owned))
            .collect()
    }

    /// The descriptor of a plugin: constant data, as a scan would read it.
    ///
    /// # Errors
    /// `NotFound` when there is none of this id.
    pub fn descriptor(&self, id: &str) -> Result<&'static abi::xb_descriptor> {
        for descriptor in self.descriptors()? {
            // SAFETY: a descriptor that keeps the contract.
            if unsafe { ffi::text(descriptor.id, "an id") }? == id {
                return Ok(descriptor);
            }
        }
        Err(Error::not_found(format!(
            "no plugin `{id}`; there are {}",
            self.ids()?.join(", ")
        )))
    }

    /// JSON Schema of a plugin's parameters.
    ///
    /// # Errors
    /// `NotFound` when there is no such plugin, `Internal` when the schema is not JSON.
    pub fn params_schema(&self, id: &str) -> Result<serde_json::Value> {
        // SAFETY: a descriptor that keeps the contract.
        let text = unsafe { ffi::text(self.descriptor(id)?.params_schema, "the schema") }?;
        serde_json::from_str(text)
            .map_err(|error| Error::internal(format!("the schema of `{id}` is not JSON: {error}")))
    }

    /// Makes a model; `params` is a JSON object.
    ///
    /// # Errors
    /// When there is no such model, or it refuses the parameters.
    pub fn model(&self, id: &str, params: &str) -> Result<TestModel> {
        TestModel::new(self.create(id, abi::XB_MODEL, params)?)
    }

    /// Makes an explainer; `params` is a JSON object.
    ///
    /// # Errors
    /// When there is no such explainer, or it refuses the parameters.
    pub fn explainer(&self, id: &str, params: &str) -> Result<TestExplainer> {
        Ok(TestExplainer::new(self.create(
            id,
            abi::XB_EXPLAINER,
            params,
        )?))
    }

    fn descriptors(&self) -> Result<Vec<&'static abi::xb_descriptor>> {
        let count = self.entry.num_descriptors as usize;
        // SAFETY: an entry that keeps the contract: that many pointers to constants.
        let pointers = unsafe { ffi::slice(self.entry.descriptors, count, "the descriptors") }?;
        pointers
            .iter()
            // SAFETY: as above.
            .map(|&one| unsafe { one.as_ref() }.ok_or_else(|| Error::internal("a null descriptor")))
            .collect()
    }

    fn create(&self, id: &str, kind: u32, params: &str) -> Result<Object> {
        let descriptor = self.descriptor(id)?;
        if descriptor.kind != kind {
            return Err(Error::invalid_argument(format!(
                "`{id}` is of another kind"
            )));
        }
        let create = descriptor
            .create
            .ok_or_else(|| Error::internal(format!("`{id}` has no create")))?;
        let mut out = std::ptr::null_mut();
        call::run(&self.options, |ctx| {
            // SAFETY: a descriptor that keeps the contract; the arguments outlive the call.
            let status = unsafe {
                create(
                    descriptor,
                    ctx.as_ptr(),
                    params.as_ptr().cast(),
                    params.len(),
                    &mut out,
                )
            };
            Error::check(status, "create")
        })?;
        let pointer = NonNull::new(out).ok_or_else(|| {
            Error::internal(format!("create of `{id}`: success without an object"))
        })?;
        Ok(Object {
            pointer,
            options: self.options.clone(),
        })
    }
}

/// A live object; destroyed on drop.
#[derive(Debug)]
struct Object {
    pointer: NonNull<abi::xb_object>,
    options: CallOptions,
}

impl Object {
    /// The object's table of this type.
    fn table<T: abi::Table>(&self) -> Result<&T> {
        // SAFETY: a live object that keeps the contract.
        unsafe { ffi::table::<T>(self.pointer.as_ref()) }.ok_or_else(|| {
            Error::unimplemented(format!("the object lacks {}", T::ID.to_string_lossy()))
        })
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: a live object that keeps the contract, destroyed once.
        unsafe {
            if let Some(destroy) = self.pointer.as_ref().destroy {
                destroy(self.pointer.as_ptr());
            }
        }
    }
}
