//! The worker's side: answer requests until the host is gone.
//!
//! A thread of its own reads the frames, and ends the process when the stream does. So a worker
//! never outlives its host, not even while a plugin hangs on the main thread. (The kernel's
//! parent-death signal would be tied to the *thread* that started the worker, and kill workers
//! whose starting thread has merely ended.)

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use serde_json::json;

use super::limits::{self, exit_now};
use super::message::{FrameKind, Message, read_frame, write_frame};
use super::{ADDRESS_SPACE_VARIABLE, PROTOCOL};

/// Exit code of a worker that could not begin or was sent something that is not a request.
const EXIT_PROTOCOL: i32 = 70;

/// Sends events (progress, log lines) to the host while a request is being answered.
///
/// Clones write to the same stream and may be used on any thread.
#[derive(Debug, Clone)]
pub struct Responder {
    output: Arc<Mutex<File>>,
}

impl Responder {
    /// Sends an event to the host.
    ///
    /// # Errors
    ///
    /// When the message is larger than a frame may be. When the host is gone, the process ends.
    pub fn event(&self, event: &Message) -> Result<(), String> {
        self.send(FrameKind::Event, event)
    }

    fn send(&self, kind: FrameKind, message: &Message) -> Result<(), String> {
        use super::message::FrameError;
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        match write_frame(&mut *output, kind, message) {
            Ok(()) => Ok(()),
            // Nobody reads any more: there is nothing left to work for.
            Err(FrameError::Io(_) | FrameError::Truncated) => exit_now(0),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Answers requests from the host, one after the other, on this thread; never returns.
///
/// The handler's `Err` becomes [`WorkerFailure::Refused`](super::WorkerFailure::Refused) on the
/// other side and the worker lives on; its panic ends the worker with exit code 101. Call this first
/// thing in `main`: it moves the frames to private descriptors (what plugins print goes to standard
/// error), ignores Ctrl-C, and applies the limits that the host asked for.
pub fn serve(handler: &mut dyn FnMut(Message, &Responder) -> Result<Message, String>) -> ! {
    match begin() {
        Ok((requests, responder)) => answer(&requests, &responder, handler),
        Err(error) => fail(&format!("the worker cannot begin: {error}")),
    }
}

fn begin() -> io::Result<(mpsc::Receiver<Message>, Responder)> {
    let (mut input, output) = limits::take_standard_streams()?;
    let address_space = match std::env::var(ADDRESS_SPACE_VARIABLE) {
        Ok(text) => Some(text.parse().map_err(|_| {
            io::Error::other(format!(
                "{ADDRESS_SPACE_VARIABLE}={text} is not a number of bytes"
            ))
        })?),
        Err(_) => None,
    };
    limits::apply(address_space)?;

    let (sender, requests) = mpsc::channel();
    std::thread::Builder::new()
        .name("frames".into())
        .spawn(move || {
            loop {
                match read_frame(&mut input) {
                    Ok(Some((FrameKind::Request, message))) => {
                        if sender.send(message).is_err() {
                            return;
                        }
                    }
                    Ok(Some((kind, _))) => fail(&format!("expected a request, got {kind:?}")),
                    Ok(None) => exit_now(0),
                    Err(error) => fail(&format!("bad frame from the host: {error}")),
                }
            }
        })?;
    Ok((
        requests,
        Responder {
            output: Arc::new(Mutex::new(output)),
        },
    ))
}

fn answer(
    requests: &mpsc::Receiver<Message>,
    responder: &Responder,
    handler: &mut dyn FnMut(Message, &Responder) -> Result<Message, String>,
) -> ! {
    let hello = json!({"protocol": PROTOCOL, "version": env!("CARGO_PKG_VERSION")});
    let mut sent = responder.send(FrameKind::Hello, &Message::new(hello));
    while sent.is_ok() {
        let Ok(request) = requests.recv() else {
            exit_now(0)
        };
        sent = match handler(request, responder) {
            Ok(reply) => responder
                .send(FrameKind::Reply, &reply)
                .or_else(|error| refuse(responder, &format!("the reply cannot be sent: {error}"))),
            Err(error) => refuse(responder, &error),
        };
    }
    fail("the worker cannot send frames")
}

fn refuse(responder: &Responder, error: &str) -> Result<(), String> {
    responder.send(FrameKind::Refusal, &Message::new(json!({"error": error})))
}

fn fail(reason: &str) -> ! {
    // When even standard error is gone there is nobody left to tell.
    drop(writeln!(io::stderr(), "xbench worker: {reason}"));
    exit_now(EXIT_PROTOCOL)
}
