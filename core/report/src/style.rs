//! How text is dressed: colour only when asked for, plain ASCII where the terminal wants it, and
//! display widths measured in columns rather than in bytes.
//!
//! Names and messages come from plugins and files, so control characters are replaced before
//! anything reaches a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What the terminal (or file) that receives the text can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Use ANSI colour and weight. Off, no escape sequence is written at all.
    pub colour: bool,
    /// Columns that a line may take.
    pub width: usize,
    /// Use characters beyond ASCII for marks, arrows and rules.
    pub unicode: bool,
}

impl Style {
    /// No colour, full character set.
    #[must_use]
    pub const fn plain(width: usize) -> Self {
        Self {
            colour: false,
            width,
            unicode: true,
        }
    }

    /// `text` in the given emphasis; unchanged where colour is off.
    #[must_use]
    pub fn paint(&self, text: &str, emphasis: Emphasis) -> String {
        match emphasis.code() {
            Some(code) if self.colour && !text.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }

    pub(crate) fn pick(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }

    pub(crate) fn dash(&self) -> &'static str {
        self.pick("–", "-")
    }

    pub(crate) fn dot(&self) -> &'static str {
        self.pick("·", "-")
    }

    /// `text` cut at the end to at most `width` columns.
    pub(crate) fn elide(&self, text: &str, width: usize) -> String {
        if width_of(text) <= width {
            return text.to_owned();
        }
        let mark = self.ellipsis(width);
        format!(
            "{}{mark}",
            take_columns(text.chars(), width - width_of(mark))
        )
    }

    /// `text` cut in the middle, so that names differing only in their last parameters stay
    /// distinguishable.
    pub(crate) fn elide_middle(&self, text: &str, width: usize) -> String {
        if width_of(text) <= width {
            return text.to_owned();
        }
        let mark = self.ellipsis(width);
        let room = width - width_of(mark);
        let tail: String = take_columns(text.chars().rev(), room / 2)
            .chars()
            .rev()
            .collect();
        format!(
            "{}{mark}{tail}",
            take_columns(text.chars(), room - width_of(&tail))
        )
    }

    fn ellipsis(&self, width: usize) -> &'static str {
        match (self.unicode, width) {
            (_, 0) => "",
            (true, _) => "…",
            (false, 1) => ".",
            (false, _) => "..",
        }
    }
}

/// The weight or colour of a piece of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emphasis {
    /// As it is.
    #[default]
    Plain,
    /// The best of its column, or a heading.
    Bold,
    /// Background information: controls, chance levels, units.
    Dim,
    /// As it should be (green).
    Good,
    /// Look here (yellow).
    Caution,
    /// Wrong (red).
    Bad,
}

impl Emphasis {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("1"),
            Self::Dim => Some("2"),
            Self::Good => Some("32"),
            Self::Caution => Some("33"),
            Self::Bad => Some("31"),
        }
    }
}

/// Terminal columns that `text` takes.
pub(crate) fn width_of(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` on one line, without anything that could steer a terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            // Direction overrides can make a name read as another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// `text` broken at blanks into lines of at most `width` columns; words longer than a line are
/// cut.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        if !line.is_empty() && width_of(&line) + 1 + width_of(&word) > width {
            lines.push(std::mem::take(&mut line));
        }
        while width_of(&word) > width {
            let head = take_columns(word.chars(), width);
            // A character wider than the line itself would never be consumed.
            let head = if head.is_empty() {
                word.chars().take(1).collect()
            } else {
                head
            };
            word.drain(..head.len());
            lines.push(head);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

fn take_columns(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|&c| {
            used += UnicodeWidthChar::width(c).unwrap_or(0);
            used <= width
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elision_keeps_to_the_width() {
        let style = Style::plain(80);
        assert_eq!(style.elide("gradcam", 7), "gradcam");
        assert_eq!(style.elide("integrated", 6), "integ…");
        assert_eq!(style.elide_middle("ig{steps: 50}", 9), "ig{s… 50}");
        assert_eq!(style.elide("abc", 0), "");
        let ascii = Style {
            unicode: false,
            ..style
        };
        assert_eq!(ascii.elide("integrated", 6), "inte..");
        // Full-width characters count as two columns.
        assert_eq!(style.elide("服装服装", 5), "服装…");
        assert_eq!(width_of(&style.elide("服装服装", 4)), 3);
    }

    #[test]
    fn wrapping_breaks_at_blanks_and_cuts_long_words() {
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("abcdefgh i", 3), ["abc", "def", "gh", "i"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("服", 1), ["服", ""].map(str::to_owned)[..1].to_vec());
    }

    #[test]
    fn escape_sequences_from_outside_are_defused() {
        assert_eq!(clean("a\x1b[31mb\r\nc"), "a\u{fffd}[31mb\u{fffd} c");
        assert_eq!(clean("safe\u{202e}gpj"), "safe\u{fffd}gpj");
    }

    #[test]
    fn colour_is_written_only_when_asked_for() {
        let style = Style::plain(80);
        assert_eq!(style.paint("x", Emphasis::Bold), "x");
        let colour = Style {
            colour: true,
            ..style
        };
        assert_eq!(colour.paint("x", Emphasis::Bold), "\x1b[1mx\x1b[0m");
        assert_eq!(colour.paint("x", Emphasis::Plain), "x");
    }
}
