//! Critical difference diagrams (Demšar 2006, figure 1): mean ranks on a line, and bars below it
//! that join those whom no test tells apart.

use image::{Rgb, RgbImage};

use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE};
use crate::chart::{tick_texts, whole_ticks};
use crate::figure::{FigureError, checked_size};
use crate::number::fixed;
use crate::style::{Style, clean};
use crate::svg;

/// An order of explainers, and how far it is certain.
#[derive(Clone, Debug, PartialEq)]
pub struct RankDiagram {
    /// Above all.
    pub title: String,
    /// From the best mean rank to the worst.
    pub entries: Vec<RankEntry>,
    /// First and last place, counted from 0, of each run in which no two are told apart.
    pub runs: Vec<(usize, usize)>,
    /// The length of the scale bar: how far two mean ranks must lie apart. `None` for no bar.
    pub critical_difference: Option<f64>,
    /// What the bars and the scale bar stand on, a line each.
    pub notes: Vec<String>,
}

/// One explainer.
#[derive(Clone, Debug, PartialEq)]
pub struct RankEntry {
    /// Its name.
    pub name: String,
    /// Its mean rank; 1 is best.
    pub mean_rank: f64,
    /// Whether it is a control, which is drawn paler.
    pub control: bool,
}

/// Draws the diagram, the best at the left.
///
/// # Errors
///
/// [`FigureError::Empty`] without entries or where a mean rank is not finite,
/// [`FigureError::TooLarge`] beyond 20,000 pixels a side.
pub fn rank_diagram_image(diagram: &RankDiagram) -> Result<RgbImage, FigureError> {
    let scene = Scene::of(diagram)?;
    let mut canvas = Canvas::new(WHAT, scene.width.into(), scene.height.into())?;
    for stroke in &scene.strokes {
        canvas.line(stroke.from, stroke.to, stroke.width, stroke.colour);
    }
    for words in &scene.words {
        let width = Font::width(words.font, &words.text);
        let left = match words.anchor {
            Anchor::Start => words.x,
            Anchor::Middle => words.x.saturating_sub(width / 2),
            Anchor::End => words.x.saturating_sub(width),
        };
        canvas.text(left, words.y, &words.text, words.font, words.colour);
    }
    Ok(canvas.finish())
}

/// As [`rank_diagram_image`], as an SVG document.
///
/// # Errors
///
/// As [`rank_diagram_image`].
pub fn rank_diagram_svg(diagram: &RankDiagram) -> Result<String, FigureError> {
    use std::fmt::Write as _;
    let scene = Scene::of(diagram)?;
    let mut document = svg::head((scene.width, scene.height), &clean(&diagram.title));
    for stroke in &scene.strokes {
        let ((x1, y1), (x2, y2)) = (stroke.from, stroke.to);
        let (colour, width) = (svg::hex(stroke.colour), stroke.width);
        let _ = writeln!(
            document,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
             stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linecap=\"round\"/>"
        );
    }
    for words in &scene.words {
        let anchor = match words.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let base = words.font.height() * 4 / 5;
        let place = (words.x, words.y + base);
        svg::text(
            &mut document,
            place,
            anchor,
            words.font,
            words.colour,
            &words.text,
        );
    }
    document.push_str("</svg>\n");
    Ok(document)
}

const WHAT: &str = "the critical difference diagram";
const MARGIN: u32 = 20;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const LINE: u32 = Font::BODY.height() + 6;
const PLOT_WIDTH: f64 = 560.0;
const LONGEST_NAME: u32 = 300;
const NAME_GAP: u32 = 8;
/// Room between neighbouring bars.
const LEVEL: u32 = 9;
const BAR: Rgb<u8> = Rgb([213, 94, 0]);

enum Anchor {
    Start,
    Middle,
    End,
}

struct Words {
    x: u32,
    y: u32,
    anchor: Anchor,
    font: Font,
    colour: Rgb<u8>,
    text: String,
}

struct Stroke {
    from: (f64, f64),
    to: (f64, f64),
    width: f64,
    colour: Rgb<u8>,
}

struct Scene {
    width: u32,
    height: u32,
    strokes: Vec<Stroke>,
    words: Vec<Words>,
}

impl Scene {
    fn of(diagram: &RankDiagram) -> Result<Self, FigureError> {
        let entries = &diagram.entries;
        if entries.is_empty() || entries.iter().any(|entry| !entry.mean_rank.is_finite()) {
            return Err(FigureError::Empty {
                what: format!(
                    "{WHAT} {} (no ranks, or none that is finite)",
                    diagram.title
                ),
            });
        }
        let labels: Vec<String> = entries.iter().map(label).collect();
        let longest = labels.iter().map(|text| Font::BODY.width(text)).max();
        let side = MARGIN + longest.unwrap_or(0) + NAME_GAP;
        let mut scene = Self {
            width: 2 * side + PLOT_WIDTH as u32,
            height: 0,
            strokes: Vec::new(),
            words: Vec::new(),
        };
        let (low, high) = ends(entries);
        let scale = PLOT_WIDTH / (high - low);
        let column = |rank: f64| f64::from(side) + (rank - low) * scale;
        let title = Font::TITLE.elide(&clean(&diagram.title), scene.width - 2 * MARGIN);
        scene.say((MARGIN, MARGIN), Anchor::Start, Font::TITLE, INK, title);
        let top = scene.scale_bar(diagram.critical_difference, side, scale, high - low);
        let axis = scene.axis(top, (low, high), column);
        let bottom = scene.bars(axis, &diagram.runs, entries, column);
        let bottom = scene.names(axis, bottom, &labels, entries, column);
        scene.height = bottom + 4;
        for note in &diagram.notes {
            for line in wrapped(&clean(note), scene.width - 2 * MARGIN) {
                let place = (MARGIN, scene.height);
                scene.say(place, Anchor::Start, Font::BODY, FAINT_INK, line);
                scene.height += LINE;
            }
        }
        scene.height += MARGIN;
        checked_size(WHAT, scene.width.into(), scene.height.into())?;
        Ok(scene)
    }

    fn say(
        &mut self,
        (x, y): (u32, u32),
        anchor: Anchor,
        font: Font,
        colour: Rgb<u8>,
        text: String,
    ) {
        self.words.push(Words {
            x,
            y,
            anchor,
            font,
            colour,
            text,
        });
    }

    fn stroke(&mut self, from: (f64, f64), to: (f64, f64), width: f64, colour: Rgb<u8>) {
        self.strokes.push(Stroke {
            from,
            to,
            width,
            colour,
        });
    }

    /// The scale bar, above the left end of the axis; gives the row below it.
    fn scale_bar(&mut self, length: Option<f64>, side: u32, scale: f64, range: f64) -> u32 {
        let top = MARGIN + TITLE_BLOCK;
        let Some(length) = length.filter(|length| length.is_finite() && *length > 0.0) else {
            return top;
        };
        let number = fixed(length, 2, &Style::plain(0));
        if length > range {
            let text = format!("CD {number}: longer than the axis");
            self.say((side, top), Anchor::Start, Font::BODY, INK, text);
            return top + LINE;
        }
        let (left, right) = (f64::from(side), f64::from(side) + length * scale);
        let y = f64::from(top) + f64::from(Font::BODY.height()) / 2.0;
        self.stroke((left, y), (right, y), 2.0, INK);
        for x in [left, right] {
            self.stroke((x, y - 5.0), (x, y + 5.0), 2.0, INK);
        }
        let text = format!("CD {number}");
        let place = (right.round() as u32 + NAME_GAP, top);
        self.say(place, Anchor::Start, Font::BODY, INK, text);
        top + LINE
    }

    /// The axis with its ticks; gives its row.
    fn axis(&mut self, top: u32, (low, high): (f64, f64), column: impl Fn(f64) -> f64) -> u32 {
        let ticks = whole_ticks(low, high, 10);
        let row = top + LINE + 8;
        let y = f64::from(row);
        self.stroke((column(low), y), (column(high), y), 2.0, INK);
        for (tick, text) in ticks.iter().zip(tick_texts(&ticks)) {
            let x = column(*tick);
            self.stroke((x, y - 6.0), (x, y), 2.0, INK);
            let place = (x.round() as u32, row - 8 - Font::BODY.height());
            self.say(place, Anchor::Middle, Font::BODY, INK, text);
        }
        let place = (
            column(high).round() as u32,
            row - 8 - 2 * Font::BODY.height(),
        );
        let text = "mean rank, 1 is best".to_owned();
        self.say(place, Anchor::End, Font::BODY, FAINT_INK, text);
        row
    }

    /// A bar for each run, as many levels as it takes that none meets another; gives the row below.
    fn bars(
        &mut self,
        axis: u32,
        runs: &[(usize, usize)],
        entries: &[RankEntry],
        column: impl Fn(f64) -> f64,
    ) -> u32 {
        // Right end of the last bar of each level.
        let mut levels: Vec<f64> = Vec::new();
        for &(first, last) in runs {
            let (Some(first), Some(last)) = (entries.get(first), entries.get(last)) else {
                continue;
            };
            let (left, right) = (column(first.mean_rank) - 5.0, column(last.mean_rank) + 5.0);
            let free = levels.iter().position(|&end| end + 8.0 < left);
            let level = free.unwrap_or(levels.len());
            match free {
                Some(level) => levels[level] = right,
                None => levels.push(right),
            }
            let y = f64::from(axis + 10 + level as u32 * LEVEL);
            self.stroke((left, y), (right, y), 4.0, BAR);
        }
        axis + 10 + levels.len() as u32 * LEVEL + 4
    }

    /// Names at both sides, each led to its place on the axis: the better half at the left from the
    /// best down, the other at the right from the worst down, so that no two lines cross.
    fn names(
        &mut self,
        axis: u32,
        top: u32,
        labels: &[String],
        entries: &[RankEntry],
        column: impl Fn(f64) -> f64,
    ) -> u32 {
        let left_half = entries.len().div_ceil(2);
        let edge = column(ends(entries).0) as u32;
        let far = column(ends(entries).1) as u32;
        let mut drawn = Vec::new();
        for (place, (entry, label)) in entries.iter().zip(labels).enumerate() {
            let at_left = place < left_half;
            let row = if at_left {
                place
            } else {
                entries.len() - 1 - place
            };
            let y = top + row as u32 * LINE;
            let line = f64::from(y) + f64::from(Font::BODY.height()) / 2.0;
            let x = column(entry.mean_rank);
            let colour = if entry.control { RULE } else { FAINT_INK };
            let ink = if entry.control { FAINT_INK } else { INK };
            let (end, anchor, text_x) = if at_left {
                (f64::from(edge), Anchor::End, edge - NAME_GAP)
            } else {
                (f64::from(far), Anchor::Start, far + NAME_GAP)
            };
            drawn.push(((x, f64::from(axis)), (x, line), colour));
            drawn.push(((x, line), (end, line), colour));
            self.say((text_x, y), anchor, Font::BODY, ink, label.clone());
        }
        // Below the bars, which are what the eye is to find.
        let lines = drawn.into_iter().map(|(from, to, colour)| Stroke {
            from,
            to,
            width: 1.2,
            colour,
        });
        self.strokes.splice(0..0, lines);
        top + left_half as u32 * LINE
    }
}

fn label(entry: &RankEntry) -> String {
    let name = Font::BODY.elide_middle(&clean(&entry.name), LONGEST_NAME);
    format!("{name} {}", fixed(entry.mean_rank, 2, &Style::plain(0)))
}

/// Whole ranks that take in all entries, at least one apart.
fn ends(entries: &[RankEntry]) -> (f64, f64) {
    let ranks = entries.iter().map(|entry| entry.mean_rank);
    let low = ranks.clone().fold(f64::INFINITY, f64::min).floor();
    let high = ranks.fold(f64::NEG_INFINITY, f64::max).ceil();
    if high > low {
        (low, high)
    } else {
        (low, low + 1.0)
    }
}

/// `text` broken at blanks so that each line fits.
fn wrapped(text: &str, pixels: u32) -> Vec<String> {
    let column = Font::BODY.width("0").max(1);
    crate::style::wrap(text, (pixels / column) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagram() -> RankDiagram {
        let entry = |name: &str, mean_rank: f64| RankEntry {
            name: name.to_owned(),
            mean_rank,
            control: ["random", "oracle"].contains(&name),
        };
        RankDiagram {
            title: "lenet on garments: ranks".to_owned(),
            entries: vec![
                entry("oracle", 1.4),
                entry("ig", 2.1),
                entry("occlusion", 2.3),
                entry("grad<cam>", 4.0),
                entry("random", 4.6),
            ],
            runs: vec![(1, 2), (3, 4)],
            critical_difference: Some(0.5),
            notes: vec!["bars: not told apart".to_owned()],
        }
    }

    #[test]
    fn both_pictures_show_the_same() {
        let svg = rank_diagram_svg(&diagram()).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("grad&lt;cam&gt; 4.00") && svg.contains("CD .50"));
        assert_eq!(
            svg.matches("stroke=\"#d55e00\"").count(),
            2,
            "a bar per run"
        );
        let picture = rank_diagram_image(&diagram()).unwrap();
        let size = format!(
            "width=\"{}\" height=\"{}\"",
            picture.width(),
            picture.height()
        );
        assert!(svg.contains(&size));
        assert!(picture.pixels().any(|pixel| *pixel == BAR));
        assert_eq!(rank_diagram_image(&diagram()).unwrap(), picture);
    }

    #[test]
    fn bars_that_overlap_take_levels() {
        let mut overlapping = diagram();
        let flat = rank_diagram_image(&overlapping).unwrap().height();
        overlapping.runs = vec![(0, 2), (1, 3), (3, 4)];
        let deep = rank_diagram_image(&overlapping).unwrap().height();
        assert_eq!(deep, flat + LEVEL);
    }

    #[test]
    fn odd_orders_are_drawn() {
        let equal = RankDiagram {
            entries: vec![diagram().entries[0].clone(); 3],
            runs: vec![(0, 2)],
            ..diagram()
        };
        assert!(rank_diagram_image(&equal).is_ok());
        let single = RankDiagram {
            entries: diagram().entries[..1].to_vec(),
            runs: vec![(0, 7)],
            critical_difference: Some(99.0),
            notes: Vec::new(),
            ..diagram()
        };
        assert!(
            rank_diagram_svg(&single)
                .unwrap()
                .contains("longer than the axis")
        );
        for ranks in [vec![], vec![f64::NAN]] {
            let entries = ranks.into_iter().map(|mean_rank| RankEntry {
                mean_rank,
                ..diagram().entries[0].clone()
            });
            let bad = RankDiagram {
                entries: entries.collect(),
                ..diagram()
            };
            assert!(matches!(
                rank_diagram_image(&bad),
                Err(FigureError::Empty { .. })
            ));
        }
    }
}
