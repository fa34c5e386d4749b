//! Hands many variations of rows to the model in calls of a fixed size.

use xbench_plugin::{Result, TensorRef};

use super::layer::rows_per_call;

/// Collects variations, each with the place that its outputs belong to, and runs a call whenever it
/// is full. Outputs are taken in the order in which variations were pushed.
pub(crate) struct Queue<R, T> {
    shape: Vec<usize>,
    row_len: usize,
    outputs: usize,
    run: R,
    take: T,
    values: Vec<f32>,
    results: Vec<f32>,
    places: Vec<usize>,
    capacity: usize,
}

impl<R, T> Queue<R, T>
where
    R: FnMut(TensorRef<'_>, &mut [f32]) -> Result<()>,
    T: FnMut(usize, &[f32]),
{
    /// For variations of shape `row`; `run` fills the outputs, `[n, outputs]`, of a call, and
    /// `take(place, outputs)` gets those of one variation.
    pub(crate) fn new(row: &[usize], outputs: usize, run: R, take: T) -> Self {
        let row_len = row.iter().product();
        let capacity = rows_per_call(row_len);
        Self {
            shape: std::iter::once(0).chain(row.iter().copied()).collect(),
            row_len,
            outputs,
            run,
            take,
            values: vec![0.0; capacity * row_len],
            results: vec![0.0; capacity * outputs],
            places: Vec::with_capacity(capacity),
            capacity,
        }
    }

    /// Adds a variation, written by `fill` over what the buffer held before.
    ///
    /// # Errors
    /// Whatever `run` answers.
    pub(crate) fn push(&mut self, place: usize, fill: impl FnOnce(&mut [f32])) -> Result<()> {
        fill(&mut self.values[self.places.len() * self.row_len..][..self.row_len]);
        self.places.push(place);
        if self.places.len() == self.capacity {
            self.flush()?;
        }
        Ok(())
    }

    /// Runs what is left.
    ///
    /// # Errors
    /// Whatever `run` answers.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let count = self.places.len();
        if count == 0 {
            return Ok(());
        }
        self.shape[0] = count;
        let results = &mut self.results[..count * self.outputs];
        (self.run)(
            TensorRef::new(&self.shape, &self.values[..count * self.row_len])?,
            results,
        )?;
        for (place, outputs) in self
            .places
            .drain(..)
            .zip(results.chunks_exact(self.outputs))
        {
            (self.take)(place, outputs);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_full_but_for_the_last() {
        let (mut sizes, mut seen) = (Vec::new(), Vec::new());
        let mut queue = Queue::new(
            &[2],
            1,
            |values, outputs: &mut [f32]| {
                sizes.push(values.rows());
                for (row, output) in outputs.iter_mut().enumerate() {
                    *output = values.row(row).iter().sum();
                }
                Ok(())
            },
            |place, outputs: &[f32]| seen.push((place, outputs[0])),
        );
        for i in 0..300 {
            queue
                .push(2 * i, |values| values.fill(i as f32))
                .expect("runs");
        }
        queue.flush().expect("runs");
        queue.flush().expect("has nothing to do");
        drop(queue);
        assert_eq!(sizes, [256, 44]);
        assert!(
            seen.iter()
                .enumerate()
                .all(|(i, &(place, sum))| { place == 2 * i && sum == 2.0 * i as f32 })
        );
        assert_eq!(seen.len(), 300);
    }
}
