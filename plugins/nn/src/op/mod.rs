//! Functions on candle tensors, differentiable on candle's tape.
//!
//! Tensors are single precision, on the CPU, `[images, channels, height, width]`. A backward pass
//! works out the gradients of those arguments only that are tracked: with plain weights and a
//! tracked input it costs no weight gradient, with a plain input no input gradient.
//!
//! A batch is cut into blocks whose size follows from the shapes alone; blocks are spread over
//! the [`Threads`](crate::Threads) given, and what has to be summed over blocks is summed in
//! their order.

mod activation;
mod conv;
mod linear;
mod loss;
mod norm;
mod pool;
mod resize;

use std::cell::RefCell;

use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Storage, Tensor, bail};

pub use activation::relu;
pub use conv::conv2d;
pub use linear::linear;
pub use loss::cross_entropy;
pub use norm::{ChannelStatistics, batch_norm2d, channel_statistics};
pub use pool::{avg_pool2d, global_avg_pool2d, max_pool2d};
pub use resize::resize2d;

use crate::kernel::Scratch;

/// Elements that a block's largest operand should not exceed by much: 512 KiB.
const BLOCK_ELEMENTS: usize = 1 << 17;
const BLOCK_IMAGES: usize = 16;

/// Buffers of one thread.
#[derive(Default)]
struct Buffers {
    x: Vec<f32>,
    y: Vec<f32>,
    z: Vec<f32>,
    scratch: Scratch,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

fn with_buffers<R>(work: impl FnOnce(&mut Buffers) -> R) -> R {
    BUFFERS.with_borrow_mut(work)
}

/// Images in a block, from the elements of the larger of input and output.
fn images_per_block(image: usize) -> usize {
    (BLOCK_ELEMENTS / image.max(1)).clamp(1, BLOCK_IMAGES)
}

/// The argument of a forward pass as a slice.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        (CpuStorage::F32(_), None) => bail!("the operation needs contiguous tensors"),
        _ => bail!(
            "the operation needs single precision, got {:?}",
            storage_type(storage)
        ),
    }
}

fn storage_type(storage: &CpuStorage) -> DType {
    use candle_core::backend::BackendStorage;
    storage.dtype()
}

/// Lends a tensor's values, copying only those that are not contiguous.
fn with_values<R>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => work(slice(storage, layout)?),
        _ => bail!("the operation runs on the CPU"),
    }
}

fn result(values: Vec<f32>, shape: impl Into<Shape>) -> Result<(CpuStorage, Shape)> {
    Ok((CpuStorage::F32(values), shape.into()))
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)
}

/// Images, channels, height, width; none of them zero.
fn image_dims(op: &str, x: &Tensor) -> Result<[usize; 4]> {
    match *x.dims() {
        [n, c, h, w] if x.elem_count() > 0 => Ok([n, c, h, w]),
        ref dims => bail!("{op}: expected [images, channels, height, width], none 0, got {dims:?}"),
    }
}
