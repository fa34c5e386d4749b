//! Why a call failed: a status of the ABI and a sentence for people.
//!
//! One struct instead of an enum, because the status is the contract's list and the text is what the
//! reader of a result table sees.

use xbench_abi as abi;

/// Result of whatever a plugin does.
pub type Result<T> = std::result::Result<T, Error>;

/// Kinds of failure; the non-zero values of `xb_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The host asked to stop.
    Cancelled,
    /// An argument is not what the contract or the plugin asks for.
    InvalidArgument,
    /// The call ran past its deadline.
    DeadlineExceeded,
    /// Something that was named does not exist, for instance a layer.
    NotFound,
    /// Out of memory or of another resource.
    ResourceExhausted,
    /// The callee cannot do this.
    Unimplemented,
    /// A defect of the callee.
    Internal,
}

impl Status {
    /// The number that crosses the ABI.
    #[must_use]
    pub const fn code(self) -> abi::xb_status {
        match self {
            Self::Cancelled => abi::XB_CANCELLED,
            Self::InvalidArgument => abi::XB_INVALID_ARGUMENT,
            Self::DeadlineExceeded => abi::XB_DEADLINE_EXCEEDED,
            Self::NotFound => abi::XB_NOT_FOUND,
            Self::ResourceExhausted => abi::XB_RESOURCE_EXHAUSTED,
            Self::Unimplemented => abi::XB_UNIMPLEMENTED,
            Self::Internal => abi::XB_INTERNAL,
        }
    }

    /// The status behind a number other than `XB_OK`; an unknown number is a defect of the callee.
    #[must_use]
    pub const fn from_code(code: abi::xb_status) -> Self {
        match code {
            abi::XB_CANCELLED => Self::Cancelled,
            abi::XB_INVALID_ARGUMENT => Self::InvalidArgument,
            abi::XB_DEADLINE_EXCEEDED => Self::DeadlineExceeded,
            abi::XB_NOT_FOUND => Self::NotFound,
            abi::XB_RESOURCE_EXHAUSTED => Self::ResourceExhausted,
            abi::XB_UNIMPLEMENTED => Self::Unimplemented,
            _ => Self::Internal,
        }
    }
}

/// A failure: what went wrong, where, and if possible what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    status: Status,
    message: String,
    /// The host has the text already: the error came back from one of its own functions.
    reported: bool,
}

impl Error {
    /// An error of any status.
    #[must_use]
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            reported: false,
        }
    }

    /// An argument or parameter is wrong.
    #[must_use]
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(Status::InvalidArgument, message)
    }

    /// This plugin, or the model that it was handed, cannot do what was asked.
    #[must_use]
    pub fn unimplemented(message: impl Into<String>) -> Self {
        Self::new(Status::Unimplemented, message)
    }

    /// A defect of the plugin, or a failure of what it stands on.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Status::Internal, message)
    }

    /// Something that was named does not exist.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Status::NotFound, message)
    }

    /// Out of memory or of another resource.
    #[must_use]
    pub fn resource_exhausted(message: impl Into<String>) -> Self {
        Self::new(Status::ResourceExhausted, message)
    }

    /// The host asked to stop.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(Status::Cancelled, "cancelled by the host")
    }

    /// The deadline has passed.
    #[must_use]
    pub fn deadline_exceeded() -> Self {
        Self::new(Status::DeadlineExceeded, "the deadline has passed")
    }

    /// Which kind of failure.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Puts what was being done in front of the sentence: `"<what>: <sentence>"`.
    #[must_use]
    pub fn context(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The error behind what one of the host's functions returned, after telling the host why.
    pub(crate) fn check(code: abi::xb_status, function: &str) -> Result<()> {
        if code == abi::XB_OK {
            return Ok(());
        }
        let status = Status::from_code(code);
        Err(Self {
            status,
            message: format!("{function} failed ({status:?})"),
            reported: true,
        })
    }

    pub(crate) fn is_reported(&self) -> bool {
        self.reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_survive_the_way_there_and_back() {
        for status in [
            Status::Cancelled,
            Status::InvalidArgument,
            Status::DeadlineExceeded,
            Status::NotFound,
            Status::ResourceExhausted,
            Status::Unimplemented,
            Status::Internal,
        ] {
            assert_ne!(status.code(), abi::XB_OK);
            assert_eq!(Status::from_code(status.code()), status);
        }
        assert_eq!(Status::from_code(99), Status::Internal);
    }
}
