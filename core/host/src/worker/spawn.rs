//! The host's side of a worker: start it, ask it, and say how it ended.
//!
//! Reading happens on threads, so a deadline holds even when the worker sends half a frame and
//! hangs. A worker that failed is dead: it is never spoken to again, and its owner starts another.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::failure::{KilledBy, WorkerFailure, signal_of};
use super::limits::terminate;
use super::message::{FrameError, FrameKind, Message, frame_head, read_frame};
use super::{ADDRESS_SPACE_VARIABLE, PROTOCOL};

/// How much of a worker's standard error is kept: its end.
const STDERR_TAIL: usize = 64 << 10;
/// How long a worker may take to say hello.
const HELLO_DEADLINE: Duration = Duration::from_secs(20);
/// How long a worker may take to end once its streams are closed.
const EXIT_GRACE: Duration = Duration::from_secs(2);
/// Environment variables by which numerical libraries cap their threads.
const THREAD_VARIABLES: [&str; 5] = [
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "CANDLE_NUM_THREADS",
];

/// How to start a worker.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The program that calls [`serve`](super::serve) when started with `args`.
    pub executable: PathBuf,
    /// Arguments that make it a worker.
    pub args: Vec<OsString>,
    /// Cap on compute threads, set in the environment before any library is loaded; at least 1.
    pub threads: usize,
    /// Limit of the worker's address space in bytes (Unix); `None` for no limit.
    pub address_space_bytes: Option<u64>,
    /// Further environment variables.
    pub env: Vec<(OsString, OsString)>,
}

type Frame = Result<(FrameKind, Message), FrameError>;

/// A worker process. Dropping it ends the process.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    frames: Receiver<Frame>,
    stderr: Arc<Mutex<VecDeque<u8>>>,
    /// Disconnected once standard error has been read to its end.
    stderr_done: Receiver<()>,
    alive: bool,
}

impl Worker {
    /// Starts a worker and waits for its greeting.
    ///
    /// # Errors
    ///
    /// [`WorkerFailure::Spawn`] when the program cannot be started or speaks another protocol, else
    /// whatever ended it before it said hello.
    pub fn spawn(config: &WorkerConfig) -> Result<Self, WorkerFailure> {
        let threads = config.threads.max(1).to_string();
        let mut command = Command::new(&config.executable);
        command
            .args(&config.args)
            .envs(THREAD_VARIABLES.iter().map(|name| (name, &threads)))
            .envs(config.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        match config.address_space_bytes {
            Some(bytes) => command.env(ADDRESS_SPACE_VARIABLE, bytes.to_string()),
            None => command.env_remove(ADDRESS_SPACE_VARIABLE),
        };
        let spawn_error = |what: &str, error: std::io::Error| {
            WorkerFailure::Spawn(format!("{}: {what}: {error}", config.executable.display()))
        };
        let mut child = command
            .spawn()
            .map_err(|error| spawn_error("starting it", error))?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(mut stdout), Some(mut stderr)) = (stdin, stdout, stderr) else {
            return Err(WorkerFailure::Spawn("its streams are not pipes".to_owned()));
        };

        // A bounded queue: a plugin that floods the host with events waits for it instead.
        let (frame_sender, frames) = mpsc::sync_channel::<Frame>(64);
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let (done_sender, stderr_done) = mpsc::channel();
        let shared_tail = Arc::clone(&tail);
        let reading = std::thread::Builder::new()
            .name("worker frames".into())
            .spawn(move || {
                loop {
                    let frame = match read_frame(&mut stdout) {
                        Ok(Some(frame)) => Ok(frame),
                        Ok(None) => return,
                        Err(error) => Err(error),
                    };
                    let last = frame.is_err();
                    if frame_sender.send(frame).is_err() || last {
                        return;
                    }
                }
            });
        let listening = std::thread::Builder::new()
            .name("worker stderr".into())
            .spawn(move || {
                let _done = done_sender;
                let mut chunk = [0_u8; 4096];
                while let Ok(count @ 1..) = stderr.read(&mut chunk) {
                    let mut tail = shared_tail.lock().unwrap_or_else(PoisonError::into_inner);
                    tail.extend(&chunk[..count]);
                    let excess = tail.len().saturating_sub(STDERR_TAIL);
                    tail.drain(..excess);
                }
            });
        let mut worker = Self {
            child,
            stdin: Some(stdin),
            frames,
            stderr: tail,
            stderr_done,
            alive: true,
        };
        // Made first, so that a failure from here on ends the process by dropping the worker.
        reading.map_err(|error| spawn_error("a thread for its frames", error))?;
        listening.map_err(|error| spawn_error("a thread for its standard error", error))?;
        worker.greet(config)?;
        Ok(worker)
    }

    fn greet(&mut self, config: &WorkerConfig) -> Result<(), WorkerFailure> {
        let (kind, hello) = self.next_frame(HELLO_DEADLINE, Instant::now(), EXIT_GRACE)?;
        let protocol = hello
            .header
            .get("protocol")
            .and_then(serde_json::Value::as_u64);
        if kind == FrameKind::Hello && protocol == Some(u64::from(PROTOCOL)) {
            return Ok(());
        }
        self.kill();
        Err(WorkerFailure::Spawn(format!(
            "{} answered {kind:?} {} instead of hello with protocol {PROTOCOL}: is it another \
             version of the program?",
            config.executable.display(),
            hello.header
        )))
    }

    /// Sends a request and waits for its answer, handing over the events that come before it.
    ///
    /// `deadline` counts from now for the whole call; past it the process is asked to end, and
    /// killed after `grace`.
    ///
    /// # Errors
    ///
    /// See [`WorkerFailure`]. After anything but `Refused` the worker is dead.
    pub fn call(
        &mut self,
        request: &Message,
        deadline: Duration,
        grace: Duration,
        on_event: &mut dyn FnMut(Message),
    ) -> Result<Message, WorkerFailure> {
        let begin = Instant::now();
        let Some(stdin) = self.stdin.take().filter(|_| self.alive) else {
            return Err(WorkerFailure::Protocol(
                "the worker has already ended".to_owned(),
            ));
        };
        let head = frame_head(FrameKind::Request, request).map_err(|error| {
            WorkerFailure::Protocol(format!("the request cannot be sent: {error}"))
        });
        let head = match head {
            Ok(head) => head,
            Err(failure) => {
                self.stdin = Some(stdin);
                return Err(failure);
            }
        };
        // A pipe takes this much without a reader, and the last request was read to its end.
        const WRITTEN_AT_ONCE: usize = 4096;
        let size = head.len() + request.blobs.iter().map(Vec::len).sum::<usize>();
        if size <= WRITTEN_AT_ONCE {
            self.stdin = Some(write_request(stdin, &head, request));
            return self.await_answer(deadline, begin, grace, on_event);
        }
        // Written on a thread of its own: a large request to a worker that does not read would
        // otherwise block past every deadline. Killing the worker ends the write.
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| write_request(stdin, &head, request));
            let answer = self.await_answer(deadline, begin, grace, on_event);
            if let Ok(stdin) = writer.join() {
                self.stdin = Some(stdin);
            }
            answer
        })
    }

    fn await_answer(
        &mut self,
        deadline: Duration,
        begin: Instant,
        grace: Duration,
        on_event: &mut dyn FnMut(Message),
    ) -> Result<Message, WorkerFailure> {
        loop {
            match self.next_frame(deadline, begin, grace)? {
                (FrameKind::Event, event) => on_event(event),
                (FrameKind::Reply, reply) => return Ok(reply),
                (FrameKind::Refusal, refusal) => {
                    let error = refusal
                        .header
                        .get("error")
                        .and_then(serde_json::Value::as_str);
                    return Err(WorkerFailure::Refused(
                        error.unwrap_or("no reason").to_owned(),
                    ));
                }
                (kind, _) => {
                    self.kill();
                    return Err(WorkerFailure::Protocol(format!(
                        "unexpected {kind:?} frame"
                    )));
                }
            }
        }
    }

    fn next_frame(
        &mut self,
        deadline: Duration,
        begin: Instant,
        grace: Duration,
    ) -> Result<(FrameKind, Message), WorkerFailure> {
        match self
            .frames
            .recv_timeout(deadline.saturating_sub(begin.elapsed()))
        {
            Ok(Ok(frame)) => Ok(frame),
            // A frame that breaks off is the mark of a process that died while writing it.
            Err(RecvTimeoutError::Disconnected) | Ok(Err(FrameError::Truncated)) => {
                Err(self.crashed())
            }
            Ok(Err(error)) => {
                self.kill();
                Err(WorkerFailure::Protocol(error.to_string()))
            }
            Err(RecvTimeoutError::Timeout) => {
                let killed_by = self.end(grace);
                Err(WorkerFailure::Timeout {
                    after: deadline,
                    killed_by,
                    stderr: self.stderr(),
                })
            }
        }
    }

    /// The process closed its output: gather how it ended.
    fn crashed(&mut self) -> WorkerFailure {
        self.stdin = None;
        let status = match self.wait(EXIT_GRACE) {
            Some(status) => Some(status),
            None => {
                self.kill();
                None
            }
        };
        self.alive = false;
        WorkerFailure::Crashed {
            signal: status.and_then(signal_of),
            code: status.and_then(|status| status.code()),
            stderr: self.stderr(),
        }
    }

    /// Asks the process to end, waits for the grace period, then kills it.
    fn end(&mut self, grace: Duration) -> KilledBy {
        terminate(self.child.id());
        if self.wait(grace).is_some() {
            self.alive = false;
            return KilledBy::Terminate;
        }
        self.kill();
        KilledBy::Kill
    }

    /// Waits at most `limit` for the process to end.
    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let begin = Instant::now();
        let mut pause = Duration::from_micros(100);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Err(_) => return None,
                Ok(None) if begin.elapsed() >= limit => return None,
                Ok(None) => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    /// Kills the process at once.
    pub fn kill(&mut self) {
        self.alive = false;
        self.stdin = None;
        // Both fail only when the process has already ended and been waited for.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// The end of what the process wrote to standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        if !self.alive {
            // What it wrote last may still be in the pipe. A process that the worker left behind
            // may hold the pipe open for ever, hence the limit.
            _ = self.stderr_done.recv_timeout(Duration::from_millis(200));
        }
        let tail = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, second) = tail.as_slices();
        String::from_utf8_lossy(&[first, second].concat()).into_owned()
    }

    /// The process's id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Can it still be called?
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// Peak resident memory of the living process in bytes (Linux: `VmHWM`).
    #[must_use]
    pub fn peak_memory_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    }

    /// Ends the worker in peace: closes its input and waits a little, then kills it.
    pub fn shutdown(mut self) {
        self.stdin = None;
        if self.alive && self.wait(EXIT_GRACE).is_some() {
            self.alive = false;
        }
    }
}

/// Writes a request and gives the pipe back.
fn write_request(mut stdin: ChildStdin, head: &[u8], request: &Message) -> ChildStdin {
    let written = stdin
        .write_all(head)
        .and_then(|()| {
            request
                .blobs
                .iter()
                .try_for_each(|blob| stdin.write_all(blob))
        })
        .and_then(|()| stdin.flush());
    // An error here means that the worker is gone, which reading reports better.
    drop(written);
    stdin
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.alive {
            self.kill();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_no_worker_cannot_be_one() {
        let config = |executable: &str| WorkerConfig {
            executable: executable.into(),
            args: Vec::new(),
            threads: 1,
            address_space_bytes: None,
            env: Vec::new(),
        };
        let missing = Worker::spawn(&config("/nonexistent/worker")).unwrap_err();
        assert!(matches!(missing, WorkerFailure::Spawn(_)), "{missing}");
        #[cfg(unix)]
        {
            let quits = Worker::spawn(&config("true")).unwrap_err();
            assert_eq!(quits.describe(), "crashed: exit code 0 without an answer");
        }
    }
}
