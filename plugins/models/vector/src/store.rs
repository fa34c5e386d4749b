//! Trained machines at rest: safetensors.
//!
//! Support vectors of images are kept as the 8-bit pixels that they were, which are scaled again
//! when they are read: a quarter of the size, and the same bits. Those of tables are kept as
//! scaled, f32.

use safetensors::{Dtype, SafeTensors};
use xbench_plugin::{Error, Result};
use xbench_svm::{StoredTensor, SupportRows, Svm};

use crate::fit::{Trained, error, unit};
use crate::scaling::{RowScaling, Scaler};

const SHIFT: &str = "scaling.shift";
const FACTOR: &str = "scaling.factor";
const ROW: &str = "scaling.row";
const PIXELS: &str = "pixels";
/// Before the names of the machine's own tensors.
const PREFIX: &str = "svm.";

pub(crate) fn save(trained: &Trained) -> Result<Vec<u8>> {
    let width = trained.scaler.width();
    let rows = match trained.pixels {
        Some(_) => SupportRows::Outside,
        None => SupportRows::Inside,
    };
    let mut tensors = trained.svm.write(PREFIX, rows);
    let vector = |values: &[f32]| StoredTensor::f32(vec![width], values.iter().copied());
    tensors.push((SHIFT.to_owned(), vector(&trained.scaler.shift)));
    tensors.push((FACTOR.to_owned(), vector(&trained.scaler.factor)));
    let code = vec![trained.scaler.row.code()];
    tensors.push((ROW.to_owned(), StoredTensor::u8(vec![1], code)));
    if let Some(pixels) = &trained.pixels {
        let shape = vec![trained.svm.support_vectors(), width];
        tensors.push((PIXELS.to_owned(), StoredTensor::u8(shape, pixels.clone())));
    }
    safetensors::serialize(tensors, None)
        .map_err(|e| Error::internal(format!("the weights cannot be written: {e}")))
}

fn refuse(why: impl std::fmt::Display) -> Error {
    Error::invalid_argument(format!("svm-mask weights: {why}"))
}

/// Reads what [`save`] wrote, for rows of `width` features and `classes` classes.
pub(crate) fn load(bytes: &[u8], width: usize, classes: usize) -> Result<Trained> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| refuse(format_args!("not a readable safetensors file: {e}")))?;
    let scaler = Scaler {
        shift: vector(&file, SHIFT, width)?,
        factor: vector(&file, FACTOR, width)?,
        row: match bytes_of(&file, ROW)?.1 {
            &[code] => RowScaling::from_code(code)
                .ok_or_else(|| refuse(format_args!("'{ROW}' is {code}, expected 0, 1 or 2")))?,
            other => {
                let length = other.len();
                return Err(refuse(format_args!(
                    "'{ROW}' has {length} values, expected 1"
                )));
            }
        },
    };
    let pixels = match file.tensor(PIXELS) {
        Err(_) => None,
        Ok(_) => {
            let (shape, pixels) = bytes_of(&file, PIXELS)?;
            if shape.len() != 2 || shape[1] != width {
                return Err(refuse(format_args!(
                    "'{PIXELS}' has shape {shape:?}, expected [support vectors, {width}]"
                )));
            }
            Some(pixels.to_vec())
        }
    };
    let support = pixels.as_ref().map(|pixels| {
        let mut rows: Vec<f32> = pixels.iter().copied().map(unit).collect();
        scaler.apply(&mut rows);
        rows
    });
    let svm = Svm::read(&file, PREFIX, support).map_err(error)?;
    if (svm.features(), svm.classes()) != (width, classes) {
        return Err(refuse(format_args!(
            "they are for {} features and {} classes, the model has {width} and {classes}",
            svm.features(),
            svm.classes()
        )));
    }
    if !svm.has_probabilities() {
        return Err(refuse("they have no probabilities ('svm.sigmoid')"));
    }
    Ok(Trained {
        scaler,
        svm,
        pixels,
    })
}

fn vector(file: &SafeTensors<'_>, name: &str, width: usize) -> Result<Vec<f32>> {
    let view = file
        .tensor(name)
        .map_err(|_| refuse(format_args!("no tensor '{name}'")))?;
    if view.dtype() != Dtype::F32 || view.shape() != [width] {
        return Err(refuse(format_args!(
            "'{name}' is {:?} {:?}, expected F32 [{width}]",
            view.dtype(),
            view.shape()
        )));
    }
    let (chunks, _) = view.data().as_chunks();
    let values: Vec<f32> = chunks.iter().map(|&b| f32::from_le_bytes(b)).collect();
    match values.iter().find(|value| !value.is_finite()) {
        None => Ok(values),
        Some(value) => Err(refuse(format_args!("'{name}' holds {value}"))),
    }
}

fn bytes_of<'d>(file: &SafeTensors<'d>, name: &str) -> Result<(Vec<usize>, &'d [u8])> {
    let view = file
        .tensor(name)
        .map_err(|_| refuse(format_args!("no tensor '{name}'")))?;
    if view.dtype() == Dtype::U8 {
        Ok((view.shape().to_vec(), view.data()))
    } else {
        Err(refuse(format_args!(
            "'{name}' is {:?}, expected U8",
            view.dtype()
        )))
    }
}
