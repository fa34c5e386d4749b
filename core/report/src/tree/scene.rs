//! A tree as boxes and lines at fixed places, from which both kinds of picture are painted.

use super::layout::{Children, columns};
use super::{DecisionTree, TreeError, TreeNode};
use crate::canvas::Font;
use crate::figure::FigureError;
use crate::number::significant;
use crate::style::clean;

pub(super) const MARGIN: u32 = 20;
pub(super) const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
pub(super) const LEGEND_LINE: u32 = Font::BODY.height() + 6;
pub(super) const PAD: u32 = 8;
pub(super) const LINE: u32 = Font::BODY.height() + 2;
/// Height of the bar of class shares at the foot of a box.
pub(super) const SHARES: u32 = 10;
const LEVEL_GAP: u32 = 44;
const BOX_GAP: u32 = 18;
/// Longer names of features go on in the next line.
const WIDEST_TEXT: u32 = 190;
/// Lines of a feature's name.
const NAME_LINES: usize = 3;
const NARROWEST_BOX: u32 = 110;

/// A node as it is drawn.
pub(super) struct TreeBox {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) lines: Vec<Line>,
    /// Share of each class, adding up to 1; empty without classes or examples.
    pub(super) shares: Vec<f64>,
    pub(super) leaf: bool,
}

pub(super) struct Line {
    pub(super) text: String,
    pub(super) bold: bool,
    pub(super) faint: bool,
}

/// From the foot of a box to the head of another.
pub(super) struct Edge {
    pub(super) from: (u32, u32),
    pub(super) to: (u32, u32),
    pub(super) yes: bool,
}

/// All that is painted. Lengths are pixels.
pub(super) struct Scene {
    pub(super) title: String,
    pub(super) classes: Vec<String>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) box_width: u32,
    pub(super) box_height: u32,
    pub(super) boxes: Vec<TreeBox>,
    pub(super) edges: Vec<Edge>,
}

/// The nodes that are drawn, breadth first, with their children among them.
struct Chosen {
    nodes: Vec<usize>,
    levels: Vec<usize>,
    children: Children,
    /// Nodes below each that are not drawn.
    hidden: Vec<usize>,
}

fn choose(tree: &DecisionTree, depth: usize) -> Result<Chosen, TreeError> {
    if tree.nodes.is_empty() {
        return Err(FigureError::Empty {
            what: format!("the tree {}", tree.title),
        }
        .into());
    }
    let mut seen = vec![false; tree.nodes.len()];
    seen[0] = true;
    let mut chosen = Chosen {
        nodes: vec![0],
        levels: vec![0],
        children: vec![None],
        hidden: vec![0],
    };
    let mut place = 0;
    while place < chosen.nodes.len() {
        let (node, level) = (chosen.nodes[place], chosen.levels[place]);
        if tree.nodes[node].split.is_some() {
            if level < depth {
                let next = chosen.nodes.len();
                for child in children_of(tree, node, &mut seen)? {
                    chosen.nodes.push(child);
                    chosen.levels.push(level + 1);
                    chosen.children.push(None);
                    chosen.hidden.push(0);
                }
                chosen.children[place] = Some((next, next + 1));
            } else {
                chosen.hidden[place] = count_below(tree, node, &mut seen)?;
            }
        }
        place += 1;
    }
    Ok(chosen)
}

/// Both children of an inner node, none of which may have been reached before.
fn children_of(
    tree: &DecisionTree,
    node: usize,
    seen: &mut [bool],
) -> Result<Vec<usize>, TreeError> {
    let Some(split) = &tree.nodes[node].split else {
        return Ok(Vec::new());
    };
    for to in [split.yes, split.no] {
        let bad = |why| TreeError::BadNode {
            title: tree.title.clone(),
            node,
            to,
            why,
        };
        match seen.get_mut(to) {
            None => return Err(bad("there is no such node")),
            Some(true) => return Err(bad("another split leads there too")),
            Some(first) => *first = true,
        }
    }
    Ok(vec![split.yes, split.no])
}

fn count_below(tree: &DecisionTree, node: usize, seen: &mut [bool]) -> Result<usize, TreeError> {
    let mut open = vec![node];
    let mut count = 0;
    while let Some(node) = open.pop() {
        let children = children_of(tree, node, seen)?;
        count += children.len();
        open.extend(children);
    }
    Ok(count)
}

impl Scene {
    pub(super) fn of(tree: &DecisionTree, depth: usize) -> Result<Self, TreeError> {
        let chosen = choose(tree, depth)?;
        let texts: Vec<Vec<Line>> = chosen
            .nodes
            .iter()
            .zip(&chosen.hidden)
            .map(|(&node, &hidden)| lines(tree, &tree.nodes[node], hidden))
            .collect();
        let all = || texts.iter().flatten();
        let widest = all().map(|line| font(line).width(&line.text)).max();
        let box_width = (widest.unwrap_or(0) + 2 * PAD).max(NARROWEST_BOX);
        let most = texts.iter().map(Vec::len).max().unwrap_or(0) as u32;
        let shares = if tree.classes.is_empty() {
            0
        } else {
            SHARES + 4
        };
        let box_height = 2 * PAD + most * LINE + shares;
        let columns = columns(&chosen.children, f64::from(box_width + BOX_GAP));
        let legend = if tree.classes.is_empty() {
            0
        } else {
            LEGEND_LINE
        };
        let top = MARGIN + TITLE_BLOCK + legend + 6;
        let at = |place: usize| {
            let x = MARGIN + columns[place].round() as u32;
            let y = top as usize + chosen.levels[place] * (box_height + LEVEL_GAP) as usize;
            (x, y as u32)
        };
        let mut edges = Vec::new();
        for (place, children) in chosen.children.iter().enumerate() {
            let Some((yes, no)) = *children else { continue };
            for (child, is_yes) in [(yes, true), (no, false)] {
                let ((x, y), (to_x, to_y)) = (at(place), at(child));
                edges.push(Edge {
                    from: (x + box_width / 2, y + box_height),
                    to: (to_x + box_width / 2, to_y),
                    yes: is_yes,
                });
            }
        }
        let levels = chosen.levels.iter().max().map_or(0, |level| level + 1) as u32;
        let widest = columns.iter().copied().fold(0.0, f64::max).round() as u32 + box_width;
        let title = clean(&tree.title);
        let least = Font::TITLE.width(&title).max(legend_width(tree)).min(1200);
        let boxes = texts.into_iter().enumerate().map(|(place, lines)| {
            let node = &tree.nodes[chosen.nodes[place]];
            let (x, y) = at(place);
            TreeBox {
                x,
                y,
                lines,
                shares: shares_of(tree, node),
                leaf: node.split.is_none(),
            }
        });
        Ok(Self {
            title,
            classes: tree.classes.iter().map(|name| clean(name)).collect(),
            width: 2 * MARGIN + widest.max(least),
            height: top + levels * (box_height + LEVEL_GAP) - LEVEL_GAP + MARGIN,
            box_width,
            box_height,
            boxes: boxes.collect(),
            edges,
        })
    }
}

fn legend_width(tree: &DecisionTree) -> u32 {
    let names = tree.classes.iter();
    names.map(|name| crate::chart::legend_width(name)).sum()
}

pub(super) fn font(line: &Line) -> Font {
    if line.bold { Font::BOLD } else { Font::BODY }
}

/// The shares of the classes, where there are examples of any.
fn shares_of(tree: &DecisionTree, node: &TreeNode) -> Vec<f64> {
    if tree.classes.is_empty() || node.values.len() != tree.classes.len() {
        return Vec::new();
    }
    let usable = |value: f64| {
        if value.is_finite() {
            value.max(0.0)
        } else {
            0.0
        }
    };
    let total: f64 = node.values.iter().map(|&value| usable(value)).sum();
    if total <= 0.0 {
        return Vec::new();
    }
    node.values
        .iter()
        .map(|&value| usable(value) / total)
        .collect()
}

/// What stands in a box: the question, what reached it, what it says, what hangs below.
fn lines(tree: &DecisionTree, node: &TreeNode, hidden: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut push = |text: String, bold: bool, faint: bool| {
        let font = if bold { Font::BOLD } else { Font::BODY };
        let text = font.elide_middle(&clean(&text), WIDEST_TEXT);
        lines.push(Line { text, bold, faint });
    };
    if let Some(split) = &node.split {
        let sign = if split.strict { "<" } else { "<=" };
        let condition = format!("{sign} {}", threshold_text(split.threshold));
        let whole = format!("{} {condition}", clean(&split.feature));
        // A question too long for a line is broken between words and before its number, which is
        // never cut.
        if Font::BOLD.width(&whole) <= WIDEST_TEXT {
            push(whole, true, false);
        } else {
            let mut name = broken(&clean(&split.feature));
            let last = name.pop().unwrap_or_default();
            for line in name {
                push(line, true, false);
            }
            let whole = format!("{last} {condition}");
            if Font::BOLD.width(&whole) <= WIDEST_TEXT {
                push(whole, true, false);
            } else {
                push(last, true, false);
                push(condition, true, false);
            }
        }
    }
    let shares = shares_of(tree, node);
    let first_greatest = |best: usize, i: usize| if shares[i] > shares[best] { i } else { best };
    if !shares.is_empty() {
        let best = (0..shares.len()).fold(0, first_greatest);
        push(
            format!("{} {:.3}", tree.classes[best], shares[best]),
            node.split.is_none(),
            false,
        );
    } else if tree.classes.is_empty()
        && let Some(&value) = node.values.first()
    {
        let sign = if value > 0.0 { "+" } else { "" };
        push(
            format!("{sign}{}", significant(value)),
            node.split.is_none(),
            false,
        );
    }
    push(
        format!("{}: {}", tree.cover_name, cover_text(node.cover)),
        false,
        true,
    );
    if hidden > 0 {
        push(format!("{hidden} nodes below"), false, true);
    }
    lines
}

/// A name in lines of at most [`WIDEST_TEXT`], broken behind its blanks, hyphens and underscores;
/// what is beyond the last line stays in it, and is cut in its middle when it is drawn.
fn broken(name: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in name.split_inclusive(['_', ' ', '-']) {
        let full = lines.len() == NAME_LINES;
        match lines.last_mut() {
            Some(line) if full || Font::BOLD.width(&format!("{line}{word}")) <= WIDEST_TEXT => {
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Six significant digits at most: a threshold is compared with values that differ by little.
fn threshold_text(threshold: f64) -> String {
    let magnitude = threshold.abs();
    if magnitude == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e6).contains(&magnitude) {
        return format!("{threshold:.3e}");
    }
    let decimals = (5 - magnitude.log10().floor() as i32).max(0) as usize;
    let text = format!("{threshold:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A whole number of examples in full, a weight in three digits.
fn cover_text(cover: f64) -> String {
    if cover.fract() == 0.0 && cover.abs() < 1e9 {
        format!("{cover:.0}")
    } else {
        significant(cover)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_broken_between_words() {
        let name = "percentage_of_time_with_abnormal_long_term_variability";
        let lines = broken(name);
        assert_eq!(lines.concat(), name);
        assert_eq!(lines.len(), 3);
        for line in &lines {
            assert!(Font::BOLD.width(line) <= WIDEST_TEXT, "{line}");
        }
        let many = broken(&"word_".repeat(40));
        assert_eq!(many.len(), NAME_LINES);
        assert_eq!(broken("x"), ["x"]);
    }

    #[test]
    fn thresholds_keep_the_digits_they_need() {
        for (threshold, text) in [
            (110.5, "110.5"),
            (0.0015, "0.0015"),
            (-7.25, "-7.25"),
            (0.333_333_333, "0.333333"),
            (1e-9, "1.000e-9"),
            (0.0, "0"),
            (123_456.0, "123456"),
        ] {
            assert_eq!(threshold_text(threshold), text);
        }
        assert_eq!(cover_text(1323.0), "1323");
        assert_eq!(cover_text(12.345), "12.3");
    }
}
