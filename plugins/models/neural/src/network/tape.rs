//! A network as one operation on candle's tape.
//!
//! The tape sees `logits = network(images, parameters)` with all parameters in one vector; the
//! operation itself runs blocks. What the forward pass leaves behind for the backward pass stays
//! in the operation's state, which is reused from step to step.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{CpuStorage, CustomOp2, Device, Layout, Result, Shape, Tensor, bail};
use xbench_nn::Threads;

use super::block::{BLOCK, Keep, Span, Workspace};
use super::plan::{Pack, Plan, Sums};
use super::{Network, NetworkError, Noise};

const KEEP: Keep = Keep {
    backward: true,
    layer: None,
};

/// A network on the tape. One forward pass may be pending at a time: its backward pass must
/// come before the next forward pass.
#[derive(Clone, Debug)]
pub struct Tape {
    plan: Arc<Plan>,
    threads: Arc<Threads>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    packs: Vec<Pack>,
    blocks: Vec<(Workspace, Vec<Sums>)>,
    /// Forward passes so far; a backward pass must belong to the last one.
    passes: u64,
}

impl Tape {
    /// The architecture of `network`, to be run on `threads`.
    pub fn new(network: &Network, threads: Arc<Threads>) -> Self {
        Tape {
            plan: Arc::clone(&network.plan),
            threads,
            state: Arc::default(),
        }
    }

    /// Logits `[images, outputs]` of `images` `[images, channels, height, width]` under flat
    /// `parameters`, differentiable in the parameters.
    ///
    /// # Errors
    /// When a shape does not fit.
    pub fn forward(
        &self,
        images: &Tensor,
        parameters: &Tensor,
    ) -> std::result::Result<Tensor, NetworkError> {
        self.pass(images, parameters, None)
    }

    /// As [`Tape::forward`], with dropout drawing from `noise`, which numbers each image.
    ///
    /// # Errors
    /// When a shape does not fit.
    pub fn forward_noisy(
        &self,
        images: &Tensor,
        parameters: &Tensor,
        noise: Noise,
    ) -> std::result::Result<Tensor, NetworkError> {
        super::length(
            "numbers of the images",
            noise.images(),
            images.dims().first().copied().unwrap_or(0),
        )?;
        self.pass(images, parameters, Some(noise))
    }

    fn pass(
        &self,
        images: &Tensor,
        parameters: &Tensor,
        noise: Option<Noise>,
    ) -> std::result::Result<Tensor, NetworkError> {
        let pass = self.state().passes + 1;
        Ok(images.apply_op2(
            parameters,
            Pass {
                tape: self.clone(),
                pass,
                noise,
            },
        )?)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Pass {
    tape: Tape,
    pass: u64,
    noise: Option<Noise>,
}

impl CustomOp2 for Pass {
    fn name(&self) -> &'static str {
        "network"
    }

    fn cpu_fwd(
        &self,
        images: &CpuStorage,
        images_layout: &Layout,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let plan = &self.tape.plan;
        let x = contiguous(images, images_layout)?;
        let parameters = contiguous(parameters, parameters_layout)?;
        let count = x.len() / plan.input_len();
        let [channels, height, width] = plan.input;
        if images_layout.dims() != [count, channels, height, width] {
            bail!(
                "network: images of shape {:?}, expected {:?}",
                images_layout.dims(),
                plan.input
            );
        }
        if parameters.len() != plan.parameter_count {
            bail!(
                "network: {} parameters, expected {}",
                parameters.len(),
                plan.parameter_count
            );
        }
        let mut state = self.tape.state();
        let State {
            packs,
            blocks,
            passes,
        } = &mut *state;
        *passes += 1;
        plan.pack(parameters, packs);
        let needed = count.div_ceil(BLOCK);
        while blocks.len() < needed {
            blocks.push((Workspace::default(), plan.sums()));
        }
        for (space, _) in &mut blocks[..needed] {
            space.set_noise(None);
        }
        if let Some(noise) = &self.noise {
            for ((space, _), noise) in blocks.iter_mut().zip(noise.blocks(BLOCK)) {
                space.set_noise(Some(noise));
            }
        }
        let last = plan.layers.len() - 1;
        let mut logits = vec![0.0; count * plan.outputs()];
        let jobs: Vec<_> = x
            .chunks(BLOCK * plan.input_len())
            .zip(logits.chunks_mut(BLOCK * plan.outputs()))
            .zip(blocks.iter_mut())
            .collect();
        self.tape.threads.map(jobs, |((x, logits), (space, _))| {
            space.forward(plan, parameters, packs, x, last, KEEP);
            space.write_output(plan, last, logits);
        });
        Ok((
            CpuStorage::F32(logits),
            Shape::from((count, plan.outputs())),
        ))
    }

    fn bwd(
        &self,
        images: &Tensor,
        parameters: &Tensor,
        _logits: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        if images.track_op() {
            bail!("network: differentiable in the parameters only; use vjp for the images");
        }
        if !parameters.track_op() {
            return Ok((None, None));
        }
        let plan = &self.tape.plan;
        let dy = gradient.flatten_all()?.to_vec1::<f32>()?;
        let mut state = self.tape.state();
        let State {
            packs,
            blocks,
            passes,
        } = &mut *state;
        if *passes != self.pass {
            bail!("network: a later forward pass has overwritten what this backward pass needs");
        }
        let jobs: Vec<_> = dy
            .chunks(BLOCK * plan.outputs())
            .zip(blocks.iter_mut())
            .collect();
        let used = jobs.len();
        let span = Span {
            from: plan.layers.len() - 1,
            to: None,
        };
        self.tape.threads.map(jobs, |(dy, (space, sums))| {
            space.backward(plan, packs, dy, span, KEEP, Some(sums));
        });
        // In the order of the blocks, whichever thread worked on which.
        let mut total = vec![0.0; plan.parameter_count];
        if let Some(((_, sums), others)) = blocks[..used].split_first_mut() {
            for (_, other) in others {
                Plan::merge(sums, other);
            }
            plan.collect(sums, &mut total);
        }
        let total = Tensor::from_vec(total, plan.parameter_count, &Device::Cpu)?;
        Ok((None, Some(total)))
    }
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("expected contiguous single-precision values"),
    }
}
