//! The shapes of SVG documents.

use std::fmt::Write as _;

use image::Rgb;

use crate::canvas::{Font, WHITE};

/// The head of a document: size, font, title and a white ground.
pub(crate) fn head((width, height): (u32, u32), title: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"'Noto Sans Mono','DejaVu Sans Mono',\
         monospace\" font-size=\"13.3\">\n<title>{}</title>\n",
        escaped(title)
    );
    rect(&mut svg, (0, 0, width, height), WHITE, None);
    svg
}

/// From the top of a line of text to the line it stands on.
pub(crate) fn baseline() -> u32 {
    Font::BODY.height() * 4 / 5
}

pub(crate) fn hex(colour: Rgb<u8>) -> String {
    let [r, g, b] = colour.0;
    format!("#{r:02x}{g:02x}{b:02x}")
}

pub(crate) fn rect(
    svg: &mut String,
    (x, y, width, height): (u32, u32, u32, u32),
    fill: Rgb<u8>,
    stroke: Option<Rgb<u8>>,
) {
    let stroke = stroke.map_or_else(String::new, |line| format!(" stroke=\"{}\"", hex(line)));
    let fill = hex(fill);
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"{stroke}/>"
    );
}

/// Text as wide as the picture's own font makes it: whatever font the viewer has, it stays
/// within its box.
pub(crate) fn text(
    svg: &mut String,
    (x, y): (u32, u32),
    anchor: &str,
    font: Font,
    colour: Rgb<u8>,
    words: &str,
) {
    let (fill, width) = (hex(colour), font.width(words));
    let (weight, size) = match font {
        Font::TITLE => ("bold", 16.6),
        Font::BOLD => ("bold", 13.3),
        _ => ("normal", 13.3),
    };
    let words = escaped(words);
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" font-weight=\"{weight}\" \
         font-size=\"{size}\" fill=\"{fill}\" textLength=\"{width}\" \
         lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\">{words}</text>"
    );
}

/// Names come from files: what has a meaning in XML is written as a reference, and what XML does
/// not allow at all has been taken out by `clean`.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
