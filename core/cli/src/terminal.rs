//! The two streams: results on standard output, everything else on standard error.

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use xbench_report::Style;
use xbench_run::RunError;

/// Prints a result. A reader that went away (`xbench … | head`) is no error.
pub(crate) fn emit(text: &str) -> Result<(), RunError> {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(RunError::Files(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Prints a document for programs.
pub(crate) fn emit_json(value: &impl serde::Serialize) -> Result<(), RunError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| RunError::Files(format!("cannot write JSON: {error}")))?;
    emit(&text)
}

/// Prints an error or a notice. Nobody can be told if even this fails.
pub(crate) fn complain(text: &str) {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    drop(write!(std::io::stderr().lock(), "{text}{end}"));
}

/// How tables look on standard output: colour only on a terminal and unless `NO_COLOR` is set,
/// as wide as the terminal, `$COLUMNS`, or 100 columns.
pub(crate) fn style() -> Style {
    let terminal = std::io::stdout().is_terminal();
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let measured = terminal.then(|| usize::from(console_columns()));
    Style {
        colour: terminal && std::env::var_os("NO_COLOR").is_none(),
        width: columns.or(measured).unwrap_or(100),
        unicode: std::env::var("LC_ALL").map_or(true, |locale| locale != "C" && locale != "POSIX"),
    }
}

fn console_columns() -> u16 {
    console::Term::stdout().size().1
}
