//! How a call into a plugin fails.

use serde::{Deserialize, Serialize};
use xbench_abi::Table;

/// What kind of failure it was; decides the status of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginErrorKind {
    /// The plugin returned an error; `status` is the contract's number.
    Failed {
        /// `xb_status`.
        status: i32,
    },
    /// The plugin does not serve a capability that the call needs.
    Unsupported {
        /// The capability's id.
        capability: String,
    },
    /// The call's deadline passed.
    Deadline,
    /// The call was cancelled by its monitor.
    Cancelled,
    /// A result holds NaN or an infinity, or was left unwritten.
    NonFinite {
        /// First row that holds one.
        row: usize,
        /// How many numbers are not finite.
        count: usize,
    },
    /// A result has another shape, type or device than the contract says.
    WrongShape,
    /// The plugin broke another rule of the contract.
    Contract,
    /// The host was asked for something that cannot be: sizes that disagree, an unknown plugin.
    Request,
}

/// A call into a plugin failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{plugin}: {message}")]
pub struct PluginError {
    /// The kind of failure.
    pub kind: PluginErrorKind,
    /// Id of the plugin that was called.
    pub plugin: String,
    /// What happened, as a sentence.
    pub message: String,
}

impl PluginError {
    /// The status of a record that ends with this error: `unsupported`, `timeout` or `failed`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self.kind {
            PluginErrorKind::Unsupported { .. }
            | PluginErrorKind::Failed {
                status: xbench_abi::XB_UNIMPLEMENTED,
            } => "unsupported",
            PluginErrorKind::Deadline => "timeout",
            _ => "failed",
        }
    }

    pub(crate) fn new(plugin: &str, fault: Fault) -> Self {
        Self {
            kind: fault.kind,
            plugin: plugin.to_owned(),
            message: fault.message,
        }
    }
}

/// A failure before it is known on whose behalf it is reported.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: PluginErrorKind,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn contract(message: impl Into<String>) -> Self {
        Self {
            kind: PluginErrorKind::Contract,
            message: message.into(),
        }
    }

    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self {
            kind: PluginErrorKind::Request,
            message: message.into(),
        }
    }

    pub(crate) fn shape(message: impl Into<String>) -> Self {
        Self {
            kind: PluginErrorKind::WrongShape,
            message: message.into(),
        }
    }

    /// It lacks the capability of this table.
    pub(crate) fn lacks<T: Table>() -> Self {
        let capability = T::ID.to_string_lossy().into_owned();
        Self {
            message: format!("it does not provide {capability}"),
            kind: PluginErrorKind::Unsupported { capability },
        }
    }

    pub(crate) fn deadline(message: impl Into<String>) -> Self {
        Self {
            kind: PluginErrorKind::Deadline,
            message: message.into(),
        }
    }
}
