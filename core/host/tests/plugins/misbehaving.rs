//! Plugins that crash, hang and lie: each becomes the failure it is, and the host goes on.

use std::time::Duration;

use serde_json::json;
use xbench_host::{
    Library, Message, PluginError, PluginErrorKind, Worker, WorkerConfig, WorkerFailure,
};

use crate::Test;
use crate::support::{PLENTY, ask, config, explain_request, fixture, numbers, settings, worker};

pub(crate) const TESTS: &[Test] = &[
    ("a_panic_is_an_error_with_its_text", panics),
    ("an_abort_is_recorded_with_what_was_said", aborts),
    ("a_segmentation_fault_is_recorded", segfaults),
    ("an_exit_is_not_an_answer", exits),
    ("a_hang_ends_at_the_deadline", hangs),
    ("the_proxy_stops_an_explainer_at_the_deadline", spins),
    ("a_nan_is_placed", nan),
    ("a_nan_of_the_model_is_the_models", nan_model),
    ("printing_does_not_corrupt_the_frames", prints),
    ("a_limit_of_memory_holds", allocates),
    ("another_worker_goes_on_where_one_ended", goes_on),
];

fn plugin_error(reply: &Message) -> PluginError {
    serde_json::from_value(reply.header["error"].clone()).expect("an error")
}

fn failure(explainer: &str, deadline: Duration) -> WorkerFailure {
    let mut worker = worker();
    let failure = worker
        .call(
            &Message::new(explain_request(explainer)),
            deadline,
            PLENTY,
            &mut |_| {},
        )
        .expect_err("it does not end well");
    assert!(!worker.is_alive());
    let again = ask(&mut worker, json!({"op": "echo"})).expect_err("the worker is dead");
    assert!(matches!(again, WorkerFailure::Protocol(_)), "{again}");
    failure
}

fn panics() {
    let mut worker = worker();
    let reply = ask(&mut worker, explain_request("panics")).expect("the panic is contained");
    let error = plugin_error(&reply);
    assert!(
        error
            .message
            .contains("panicked: this explainer always panics"),
        "{error}"
    );
    assert_eq!(
        (error.plugin.as_str(), error.status()),
        ("org.xbench.fixture.panics", "failed")
    );
    // The worker is as good as before.
    ask(&mut worker, explain_request("gradient")).expect("the next call");
    worker.shutdown();
}

#[cfg(unix)]
fn aborts() {
    let failure = failure("aborts", PLENTY);
    assert_eq!(failure.describe(), "crashed: SIGABRT");
    assert_eq!(failure.stderr(), "about to abort\n");
}

#[cfg(unix)]
fn segfaults() {
    assert_eq!(failure("segfaults", PLENTY).describe(), "crashed: SIGSEGV");
}

fn exits() {
    assert_eq!(
        failure("exits", PLENTY).describe(),
        "crashed: exit code 0 without an answer"
    );
}

fn hangs() {
    let failure = failure("hangs", Duration::from_millis(300));
    assert_eq!(
        failure.describe(),
        "timeout: no answer within 0.3 s (ended by SIGTERM)"
    );
}

fn spins() {
    let mut request = explain_request("spins-politely");
    request["deadline_ms"] = json!(200);
    let reply = ask(&mut worker(), request).expect("an answer");
    let error = plugin_error(&reply);
    assert_eq!(
        (&error.kind, error.status()),
        (&PluginErrorKind::Deadline, "timeout"),
        "{error}"
    );
    assert!(error.message.contains("the deadline has passed"), "{error}");
}

fn nan() {
    let error = plugin_error(&ask(&mut worker(), explain_request("nan")).expect("an answer"));
    assert_eq!(
        error.kind,
        PluginErrorKind::NonFinite { row: 1, count: 1 },
        "{error}"
    );
}

fn nan_model() {
    let library = Library::open(&fixture()).expect("the fixture");
    let model = library
        .create_model("org.xbench.fixture.nan-model", "{}", &settings())
        .expect("it is made like any other");
    let error = model
        .predict(&settings(), &numbers(12), 3)
        .expect_err("NaN");
    assert_eq!(
        error.kind,
        PluginErrorKind::NonFinite { row: 1, count: 1 },
        "{error}"
    );

    let mut request = explain_request("panics");
    request["model"] = json!("org.xbench.fixture.nan-model");
    request["params"] = json!("{}");
    let error = plugin_error(&ask(&mut worker(), request).expect("an answer"));
    // The explainer never comes to panic: the proxy refuses the model's outputs first.
    assert_eq!(
        error.kind,
        PluginErrorKind::NonFinite { row: 1, count: 1 },
        "{error}"
    );
    assert!(
        error.message.contains("model org.xbench.fixture.nan-model"),
        "{error}"
    );
}

fn prints() {
    let mut worker = worker();
    for _ in 0..3 {
        let reply = ask(&mut worker, explain_request("prints")).expect("an answer");
        assert_eq!(reply.f32s(0).expect("the attribution"), numbers(16));
    }
    worker.shutdown();
}

/// A plugin that takes too much memory fails; the machine does not.
#[cfg(target_os = "linux")]
fn allocates() {
    let limited = WorkerConfig {
        address_space_bytes: Some(1 << 30),
        ..config("worker")
    };
    let mut worker = Worker::spawn(&limited).expect("a gibibyte is enough to start");
    ask(&mut worker, explain_request("gradient")).expect("and to explain");
    let failure = ask(&mut worker, explain_request("allocates")).expect_err("too much");
    assert_eq!(failure.describe(), "crashed: SIGABRT");
    assert!(
        failure.stderr().contains("memory allocation of"),
        "{}",
        failure.stderr()
    );
}

#[cfg(not(target_os = "linux"))]
fn allocates() {}

fn goes_on() {
    for explainer in ["aborts", "exits"] {
        failure(explainer, PLENTY);
        let reply = ask(&mut worker(), explain_request("gradient")).expect("the next worker");
        assert_eq!(reply.header["counts"]["forward_rows"], 4);
        assert_eq!(reply.header["counts"]["backward_rows"], 4);
        assert_eq!(reply.f32s(0).expect("the attribution").len(), 16);
    }
}
