//! A measured number with its interval, and which way is better: the two notions every table
//! shares.

/// A mean with its interval, in the score's own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The point estimate; NaN where the score could not be computed.
    pub value: f64,
    /// Lower end of the interval (95% bootstrap, by convention); NaN where there is none.
    pub low: f64,
    /// Upper end of the interval; NaN where there is none.
    pub high: f64,
}

impl Estimate {
    /// An estimate with its interval.
    #[must_use]
    pub const fn new(value: f64, low: f64, high: f64) -> Self {
        Self { value, low, high }
    }

    /// A number without an interval.
    #[must_use]
    pub const fn exact(value: f64) -> Self {
        Self::new(value, f64::NAN, f64::NAN)
    }

    /// Half the width of the interval, where there is one.
    #[must_use]
    pub fn half_width(&self) -> Option<f64> {
        let half = (self.high - self.low) / 2.0;
        half.is_finite().then_some(half)
    }
}

/// Which values of a score are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Larger is better.
    Higher,
    /// Smaller is better.
    Lower,
    /// A description, not a judgement (agreement, complexity).
    Neither,
}

impl Direction {
    /// The arrow put behind a column title; empty for [`Direction::Neither`].
    #[must_use]
    pub fn arrow(self, unicode: bool) -> &'static str {
        match (self, unicode) {
            (Self::Higher, true) => "↑",
            (Self::Lower, true) => "↓",
            (Self::Higher, false) => "^",
            (Self::Lower, false) => "v",
            (Self::Neither, _) => "",
        }
    }

    /// The candidate that is best in this direction, ignoring what is not finite.
    pub(crate) fn best(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        let finite = values.filter(|value| value.is_finite());
        match self {
            Self::Higher => finite.reduce(f64::max),
            Self::Lower => finite.reduce(f64::min),
            Self::Neither => None,
        }
    }
}
