//! Worker processes, and the jobs they are given.
//!
//! Jobs are taken in order by as many threads as there are workers; each thread owns one worker
//! process and replaces it when it dies. Answers are handed to the caller on its own thread, one
//! at a time, so that whatever reads or writes results needs no locks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use xbench_host::worker::{Message, Worker, WorkerConfig, WorkerFailure};

/// How long a worker may take beyond its deadline before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// One request to a worker.
pub(crate) struct Job<'j> {
    /// Jobs of one group (a cell) stop together: after a failure the rest is skipped.
    pub(crate) group: usize,
    /// Time allowed for the answer.
    pub(crate) deadline: Duration,
    /// Makes the request, when a worker is free for it.
    pub(crate) message: Box<dyn FnOnce() -> Message + Send + 'j>,
}

/// What became of a job.
pub(crate) enum Outcome {
    /// The worker answered.
    Answer(Message),
    /// The worker crashed, hung or could not be started.
    Failed(WorkerFailure),
    /// An earlier job of the group had failed.
    Skipped,
}

/// A fixed number of worker processes, started when first needed.
pub(crate) struct Pool {
    config: WorkerConfig,
    workers: Vec<Mutex<Option<Worker>>>,
}

impl Pool {
    /// A pool of `size` workers (at least 1).
    pub(crate) fn new(config: WorkerConfig, size: usize) -> Self {
        let workers = (0..size.max(1)).map(|_| Mutex::new(None)).collect();
        Self { config, workers }
    }

    /// Runs all jobs. `done` gets each job's number and outcome, and may stop the run by an
    /// error or the job's group by answering false; `event` gets what workers report while busy.
    pub(crate) fn run<E>(
        &self,
        jobs: Vec<Job<'_>>,
        event: &(dyn Fn(usize, Message) + Sync),
        mut done: impl FnMut(usize, Outcome) -> Result<bool, E>,
    ) -> Result<(), E> {
        let groups = jobs.iter().map(|job| job.group + 1).max().unwrap_or(0);
        let stopped: Vec<AtomicBool> = (0..groups).map(|_| AtomicBool::new(false)).collect();
        let owner: Vec<usize> = jobs.iter().map(|job| job.group).collect();
        let queue: Mutex<VecDeque<_>> = Mutex::new(jobs.into_iter().enumerate().collect());
        let abandon = AtomicBool::new(false);
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            for slot in &self.workers {
                let sender = sender.clone();
                let (queue, stopped, abandon) = (&queue, &stopped, &abandon);
                scope.spawn(move || {
                    let mut worker = slot.lock().unwrap_or_else(PoisonError::into_inner);
                    while !abandon.load(Ordering::Relaxed) {
                        let next = queue.lock().map_or(None, |mut queue| queue.pop_front());
                        let Some((number, job)) = next else { break };
                        let group = &stopped[job.group];
                        let outcome = if group.load(Ordering::Relaxed) {
                            Outcome::Skipped
                        } else {
                            self.call(&mut worker, job, &|message| event(number, message))
                        };
                        if matches!(outcome, Outcome::Failed(_)) {
                            group.store(true, Ordering::Relaxed);
                        }
                        if sender.send((number, outcome)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            let mut result = Ok(());
            for (number, outcome) in receiver {
                if result.is_err() {
                    continue;
                }
                match done(number, outcome) {
                    Ok(true) => {}
                    Ok(false) => stopped[owner[number]].store(true, Ordering::Relaxed),
                    Err(error) => {
                        abandon.store(true, Ordering::Relaxed);
                        result = Err(error);
                    }
                }
            }
            result
        })
    }

    /// One request to the worker of a thread, which is started first if there is none.
    fn call(&self, slot: &mut Option<Worker>, job: Job<'_>, event: &dyn Fn(Message)) -> Outcome {
        let worker = match slot {
            Some(worker) => worker,
            None => match Worker::spawn(&self.config) {
                Ok(worker) => slot.insert(worker),
                Err(failure) => return Outcome::Failed(failure),
            },
        };
        let message = (job.message)();
        let answer = worker.call(&message, job.deadline, GRACE, &mut |message| event(message));
        match answer {
            Ok(answer) => Outcome::Answer(answer),
            Err(failure) => {
                // Whatever happened, the next job gets a process of its own.
                *slot = None;
                Outcome::Failed(failure)
            }
        }
    }
}
