//! How a worker fails, in words that stand in a record.

use std::process::ExitStatus;
use std::time::Duration;

/// What ended a worker that overran its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KilledBy {
    /// It ended within the grace period when asked to.
    Terminate,
    /// It had to be killed.
    Kill,
}

/// How a call to a worker failed. After anything but `Refused` the worker is dead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.describe())]
pub enum WorkerFailure {
    /// The process ended by itself before it answered.
    Crashed {
        /// The signal that ended it (Unix).
        signal: Option<i32>,
        /// Its exit code, where no signal ended it.
        code: Option<i32>,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// No answer before the deadline; the process was ended.
    Timeout {
        /// The deadline that passed.
        after: Duration,
        /// What it took to end it.
        killed_by: KilledBy,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// The handler's own error; the worker lives on.
    Refused(String),
    /// The process spoke something other than the protocol, or was spoken to after its end.
    Protocol(String),
    /// The process could not be started.
    Spawn(String),
}

impl WorkerFailure {
    /// One line for a record: `crashed: SIGSEGV`, `timeout: no answer within 30 s (...)`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Crashed {
                signal: Some(signal),
                ..
            } => {
                format!("crashed: {}", signal_name(*signal))
            }
            Self::Crashed {
                code: Some(code), ..
            } => {
                format!("crashed: exit code {code} without an answer")
            }
            Self::Crashed { .. } => "crashed: ended without an answer".to_owned(),
            Self::Timeout {
                after, killed_by, ..
            } => {
                let by = match killed_by {
                    KilledBy::Terminate => "ended by SIGTERM",
                    KilledBy::Kill => "killed by SIGKILL",
                };
                format!("timeout: no answer within {} s ({by})", seconds(*after))
            }
            Self::Refused(error) => format!("refused: {error}"),
            Self::Protocol(error) => format!("protocol: {error}"),
            Self::Spawn(error) => format!("cannot start a worker: {error}"),
        }
    }

    /// The end of what the worker wrote to standard error; empty where it wrote nothing.
    #[must_use]
    pub fn stderr(&self) -> &str {
        match self {
            Self::Crashed { stderr, .. } | Self::Timeout { stderr, .. } => stderr,
            _ => "",
        }
    }
}

/// Seconds without needless digits: `30`, `0.25`.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

fn signal_name(signal: i32) -> String {
    #[cfg(unix)]
    {
        let name = match signal {
            libc::SIGSEGV => "SIGSEGV",
            libc::SIGABRT => "SIGABRT",
            libc::SIGBUS => "SIGBUS",
            libc::SIGFPE => "SIGFPE",
            libc::SIGILL => "SIGILL",
            libc::SIGTRAP => "SIGTRAP",
            libc::SIGSYS => "SIGSYS",
            libc::SIGKILL => "SIGKILL (from outside; often the kernel, out of memory)",
            libc::SIGTERM => "SIGTERM (from outside)",
            libc::SIGPIPE => "SIGPIPE",
            libc::SIGXCPU => "SIGXCPU",
            _ => "",
        };
        if !name.is_empty() {
            return name.to_owned();
        }
    }
    format!("signal {signal}")
}

#[cfg(unix)]
pub(super) fn signal_of(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    status.signal()
}

#[cfg(not(unix))]
pub(super) fn signal_of(_status: ExitStatus) -> Option<i32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_say_what_happened() {
        let crashed = |signal, code| WorkerFailure::Crashed {
            signal,
            code,
            stderr: String::new(),
        };
        #[cfg(unix)]
        assert_eq!(crashed(Some(11), None).describe(), "crashed: SIGSEGV");
        assert_eq!(crashed(Some(99), None).describe(), "crashed: signal 99");
        assert_eq!(
            crashed(None, Some(3)).describe(),
            "crashed: exit code 3 without an answer"
        );
        let timeout = |after, killed_by| WorkerFailure::Timeout {
            after,
            killed_by,
            stderr: String::new(),
        };
        assert_eq!(
            timeout(Duration::from_secs(30), KilledBy::Kill).describe(),
            "timeout: no answer within 30 s (killed by SIGKILL)"
        );
        assert_eq!(
            timeout(Duration::from_millis(250), KilledBy::Terminate).to_string(),
            "timeout: no answer within 0.25 s (ended by SIGTERM)"
        );
    }
}
