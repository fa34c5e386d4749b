//! A pool of compute threads of a given size.
//!
//! Work is cut into jobs by the size of the data, never by the number of threads, and results
//! come back in the order of the jobs: what is computed does not depend on the pool.

use rayon::prelude::*;

use crate::Error;

/// Threads of their own, apart from any global pool. With one thread nothing is started.
#[derive(Debug)]
pub struct Threads {
    pool: Option<rayon::ThreadPool>,
    count: usize,
}

impl Threads {
    /// The caller's thread alone.
    pub const fn one() -> Self {
        Threads {
            pool: None,
            count: 1,
        }
    }

    /// `count` threads; 0 counts as 1.
    ///
    /// # Errors
    /// When the system refuses to start them.
    pub fn new(count: usize) -> Result<Self, Error> {
        let count = count.max(1);
        if count == 1 {
            return Ok(Threads::one());
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|i| format!("xbench-nn-{i}"))
            .build()
            .map_err(|source| Error::Threads { count, source })?;
        Ok(Threads {
            pool: Some(pool),
            count,
        })
    }

    /// How many threads work.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Does every job, and gives the results in the order of the jobs.
    pub fn map<T: Send, R: Send>(
        &self,
        jobs: Vec<T>,
        work: impl Fn(T) -> R + Sync + Send,
    ) -> Vec<R> {
        match &self.pool {
            Some(pool) if jobs.len() > 1 => {
                pool.install(|| jobs.into_par_iter().with_max_len(1).map(work).collect())
            }
            _ => jobs.into_iter().map(work).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_jobs() {
        for count in [0, 1, 3] {
            let threads = Threads::new(count).unwrap();
            let squares = threads.map((0..100u64).collect(), |i| i * i);
            assert_eq!(squares, (0..100).map(|i| i * i).collect::<Vec<_>>());
        }
    }
}
