//! The host against real plugin libraries and real worker processes.
//!
//! Brings its own main, since the tests start this very program again as the worker.
#![expect(
    clippy::print_stdout,
    reason = "reports like the standard test harness, and what was measured"
)]

mod discovery;
mod frames;
mod liar;
mod misbehaving;
mod model;
mod proxy;
mod support;
mod worker_side;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

type Test = (&'static str, fn());

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().unwrap_or_default();
    if let Some(role) = first.strip_prefix("role:") {
        return worker_side::play(role);
    }
    let tests = [
        model::TESTS,
        proxy::TESTS,
        discovery::TESTS,
        misbehaving::TESTS,
        liar::TESTS,
        frames::TESTS,
    ]
    .concat();
    if std::env::args().any(|argument| argument == "--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    run(
        &tests,
        Some(first.as_str())
            .filter(|filter| !filter.starts_with('-'))
            .unwrap_or_default(),
    )
}

fn run(tests: &[Test], filter: &str) -> ExitCode {
    let (chosen, left_out): (Vec<&Test>, Vec<&Test>) =
        tests.iter().partition(|(name, _)| name.contains(filter));
    println!("\nrunning {} tests", chosen.len());
    let begin = Instant::now();
    let mut failed = Vec::new();
    for (name, test) in &chosen {
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        if !passed {
            failed.push(*name);
        }
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; finished \
         in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        chosen.len() - failed.len(),
        failed.len(),
        left_out.len(),
        begin.elapsed().as_secs_f64()
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(101)
    }
}
