//! The two kinds of picture of a tree: pixels, and shapes that scale.

use std::fmt::Write as _;

use image::{Rgb, RgbImage};

use super::scene::{LINE, Line, MARGIN, PAD, SHARES, Scene, TITLE_BLOCK, font};
use super::{DecisionTree, TreeError};
use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE, WHITE};
use crate::chart::{legend, legend_width};
use crate::colour::series;
use crate::figure::checked_size;
use crate::svg::{baseline, head, hex, rect, text};

const LEAF_GROUND: Rgb<u8> = Rgb([243, 246, 250]);
const EDGE: Rgb<u8> = Rgb([130, 130, 130]);

/// Draws the tree down to `depth` splits below each other ([`super::TREE_DEPTH`] fits a page);
/// a node whose children are left out says how many nodes hang below it. The answer yes goes
/// left. With classes, a bar at the foot of each box shows their shares.
///
/// # Errors
///
/// [`TreeError::BadNode`] for a split that leads nowhere or to a node reached already,
/// [`TreeError::Figure`] without nodes or beyond 20,000 pixels a side.
pub fn tree_image(tree: &DecisionTree, depth: usize) -> Result<RgbImage, TreeError> {
    let scene = Scene::of(tree, depth)?;
    let mut canvas = Canvas::new("the tree", scene.width.into(), scene.height.into())?;
    let title = Font::TITLE.elide(&scene.title, scene.width - 2 * MARGIN);
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    let names = scene.classes.iter().enumerate();
    let entries: Vec<_> = names.map(|(i, name)| (name.as_str(), series(i))).collect();
    legend(&mut canvas, (MARGIN, MARGIN + TITLE_BLOCK - 4), &entries);
    for edge in &scene.edges {
        let point = |(x, y): (u32, u32)| (f64::from(x), f64::from(y));
        canvas.line(point(edge.from), point(edge.to), 1.5, EDGE);
        let (x, y) = answer_place(edge.from, edge.to);
        let text = answer(edge.yes);
        let width = Font::BODY.width(text);
        let left = x.saturating_sub(width / 2);
        canvas.fill(
            left.saturating_sub(3),
            y,
            width + 6,
            Font::BODY.height(),
            WHITE,
        );
        canvas.text(left, y, text, Font::BODY, FAINT_INK);
    }
    for drawn in &scene.boxes {
        let (x, y, width, height) = (drawn.x, drawn.y, scene.box_width, scene.box_height);
        canvas.fill(
            x,
            y,
            width,
            height,
            if drawn.leaf { LEAF_GROUND } else { WHITE },
        );
        canvas.frame(x, y, width, height, if drawn.leaf { RULE } else { EDGE });
        for (i, line) in drawn.lines.iter().enumerate() {
            let place = (x, width);
            let top = y + PAD + i as u32 * LINE;
            canvas.text_centred(place, top, &line.text, font(line), ink(line));
        }
        for (i, (left, right)) in share_ends(&drawn.shares, width).enumerate() {
            let top = y + height - SHARES;
            canvas.fill(x + left, top, right - left, SHARES, series(i));
        }
    }
    Ok(canvas.finish())
}

/// As [`tree_image`], as an SVG document: text stays text, and it can be enlarged at will.
///
/// # Errors
///
/// As [`tree_image`].
pub fn tree_svg(tree: &DecisionTree, depth: usize) -> Result<String, TreeError> {
    let scene = Scene::of(tree, depth)?;
    checked_size("the tree", scene.width.into(), scene.height.into())?;
    let (width, height) = (scene.width, scene.height);
    let mut svg = head((width, height), &scene.title);
    let title_base = MARGIN + Font::TITLE.height() * 4 / 5;
    text(
        &mut svg,
        (MARGIN, title_base),
        "start",
        Font::TITLE,
        INK,
        &scene.title,
    );
    let mut x = MARGIN;
    for (i, name) in scene.classes.iter().enumerate() {
        let top = MARGIN + TITLE_BLOCK - 2;
        rect(&mut svg, (x, top, 12, 12), series(i), None);
        text(&mut svg, (x + 18, top + 10), "start", Font::BODY, INK, name);
        x += legend_width(name);
    }
    for edge in &scene.edges {
        let ((x1, y1), (x2, y2)) = (edge.from, edge.to);
        let colour = hex(EDGE);
        let _ = writeln!(
            svg,
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{colour}\" \
             stroke-width=\"1.5\"/>"
        );
        let (x, y) = answer_place(edge.from, edge.to);
        let half = Font::BODY.width(answer(edge.yes)) / 2 + 3;
        let ground = (x.saturating_sub(half), y, 2 * half, Font::BODY.height());
        rect(&mut svg, ground, WHITE, None);
        let place = (x, y + baseline());
        text(
            &mut svg,
            place,
            "middle",
            Font::BODY,
            FAINT_INK,
            answer(edge.yes),
        );
    }
    for drawn in &scene.boxes {
        let (x, y, width, height) = (drawn.x, drawn.y, scene.box_width, scene.box_height);
        let (ground, line) = if drawn.leaf {
            (LEAF_GROUND, RULE)
        } else {
            (WHITE, EDGE)
        };
        rect(&mut svg, (x, y, width, height), ground, Some(line));
        for (i, line) in drawn.lines.iter().enumerate() {
            let place = (x + width / 2, y + PAD + i as u32 * LINE + baseline());

            text(&mut svg, place, "middle", font(line), ink(line), &line.text);
        }
        for (i, (left, right)) in share_ends(&drawn.shares, width).enumerate() {
            let place = (x + left, y + height - SHARES, right - left, SHARES);
            rect(&mut svg, place, series(i), None);
        }
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn answer(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// The middle of an edge.
fn answer_place(from: (u32, u32), to: (u32, u32)) -> (u32, u32) {
    let middle = u32::midpoint(from.1, to.1);
    (
        u32::midpoint(from.0, to.0),
        middle - Font::BODY.height() / 2,
    )
}

fn ink(line: &Line) -> Rgb<u8> {
    if line.faint { FAINT_INK } else { INK }
}

/// First and last pixel of each class's share of a bar.
fn share_ends(shares: &[f64], width: u32) -> impl Iterator<Item = (u32, u32)> {
    let mut sum = 0.0;
    shares.iter().map(move |share| {
        let pixel = |sum: f64| (sum.min(1.0) * f64::from(width)).round() as u32;
        let left = pixel(sum);
        sum += share;
        (left, pixel(sum))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{TreeNode, TreeSplit};
    use super::*;

    fn leaf(values: &[f64]) -> TreeNode {
        TreeNode {
            split: None,
            cover: values.iter().sum(),
            values: values.to_vec(),
        }
    }

    fn inner(feature: &str, yes: usize, no: usize, values: &[f64]) -> TreeNode {
        TreeNode {
            split: Some(TreeSplit {
                feature: feature.to_owned(),
                threshold: 0.5,
                strict: false,
                yes,
                no,
            }),
            ..leaf(values)
        }
    }

    fn tree() -> DecisionTree {
        DecisionTree {
            title: "forest, tree 0".to_owned(),
            classes: vec!["normal".to_owned(), "suspect".to_owned()],
            cover_name: "samples".to_owned(),
            nodes: vec![
                inner("a < b & c", 1, 2, &[6.0, 4.0]),
                leaf(&[5.0, 0.0]),
                inner("accelerations", 3, 4, &[1.0, 4.0]),
                leaf(&[1.0, 1.0]),
                leaf(&[0.0, 3.0]),
            ],
        }
    }

    #[test]
    fn the_shares_of_a_box_are_drawn_at_its_foot() {
        let picture = tree_image(&tree(), 5).unwrap();
        let scene = Scene::of(&tree(), 5).unwrap();
        assert_eq!(
            (picture.width(), picture.height()),
            (scene.width, scene.height)
        );
        let root = &scene.boxes[0];
        let foot = root.y + scene.box_height - SHARES / 2;
        let at = |share: f64| {
            *picture.get_pixel(root.x + (share * f64::from(scene.box_width)) as u32, foot)
        };
        assert_eq!((at(0.05), at(0.55)), (series(0), series(0)));
        assert_eq!((at(0.65), at(0.95)), (series(1), series(1)));
    }

    #[test]
    fn the_drawing_stops_at_the_depth_asked_for() {
        let whole = tree_svg(&tree(), 2).unwrap();
        assert_eq!(whole.matches("samples:").count(), 5);
        assert!(!whole.contains("nodes below"));
        let cut = tree_svg(&tree(), 1).unwrap();
        assert_eq!(cut.matches("samples:").count(), 3);
        assert_eq!(cut.matches("2 nodes below").count(), 1);
        let root = tree_svg(&tree(), 0).unwrap();
        assert_eq!(root.matches("4 nodes below").count(), 1);
    }

    #[test]
    fn names_cannot_break_the_document() {
        let svg = tree_svg(&tree(), 2).unwrap();
        assert!(svg.contains("a &lt; b &amp; c &lt;= 0.5"));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn a_tree_of_values_shows_them_with_their_sign() {
        let mut tree = tree();
        tree.classes.clear();
        for node in &mut tree.nodes {
            node.values = vec![0.25];
        }
        tree.nodes[1].values = vec![-0.5];
        tree.nodes[0].values.clear();
        let svg = tree_svg(&tree, 2).unwrap();
        assert_eq!(svg.matches(">+0.250<").count(), 3);
        assert_eq!(svg.matches(">-0.500<").count(), 1);
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let none = DecisionTree {
            nodes: vec![],
            ..tree()
        };
        assert!(matches!(tree_image(&none, 3), Err(TreeError::Figure(_))));
        for (yes, no) in [(1, 9), (0, 2), (2, 2)] {
            let mut bad = tree();
            bad.nodes[0] = inner("x", yes, no, &[1.0, 1.0]);
            for depth in [0, 3] {
                let error = tree_svg(&bad, depth);
                assert!(
                    matches!(error, Err(TreeError::BadNode { .. })),
                    "{yes} {no}"
                );
            }
        }
        // Values that make no shares leave the bar out.
        let mut odd = tree();
        odd.nodes[0].values = vec![f64::NAN, -1.0];
        odd.nodes[1].values = vec![1.0];
        assert!(tree_image(&odd, 3).is_ok());
    }
}
