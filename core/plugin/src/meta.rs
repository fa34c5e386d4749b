//! Static facts of a plugin: a scan reads them without running any of its code.

use std::ffi::CStr;
use std::ops::BitOr;

use xbench_abi as abi;

/// What a plugin says of itself. Everything here becomes constant data of the library.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// Reverse DNS, for ever the same method: `org.example.gradcam`.
    pub id: &'static CStr,
    /// For people: `Grad-CAM`.
    pub name: &'static CStr,
    /// Semantic version, a part of every result's key: raise it when results change.
    pub version: &'static CStr,
    /// SPDX licence expression.
    pub license: &'static CStr,
    /// The paper: authors, title, year.
    pub citation: &'static CStr,
    /// One sentence.
    pub summary: &'static CStr,
    /// What the host has to know beforehand.
    pub flags: Flags,
    /// Rows a call may have; 0 for no limit.
    pub max_batch: u32,
}

/// What the host has to know of a plugin beforehand. Joined with `|` or, in constants,
/// [`Flags::union`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flags(u32);

impl Flags {
    /// Nothing special.
    pub const NONE: Self = Self(0);
    /// The result depends on the seeds.
    pub const STOCHASTIC: Self = Self(abi::XB_STOCHASTIC);
    /// Explainers: needs [`Batch::mask`](crate::Batch::mask); a control, not a method.
    pub const WANTS_MASK: Self = Self(abi::XB_WANTS_MASK);
    /// Explainers: a reference row of the leaderboard, not a method.
    pub const CONTROL: Self = Self(abi::XB_CONTROL);
    /// Explainers: needs [`Batch::background`](crate::Batch::background).
    pub const WANTS_BACKGROUND: Self = Self(abi::XB_WANTS_BACKGROUND);
    /// Objects may be used off the thread that created them.
    pub const ANY_THREAD: Self = Self(abi::XB_ANY_THREAD);
    /// Calls on one object may overlap.
    pub const CONCURRENT: Self = Self(abi::XB_CONCURRENT);

    /// Both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Are all flags of `other` set?
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// As the ABI carries them.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_join() {
        const BOTH: Flags = Flags::STOCHASTIC.union(Flags::CONTROL);
        assert_eq!(BOTH, Flags::CONTROL | Flags::STOCHASTIC);
        assert_eq!(BOTH.bits(), abi::XB_STOCHASTIC | abi::XB_CONTROL);
        assert!(BOTH.contains(Flags::CONTROL));
        assert!(!Flags::NONE.contains(Flags::CONTROL));
    }
}
