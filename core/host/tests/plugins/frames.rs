//! The worker protocol between real processes.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use xbench_host::{KilledBy, Message, Worker, WorkerConfig, WorkerFailure};

use crate::Test;
use crate::support::{PLENTY, ask, config, fixture, worker};

pub(crate) const TESTS: &[Test] = &[
    ("messages_and_events_come_through_in_order", in_order),
    ("large_messages_pass_both_ways", large),
    ("refusals_leave_the_worker_alive", refusals),
    ("bytes_that_are_no_frames_are_reported", no_frames),
    ("a_worker_that_ignores_sigterm_is_killed", ignores_terminate),
    ("only_the_end_of_standard_error_is_kept", chatter),
    ("thread_caps_reach_the_worker", threads),
    ("a_worker_dies_with_its_host", orphan),
    ("what_a_worker_costs", costs),
];

fn in_order() {
    let mut worker = worker();
    let mut seen = Vec::new();
    let mut request = Message::new(json!({"op": "echo", "events": 500}));
    request.push_f32(&[0.1, f32::MAX]);
    request.push_u64(&[u64::MAX]);
    let reply = worker
        .call(&request, PLENTY, PLENTY, &mut |event| {
            seen.push(event.header["event"].as_u64())
        })
        .expect("an answer");
    assert_eq!(reply, request);
    assert_eq!(seen, (0..500).map(Some).collect::<Vec<_>>());
    assert!(worker.pid() > 0);
    #[cfg(target_os = "linux")]
    assert!(worker.peak_memory_bytes().expect("on Linux") > 100_000);
    worker.shutdown();
}

fn large() {
    let mut worker = worker();
    let mut request = Message::new(json!({"op": "echo", "text": "x".repeat(1 << 20)}));
    request.blobs.push(vec![7; 50 << 20]);
    request.blobs.push(Vec::new());
    let reply = worker
        .call(&request, PLENTY, PLENTY, &mut |_| {})
        .expect("an answer");
    assert!(reply == request);
}

fn refusals() {
    let mut worker = worker();
    let refused = ask(&mut worker, json!({"op": "dance"})).expect_err("no such op");
    assert_eq!(
        refused,
        WorkerFailure::Refused("no op \"dance\"".to_owned())
    );
    assert!(worker.is_alive());
    ask(&mut worker, json!({"op": "echo"})).expect("it lives on");
    let too_large = Message::new(json!("x".repeat(17 << 20)));
    let failure = worker
        .call(&too_large, PLENTY, PLENTY, &mut |_| {})
        .expect_err("too large");
    assert!(failure.describe().contains("above the limit"), "{failure}");
    ask(&mut worker, json!({"op": "echo"})).expect("nothing was sent");
}

fn no_frames() {
    let failure = |role| Worker::spawn(&config(role)).expect_err("no worker");
    let garbage = failure("garbage").describe();
    assert!(
        garbage.starts_with("protocol: expected a frame, found the bytes"),
        "{garbage}"
    );
    let oversize = failure("oversize").describe();
    assert!(
        oversize.contains("a header of 4294967295 is above the limit"),
        "{oversize}"
    );
    let other = failure("other-version").describe();
    assert!(
        other.contains("is it another version of the program?"),
        "{other}"
    );
    assert_eq!(
        failure("half").describe(),
        "crashed: exit code 0 without an answer"
    );
    assert_eq!(
        failure("unknown").describe(),
        "crashed: exit code 64 without an answer"
    );
}

#[cfg(unix)]
fn ignores_terminate() {
    let mut worker = worker();
    let request = Message::new(json!({"op": "ignore-terminate"}));
    let short = Duration::from_millis(200);
    let failure = worker
        .call(&request, short, short, &mut |_| {})
        .expect_err("no answer");
    assert!(
        matches!(
            failure,
            WorkerFailure::Timeout {
                killed_by: KilledBy::Kill,
                ..
            }
        ),
        "{failure}"
    );
    assert_eq!(
        failure.describe(),
        "timeout: no answer within 0.2 s (killed by SIGKILL)"
    );
}

fn chatter() {
    let failure = ask(&mut worker(), json!({"op": "chatter"})).expect_err("it aborts");
    let stderr = failure.stderr();
    assert!(stderr.len() <= 64 << 10, "{} bytes", stderr.len());
    assert!(stderr.ends_with("line 9999 of a long story\n"), "{stderr}");
    assert!(!stderr.contains("line 1 of"));
}

fn threads() {
    let three = WorkerConfig {
        threads: 3,
        ..config("worker")
    };
    let mut worker = Worker::spawn(&three).expect("the worker starts");
    assert_eq!(
        ask(&mut worker, json!({"op": "threads"}))
            .expect("an answer")
            .header,
        json!("3")
    );
}

#[cfg(target_os = "linux")]
fn orphan() {
    let program = std::env::current_exe().expect("this program has a path");
    let mut parent = Command::new(program)
        .arg("role:parent")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the parent starts");
    let mut line = String::new();
    let stdout = parent.stdout.take().expect("a pipe");
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("the worker's pid");
    let process = format!("/proc/{}", line.trim().parse::<u32>().expect("a pid"));
    assert!(std::path::Path::new(&process).exists());
    assert!(!parent.wait().expect("it ends").success());
    let begin = Instant::now();
    // A process that ended and that nobody has waited for yet is a zombie, state Z.
    let lives = || {
        std::fs::read_to_string(format!("{process}/stat")).is_ok_and(|stat| {
            !stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .starts_with(" Z")
        })
    };
    while lives() {
        assert!(begin.elapsed() < PLENTY, "the worker outlived its host");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(not(target_os = "linux"))]
fn orphan() {}

/// Not an assertion on time: prints what starting and asking a worker costs.
fn costs() {
    let starts = 20_u32;
    let begin = Instant::now();
    for _ in 0..starts {
        worker().shutdown();
    }
    let start = begin.elapsed() / starts;
    let scan = json!({"op": "scan", "library": fixture()});
    let begin = Instant::now();
    for _ in 0..starts {
        let mut worker = worker();
        ask(&mut worker, scan.clone()).expect("a scan");
        worker.shutdown();
    }
    let load = begin.elapsed() / starts;
    let mut worker = worker();
    let rounds = 2000_u32;
    let begin = Instant::now();
    for _ in 0..rounds {
        ask(&mut worker, json!({"op": "echo"})).expect("an answer");
    }
    let round = begin.elapsed() / rounds;
    let mut message = Message::new(json!({"op": "echo"}));
    message.blobs.push(vec![1; 4 << 20]);
    let begin = Instant::now();
    for _ in 0..50 {
        worker
            .call(&message, PLENTY, PLENTY, &mut |_| {})
            .expect("an answer");
    }
    let large = begin.elapsed() / 50;
    println!(
        "a worker: start and end {start:?}, with a library loaded {load:?}, round trip {round:?}, \
         with 4 MiB both ways {large:?}"
    );
}
