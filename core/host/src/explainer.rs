//! An explainer that a worker holds.

#![expect(unsafe_code, reason = "calls the explainer's table of functions")]

use xbench_abi::{DLDataType, xb_batch, xb_call, xb_explain, xb_object, xb_status, xb_tensor};

use crate::call::{CallFrame, CallSettings};
use crate::error::{Fault, PluginError, PluginErrorKind};
use crate::model::pieces;
use crate::object::Object;
use crate::proxy::ModelProxy;
use crate::scan::ScannedPlugin;
use crate::tensor::{Lent, check_finite};

type ExplainFn = unsafe extern "C" fn(
    *const xb_object,
    *const xb_call,
    *const xb_object,
    *const xb_batch,
    *mut xb_tensor,
) -> xb_status;

/// Rows to explain.
#[derive(Debug, Clone, Copy)]
pub struct HostBatch<'b> {
    /// `[n, input...]`, row-major.
    pub x: &'b [f32],
    /// Shape of `x`, the example axis first.
    pub shape: &'b [usize],
    /// `[n]`: the output that is explained, per row.
    pub target: &'b [i64],
    /// `[n]`: each row's own seed.
    pub seed: &'b [u64],
    /// `[n, height, width]`, 1 inside the object; reaches only explainers that declare the need.
    pub mask: Option<&'b [u8]>,
    /// `[m, input...]`: rows of the training split; reaches only explainers that declare the need.
    pub background: Option<&'b [f32]>,
}

/// An explainer, made by [`Library::create_explainer`](crate::Library::create_explainer).
#[derive(Debug)]
pub struct LoadedExplainer {
    object: Object,
    run: ExplainFn,
    id: String,
    wants_mask: bool,
    wants_background: bool,
    max_batch: usize,
}

impl LoadedExplainer {
    pub(crate) fn new(object: Object, plugin: &ScannedPlugin) -> Result<Self, Fault> {
        let table = object
            .table::<xb_explain>(plugin)?
            .ok_or_else(Fault::lacks::<xb_explain>)?;
        // SAFETY: `table` checked its size; it is valid for as long as the object.
        let run = unsafe { table.as_ref().run };
        Ok(Self {
            run: run.ok_or_else(|| Fault::contract("its explain function is null"))?,
            object,
            id: plugin.id.clone(),
            wants_mask: plugin.flags.wants_mask,
            wants_background: plugin.flags.wants_background,
            max_batch: plugin.max_batch as usize,
        })
    }

    /// The plugin's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Attributes the targets' outputs to the input; `attribution` has the shape of `x`.
    ///
    /// The batch is cut to the smaller of the explainer's own limit and `settings.max_rows`; rows
    /// are independent, so this changes nothing but memory.
    ///
    /// # Errors
    ///
    /// The explainer's own error, or what the proxy refused it (the deadline, a model that fails);
    /// [`PluginErrorKind::NonFinite`] when a number of the attribution is NaN, infinite or was not
    /// written; [`PluginErrorKind::Request`] when the sizes of the batch disagree.
    pub fn explain(
        &self,
        settings: &CallSettings,
        proxy: &ModelProxy<'_>,
        batch: &HostBatch<'_>,
        attribution: &mut [f32],
    ) -> Result<(), PluginError> {
        let mut local_fit = vec![f64::NAN; batch.target.len()];
        self.explain_and_fit(settings, proxy, batch, attribution, &mut local_fit)
    }

    /// As [`LoadedExplainer::explain`]; `local_fit`, `[n]`, gets how well the explainer's local
    /// surrogate fits each row (R squared), NaN where it tells nothing.
    ///
    /// # Errors
    ///
    /// As [`LoadedExplainer::explain`].
    pub fn explain_and_fit(
        &self,
        settings: &CallSettings,
        proxy: &ModelProxy<'_>,
        batch: &HostBatch<'_>,
        attribution: &mut [f32],
        local_fit: &mut [f64],
    ) -> Result<(), PluginError> {
        self.explain_batch(settings, proxy, batch, attribution, local_fit)
            .map_err(|fault| PluginError::new(&self.id, fault))
    }

    fn explain_batch(
        &self,
        settings: &CallSettings,
        proxy: &ModelProxy<'_>,
        batch: &HostBatch<'_>,
        attribution: &mut [f32],
        local_fit: &mut [f64],
    ) -> Result<(), Fault> {
        let (rows, row) = self.check_batch(proxy, batch, attribution.len())?;
        if local_fit.len() != rows {
            return Err(Fault::request(format!(
                "{rows} rows, but {} places for their fit",
                local_fit.len()
            )));
        }
        local_fit.fill(f64::NAN);
        let mask = batch.mask.filter(|_| self.wants_mask);
        let mask_row = mask.map_or(0, |mask| mask.len() / rows.max(1));
        // Whatever is not written stays NaN and is found below.
        attribution.fill(f32::NAN);
        for piece in pieces(rows, self.max_batch, settings.max_rows) {
            let part = HostBatch {
                x: &batch.x[piece.start * row..piece.end * row],
                shape: batch.shape,
                target: &batch.target[piece.clone()],
                seed: &batch.seed[piece.clone()],
                mask: mask.map(|mask| &mask[piece.start * mask_row..piece.end * mask_row]),
                background: batch.background.filter(|_| self.wants_background),
            };
            let out = &mut attribution[piece.start * row..piece.end * row];
            let frame = CallFrame::new(settings);
            frame.check_deadline()?;
            proxy.forget_fault();
            let fit = &mut local_fit[piece.clone()];
            let status = self.call(&frame, proxy, &part, out, fit);
            blame(frame.finish("explain", status), proxy)?;
            check_finite("attribution", out, piece.len(), piece.start)?;
        }
        Ok(())
    }

    /// Rows of the batch and numbers in a row, if all its sizes agree.
    fn check_batch(
        &self,
        proxy: &ModelProxy<'_>,
        batch: &HostBatch<'_>,
        attribution: usize,
    ) -> Result<(usize, usize), Fault> {
        let spec = proxy.model().spec();
        let (rows, inner) = match batch.shape.split_first() {
            Some((&rows, inner)) if *inner == *spec.input_shape => (rows, inner),
            _ => {
                return Err(Fault::request(format!(
                    "a batch of shape {:?} for a model with input {:?}",
                    batch.shape, spec.input_shape
                )));
            }
        };
        let row = spec.input_len();
        let agree = batch.x.len() == rows * row
            && attribution == rows * row
            && batch.target.len() == rows
            && batch.seed.len() == rows;
        if !agree {
            return Err(Fault::request(format!(
                "{rows} rows of {row} numbers, but x has {}, attribution {attribution}, target {}, \
                 seed {}",
                batch.x.len(),
                batch.target.len(),
                batch.seed.len()
            )));
        }
        if let Some(target) = batch
            .target
            .iter()
            .find(|&&t| usize::try_from(t).map_or(true, |t| t >= spec.outputs))
        {
            return Err(Fault::request(format!(
                "target {target} of {} outputs",
                spec.outputs
            )));
        }
        if self.wants_background {
            match batch.background {
                None => {
                    return Err(Fault::request(
                        "it needs background rows, and none were given",
                    ));
                }
                Some(rows) if rows.is_empty() || rows.len() % row.max(1) != 0 => {
                    return Err(Fault::request(format!(
                        "a background of {} numbers for rows of {row}",
                        rows.len()
                    )));
                }
                Some(_) => {}
            }
        }
        if self.wants_mask {
            let Some(mask) = batch.mask else {
                return Err(Fault::request(
                    "it needs the object mask, and the data has none",
                ));
            };
            let [.., height, width] = *inner else {
                return Err(Fault::request("it needs the object mask of an image"));
            };
            if mask.len() != rows * height * width {
                return Err(Fault::request(format!(
                    "a mask of {} pixels for {rows} images of {height} x {width}",
                    mask.len()
                )));
            }
        }
        Ok((rows, row))
    }

    fn call(
        &self,
        frame: &CallFrame,
        proxy: &ModelProxy<'_>,
        batch: &HostBatch<'_>,
        out: &mut [f32],
        local_fit: &mut [f64],
    ) -> xb_status {
        let mut shape = batch.shape.to_vec();
        shape[0] = batch.target.len();
        let x = Lent::new(batch.x.as_ptr().cast_mut().cast(), DLDataType::F32, &shape);
        let mut y = Lent::new(out.as_mut_ptr().cast(), DLDataType::F32, &shape);
        let mask = batch.mask.map(|mask| {
            let shape = [shape[0], shape[shape.len() - 2], shape[shape.len() - 1]];
            Lent::new(mask.as_ptr().cast_mut().cast(), DLDataType::U8, &shape)
        });
        let row: usize = shape[1..].iter().product();
        let background = batch.background.map(|rows| {
            let mut shape = shape.clone();
            shape[0] = rows.len() / row.max(1);
            Lent::new(rows.as_ptr().cast_mut().cast(), DLDataType::F32, &shape)
        });
        let raw = xb_batch {
            struct_size: size_of::<xb_batch>() as u32,
            reserved: 0,
            x: x.raw(),
            target: batch.target.as_ptr(),
            seed: batch.seed.as_ptr(),
            mask: mask.as_ref().map_or(std::ptr::null(), Lent::raw),
            background: background.as_ref().map_or(std::ptr::null(), Lent::raw),
            local_fit: local_fit.as_mut_ptr(),
        };
        // SAFETY: the object and the function belong together; everything lent outlives the call.
        unsafe {
            (self.run)(
                self.object.raw(),
                frame.raw(),
                proxy.raw(),
                &raw const raw,
                y.raw_mut(),
            )
        }
    }
}

/// Says what really happened when an explainer failed, or went on, because of its model.
fn blame(result: Result<(), Fault>, proxy: &ModelProxy<'_>) -> Result<(), Fault> {
    let cause = proxy.take_fault();
    match (result, cause) {
        // An explainer that goes on after its model was refused has made an incomplete result.
        (Ok(()), Some(fault)) if fault.kind == PluginErrorKind::Deadline => Err(fault),
        (Ok(()), _) => Ok(()),
        (Err(own), Some(fault)) if !matches!(fault.kind, PluginErrorKind::Failed { .. }) => {
            Err(Fault {
                kind: fault.kind,
                message: own.message,
            })
        }
        (Err(own), _) => Err(own),
    }
}
