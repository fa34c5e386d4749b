//! Numbers as text: enough digits to tell rows apart, no more; the same digits down a column.

use crate::Estimate;
use crate::style::Style;

/// Digits after the point for a column whose largest magnitude is `largest`: three for scores of
/// order one, fewer for large numbers, more for very small ones.
pub(crate) fn decimals_for(largest: f64) -> usize {
    match largest {
        m if m >= 1000.0 => 0,
        m if m >= 100.0 => 1,
        m if m >= 10.0 => 2,
        m if m >= 0.01 || m <= 0.0 || !m.is_finite() => 3,
        m if m >= 0.001 => 4,
        m if m >= 0.000_1 => 5,
        _ => 6,
    }
}

/// The largest finite magnitude; zero for none.
pub(crate) fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values
        .map(f64::abs)
        .filter(|v| v.is_finite())
        .fold(0.0, f64::max)
}

/// `value` with `decimals` digits, without a leading zero (`.612`) or a negative zero; a dash for
/// what is not finite.
pub(crate) fn fixed(value: f64, decimals: usize, style: &Style) -> String {
    if !value.is_finite() {
        return style.dash().to_owned();
    }
    let text = format!("{value:.decimals$}");
    let negative = text.starts_with('-') && text.chars().any(|c| ('1'..='9').contains(&c));
    let digits = text.trim_start_matches('-');
    let digits = if decimals > 0 {
        digits.strip_prefix('0').unwrap_or(digits)
    } else {
        digits
    };
    format!("{}{digits}", if negative { "-" } else { "" })
}

/// As [`fixed`], always with a sign; zero has none.
pub(crate) fn signed(value: f64, decimals: usize, style: &Style) -> String {
    let text = fixed(value, decimals, style);
    let positive = value.is_finite() && text.chars().any(|c| ('1'..='9').contains(&c));
    if positive && !text.starts_with('-') {
        format!("+{text}")
    } else {
        text
    }
}

/// `.919 [.913–.924]`, or the value alone where there is no interval.
pub(crate) fn with_interval(estimate: &Estimate, decimals: usize, style: &Style) -> String {
    let value = fixed(estimate.value, decimals, style);
    if estimate.half_width().is_none() {
        return value;
    }
    let low = fixed(estimate.low, decimals, style);
    let high = fixed(estimate.high, decimals, style);
    format!("{value} [{low}{}{high}]", style.dash())
}

/// A count or a mean of counts: `1`, `2.5`, `785`, `12.3k`.
pub(crate) fn count(value: f64, style: &Style) -> String {
    match value {
        v if !v.is_finite() => style.dash().to_owned(),
        v if v >= 9_999_500.0 => format!("{:.1}M", v / 1e6),
        v if v >= 9999.5 => format!("{:.1}k", v / 1e3),
        v if v < 99.95 && (v - v.round()).abs() >= 0.05 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// Milliseconds to three significant digits: `.042`, `3.41`, `87.2`, `1250`.
pub(crate) fn milliseconds(value: f64, style: &Style) -> String {
    let decimals = match value {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    fixed(value, decimals, style)
}

/// Three significant digits, as beside an axis: `0`, `0.613`, `-12.5`, `1.2e-5`.
#[must_use]
pub fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-3..9999.5).contains(&magnitude) {
        return format!("{value:.1e}");
    }
    let decimals = match magnitude {
        m if m >= 99.95 => 0,
        m if m >= 9.995 => 1,
        m if m >= 0.9995 => 2,
        m if m >= 0.01 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

/// A duration in words people use: `0.8 s`, `42 s`, `3 min 05 s`, `2 h 07 min`.
///
/// What is negative or not finite is shown as `?`.
#[must_use]
pub fn duration_text(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".to_owned();
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round();
    if whole < 60.0 {
        format!("{whole:.0} s")
    } else if whole < 3600.0 {
        format!("{:.0} min {:02.0} s", (whole / 60.0).floor(), whole % 60.0)
    } else {
        let minutes = (seconds / 60.0).round();
        format!(
            "{:.0} h {:02.0} min",
            (minutes / 60.0).floor(),
            minutes % 60.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style::plain(80);

    #[test]
    fn fixed_numbers_are_compact() {
        for (value, decimals, text) in [
            (0.6123, 3, ".612"),
            (-0.6123, 3, "-.612"),
            (-0.0001, 3, ".000"),
            (1.0, 3, "1.000"),
            (0.9996, 3, "1.000"),
            (0.4, 0, "0"),
            (f64::NAN, 3, "–"),
        ] {
            assert_eq!(fixed(value, decimals, &STYLE), text);
        }
        assert_eq!(signed(0.01, 3, &STYLE), "+.010");
        assert_eq!(signed(-0.01, 3, &STYLE), "-.010");
        assert_eq!(signed(0.000_1, 3, &STYLE), ".000");
    }

    #[test]
    fn a_column_shows_digits_that_tell_its_rows_apart() {
        for (largest, decimals) in [
            (0.0, 3),
            (0.9, 3),
            (12.0, 2),
            (784.0, 1),
            (5e4, 0),
            (5e-4, 5),
        ] {
            assert_eq!(decimals_for(largest), decimals, "{largest}");
        }
    }

    #[test]
    fn costs_keep_three_digits() {
        assert_eq!(count(1.0, &STYLE), "1");
        assert_eq!(count(2.5, &STYLE), "2.5");
        assert_eq!(count(785.0, &STYLE), "785");
        assert_eq!(count(12_345.0, &STYLE), "12.3k");
        assert_eq!(milliseconds(0.0417, &STYLE), ".042");
        assert_eq!(milliseconds(3.414, &STYLE), "3.41");
        assert_eq!(milliseconds(1250.4, &STYLE), "1250");
    }

    #[test]
    fn axis_numbers_stay_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.6128, "0.613"),
            (-12.51, "-12.5"),
            (1.24e-5, "1.2e-5"),
            (2e6, "2.0e6"),
        ] {
            assert_eq!(significant(value), text);
        }
    }

    #[test]
    fn durations_read_as_people_say_them() {
        for (seconds, text) in [
            (0.84, "0.8 s"),
            (42.4, "42 s"),
            (59.7, "1 min 00 s"),
            (185.0, "3 min 05 s"),
            (7625.0, "2 h 07 min"),
            (f64::INFINITY, "?"),
            (-1.0, "?"),
        ] {
            assert_eq!(duration_text(seconds), text);
        }
    }
}
