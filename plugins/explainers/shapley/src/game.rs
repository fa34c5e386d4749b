//! The value of coalitions, asked of the model in calls of a fixed number of rows.

use std::collections::VecDeque;

use xbench_plugin::{Batch, Context, Error, ModelHandle, Result, TensorRef};

use crate::players::Players;
use crate::setup::{Outcome, Removal};

/// Rows handed to the model in one call; bounds the memory.
const ROWS_PER_CALL: usize = 256;

/// A game per row of the batch: what a coalition is worth.
pub(crate) struct Game<'g, 'm> {
    ctx: &'g Context<'g>,
    model: &'g ModelHandle<'m>,
    batch: &'g Batch<'g>,
    outcome: Outcome,
    /// `[m, input...]`.
    removed: Vec<f32>,
}

/// One value that is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// The row of the batch.
    pub(crate) row: usize,
    /// Stand-in to remove players to; none for the mean over all of them.
    pub(crate) stand_in: Option<usize>,
}

/// An ask whose forward rows are on their way.
struct Pending {
    ask: usize,
    row: usize,
    images: usize,
    left: usize,
    sum: f64,
}

impl<'g, 'm> Game<'g, 'm> {
    /// # Errors
    /// When there are no features or no stand-ins, or the model has no such outcome.
    pub(crate) fn new(
        ctx: &'g Context<'g>,
        model: &'g ModelHandle<'m>,
        batch: &'g Batch<'g>,
        outcome: Outcome,
        removal: Removal,
    ) -> Result<Self> {
        outcome.check(model.spec().output_kind)?;
        if batch.x.row_len() == 0 {
            return Err(Error::invalid_argument(
                "rows without features have nothing to explain",
            ));
        }
        Ok(Self {
            ctx,
            model,
            batch,
            outcome,
            removed: removal.rows(batch)?,
        })
    }

    /// The stand-ins, one after the other.
    pub(crate) fn removed(&self) -> &[f32] {
        &self.removed
    }

    /// Stand-ins there are.
    pub(crate) fn stand_ins(&self) -> usize {
        self.removed.len() / self.batch.x.row_len()
    }

    /// Finds `count` values. `ask(i, keep)` says of which row value i is, and sets for each of its
    /// players whether it is kept (all come as false); `take(i, value)` gets the values, in order.
    ///
    /// # Errors
    /// Whatever the model or the host answers, deadline and cancellation included.
    pub(crate) fn values(
        &self,
        players: &[Players],
        count: usize,
        mut ask: impl FnMut(usize, &mut [bool]) -> Ask,
        mut take: impl FnMut(usize, f64),
    ) -> Result<()> {
        let (x, outputs) = (self.batch.x, self.model.spec().outputs);
        let row_len = x.row_len();
        let most = players.iter().map(Players::count).max().unwrap_or(0);
        let mut keep = vec![false; most + 1];
        let capacity = ROWS_PER_CALL.min(count.saturating_mul(self.stand_ins()));
        let mut images = vec![0.0_f32; capacity * row_len];
        let mut answers = vec![0.0_f32; capacity * outputs];
        let mut filled = 0;
        let mut pending: VecDeque<Pending> = VecDeque::new();
        for index in 0..count {
            keep.fill(false);
            let Ask { row, stand_in } = ask(index, &mut keep[..most]);
            let players = &players[row];
            keep[players.count()] = true;
            // With all players kept there is nothing to average over.
            let all = keep[..players.count()].iter().all(|&kept| kept);
            let stand_ins = match stand_in {
                Some(one) => one..one + 1,
                None if all => 0..1,
                None => 0..self.stand_ins(),
            };
            pending.push_back(Pending {
                ask: index,
                row,
                images: stand_ins.len(),
                left: stand_ins.len(),
                sum: 0.0,
            });
            for one in stand_ins {
                let removed = &self.removed[one * row_len..][..row_len];
                let image = &mut images[filled * row_len..][..row_len];
                players.remove(&keep, x.row(row), removed, image);
                filled += 1;
                if filled == capacity {
                    self.ctx.checkpoint(index as f64 / count as f64)?;
                    self.answer(&images, &mut answers, &mut pending, &mut take)?;
                    filled = 0;
                }
            }
        }
        self.ctx.checkpoint(1.0)?;
        self.answer(
            &images[..filled * row_len],
            &mut answers[..filled * outputs],
            &mut pending,
            &mut take,
        )
    }

    /// Asks the model about some images and gives what is complete to `take`.
    fn answer(
        &self,
        images: &[f32],
        answers: &mut [f32],
        pending: &mut VecDeque<Pending>,
        take: &mut impl FnMut(usize, f64),
    ) -> Result<()> {
        let spec = self.model.spec();
        let mut shape = self.batch.x.shape().to_vec();
        shape[0] = answers.len() / spec.outputs;
        if shape[0] == 0 {
            return Ok(());
        }
        let images = TensorRef::new(&shape, images)?;
        self.model.predict(self.ctx, images, answers)?;
        for outputs in answers.chunks_exact(spec.outputs) {
            let Some(front) = pending.front_mut() else {
                break;
            };
            let target = self.batch.target[front.row] as usize;
            front.sum += self.outcome.of(spec.output_kind, outputs, target);
            front.left -= 1;
            if front.left == 0 {
                take(front.ask, front.sum / front.images as f64);
                pending.pop_front();
            }
        }
        Ok(())
    }
}
