//! Entry point of an explainer.

use std::cell::Cell;

use xbench_abi as abi;
use xbench_abi::{xb_batch, xb_call, xb_object, xb_status, xb_tensor};

use super::arguments::check_batch;
use super::object::shared;
use super::table::{Capability, OwnedTable};
use crate::error::{Error, Result};
use crate::explainer::{Batch, Explainer};
use crate::ffi::{self, Input, Output};
use crate::handle::ModelHandle;
use crate::meta::Flags;
use crate::tensor::TensorRef;

/// Capability `xbench.explainer.explain/1`.
#[derive(Debug)]
pub enum Explain {}

impl<E: Explainer> Capability<E> for Explain {
    type Table = abi::xb_explain;

    fn table(_plugin: &E) -> Result<OwnedTable> {
        let table = abi::xb_explain {
            struct_size: size_of::<abi::xb_explain>() as u32,
            reserved: 0,
            run: Some(explain::<E>),
        };
        Ok(OwnedTable::new(table, ()))
    }
}

unsafe extern "C" fn explain<E: Explainer>(
    object: *const xb_object,
    call: *const xb_call,
    model: *const xb_object,
    batch: *const xb_batch,
    attribution: *mut xb_tensor,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "explain", |ctx| {
            let plugin = shared::<E>(object)?;
            let model = ModelHandle::from_raw(model)?;
            if batch.is_null() || !batch.is_aligned() {
                return Err(Error::invalid_argument("the batch is null or misaligned"));
            }
            let size = (&raw const (*batch).struct_size).read();
            if !abi::has_field!(size, xb_batch, mask) {
                return Err(Error::invalid_argument(
                    "the batch is made for an older contract",
                ));
            }
            // Fields beyond `mask` are read through the pointer: an older host's batch ends there.
            let batch_ptr = batch;
            let batch = MaskedBatch::read(batch_ptr);

            let x = Input::<f32>::read(batch.x, "x")?;
            let n = x.shape[0];
            if x.shape[1..] != model.spec().input_shape[..] {
                return Err(Error::invalid_argument(format!(
                    "x has shape {:?}, the model takes rows of shape {:?}",
                    x.shape,
                    model.spec().input_shape
                )));
            }
            check_batch(n, E::META.max_batch)?;
            let target = ffi::slice(batch.target, n, "the targets")?;
            check_targets(target, model.spec().outputs)?;
            let seed = ffi::slice(batch.seed, n, "the seeds")?;
            let mask = if batch.mask.is_null() {
                None
            } else {
                Some(Input::<u8>::read(batch.mask, "mask")?)
            };
            check_mask(
                mask.as_ref().map(|mask| &mask.shape[..]),
                &x.shape,
                E::META.flags,
            )?;

            let background = if abi::has_field!(size, xb_batch, background)
                && !(*batch_ptr).background.is_null()
            {
                Some(Input::<f32>::read((*batch_ptr).background, "background")?)
            } else {
                None
            };
            check_background(
                background.as_ref().map(|background| &background.shape[..]),
                &x.shape,
                E::META.flags,
            )?;
            let local_fit = if abi::has_field!(size, xb_batch, local_fit) {
                places((*batch_ptr).local_fit, n)?
            } else {
                None
            };

            let mut output = Output::<f32>::read(attribution, "attribution")?;
            if output.shape() != x.shape {
                return Err(Error::invalid_argument(format!(
                    "attribution has shape {:?}, expected {:?} as x",
                    output.shape(),
                    x.shape
                )));
            }
            if n > 0 {
                let x = TensorRef::new(&x.shape, &x.data)?;
                let mask = mask.as_ref().map(|mask| &*mask.data);
                let background = background
                    .as_ref()
                    .map(|rows| TensorRef::new(&rows.shape, &rows.data))
                    .transpose()?;
                let batch = Batch {
                    x,
                    target,
                    seed,
                    mask,
                    background,
                    local_fit,
                };
                plugin.explain(ctx, &model, &batch, output.slice())?;
                output.finish();
            }
            Ok(())
        })
    }
}

fn check_targets(target: &[i64], outputs: usize) -> Result<()> {
    let known = |&target: &i64| usize::try_from(target).is_ok_and(|target| target < outputs);
    match target.iter().position(|target| !known(target)) {
        None => Ok(()),
        Some(row) => Err(Error::invalid_argument(format!(
            "target {} of row {row}: the model has {outputs} outputs",
            target[row]
        ))),
    }
}

/// The fields that every version of the batch has.
struct MaskedBatch {
    x: *const xb_tensor,
    target: *const i64,
    seed: *const u64,
    mask: *const xb_tensor,
}

impl MaskedBatch {
    /// # Safety
    /// `batch` must point to a batch that reaches to `mask` at least.
    unsafe fn read(batch: *const xb_batch) -> Self {
        // SAFETY: by this function's contract; no reference to the whole is made.
        unsafe {
            Self {
                x: (&raw const (*batch).x).read(),
                target: (&raw const (*batch).target).read(),
                seed: (&raw const (*batch).seed).read(),
                mask: (&raw const (*batch).mask).read(),
            }
        }
    }
}

/// The host's places for the fit of `n` rows.
///
/// # Safety
/// When not null and aligned, `pointer` must point to `n` values that nothing else touches.
unsafe fn places<'p>(pointer: *mut f64, n: usize) -> Result<Option<&'p [Cell<f64>]>> {
    if pointer.is_null() {
        return Ok(None);
    }
    if !pointer.is_aligned() {
        return Err(Error::invalid_argument(
            "the places for the local fit are misaligned",
        ));
    }
    // SAFETY: by this function's contract; a cell has the layout of what it holds.
    Ok(Some(unsafe {
        std::slice::from_raw_parts(pointer.cast::<Cell<f64>>(), n)
    }))
}

fn check_background(background: Option<&[usize]>, x: &[usize], flags: Flags) -> Result<()> {
    match background {
        None if flags.contains(Flags::WANTS_BACKGROUND) => Err(Error::invalid_argument(
            "this method needs background rows, and the batch has none",
        )),
        Some(rows) if rows.len() != x.len() || rows[1..] != x[1..] || rows[0] == 0 => {
            Err(Error::invalid_argument(format!(
                "the background has shape {rows:?} for x of shape {x:?}, expected at least one row \
                 of the same shape"
            )))
        }
        _ => Ok(()),
    }
}

fn check_mask(mask: Option<&[usize]>, x: &[usize], flags: Flags) -> Result<()> {
    match mask {
        None if flags.contains(Flags::WANTS_MASK) => Err(Error::invalid_argument(
            "this control needs the ground-truth mask, and the batch has none",
        )),
        Some(mask) if x.len() != 4 || mask != [x[0], x[2], x[3]] => Err(Error::invalid_argument(
            format!("mask has shape {mask:?} for x of shape {x:?}, expected [n, height, width]"),
        )),
        _ => Ok(()),
    }
}
