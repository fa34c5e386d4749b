//! What this program does when a test starts it again.
#![expect(
    unsafe_code,
    reason = "a worker that ignores SIGTERM needs a system call"
)]

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xbench_host::{
    HostBatch, Library, Message, ModelProxy, ProxyOptions, Responder, SCAN_OP, Worker, answer_scan,
    serve,
};

use crate::support;

pub(crate) fn play(role: &str) -> ExitCode {
    match role {
        "worker" => serve(&mut answer),
        "parent" => parent(),
        "garbage" => spout(b"Welcome to the plugin!\n"),
        "oversize" => {
            let mut frame = b"XBW1\x01\0\0\0".to_vec();
            frame.extend(u32::MAX.to_le_bytes());
            frame.extend(0_u32.to_le_bytes());
            spout(&frame)
        }
        "other-version" => {
            let header = br#"{"protocol": 99}"#;
            let mut frame = b"XBW1\x01\0\0\0".to_vec();
            frame.extend((header.len() as u32).to_le_bytes());
            frame.extend(0_u32.to_le_bytes());
            frame.extend(header);
            spout(&frame)
        }
        "half" => spout(b"XBW1\x01\0\0"),
        _ => ExitCode::from(64),
    }
}

/// Writes bytes where frames are expected, and stays.
fn spout(bytes: &[u8]) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    if bytes.len() > 7 {
        std::thread::sleep(support::PLENTY);
    }
    if written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Starts a worker, lets it hang, says its pid, and dies without a word to it.
fn parent() -> ExitCode {
    let Ok(mut worker) = Worker::spawn(&support::config("worker")) else {
        return ExitCode::FAILURE;
    };
    let mut stdout = std::io::stdout().lock();
    drop(writeln!(stdout, "{}", worker.pid()).and_then(|()| stdout.flush()));
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_millis(300));
        std::process::abort();
    });
    drop(support::ask(&mut worker, json!({"op": "sleep"})));
    ExitCode::FAILURE
}

fn answer(request: Message, responder: &Responder) -> Result<Message, String> {
    let text = |key: &str| request.header[key].as_str().unwrap_or_default().to_owned();
    match text("op").as_str() {
        SCAN_OP => answer_scan(&request),
        "echo" => {
            for event in 0..request.header["events"].as_u64().unwrap_or(0) {
                responder.event(&Message::new(json!({"event": event})))?;
            }
            Ok(request)
        }
        "threads" => Ok(Message::new(json!(std::env::var("OMP_NUM_THREADS").ok()))),
        "sleep" => loop {
            std::thread::sleep(Duration::from_millis(50));
        },
        "ignore-terminate" => {
            // SAFETY: SIG_IGN is a valid disposition.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
            loop {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        "chatter" => {
            let mut stderr = std::io::stderr().lock();
            for line in 0..10_000 {
                drop(writeln!(stderr, "line {line} of a long story"));
            }
            std::process::abort()
        }
        "explain" => explain(&request.header),
        other => Err(format!("no op {other:?}")),
    }
}

fn explain(request: &Value) -> Result<Message, String> {
    let text = |key: &str| request[key].as_str().unwrap_or_default();
    let library = Library::open(Path::new(text("library"))).map_err(|e| e.to_string())?;
    let settings = support::settings();
    let model = library
        .create_model(text("model"), text("params"), &settings)
        .map_err(|e| e.to_string())?;
    let explainer = library
        .create_explainer(text("explainer"), "{}", &settings)
        .map_err(|e| e.to_string())?;
    let deadline = request["deadline_ms"].as_u64();
    let deadline = deadline.map(|ms| Instant::now() + Duration::from_millis(ms));
    let proxy = ModelProxy::new(
        &model,
        &ProxyOptions {
            deadline,
            ..ProxyOptions::default()
        },
    );
    let x = support::numbers(16);
    let mut attribution = vec![0.0; 16];
    let batch = HostBatch {
        x: &x,
        shape: &[4, 1, 2, 2],
        target: &[0, 1, 0, 1],
        seed: &[1, 2, 3, 4],
        mask: None,
        background: None,
    };
    match explainer.explain(&settings, &proxy, &batch, &mut attribution) {
        Ok(()) => {
            let mut reply = Message::new(json!({"counts": proxy.counts()}));
            reply.push_f32(&attribution);
            Ok(reply)
        }
        Err(error) => Ok(Message::new(json!({"error": error}))),
    }
}
