//! Where the nodes of a binary tree go (Reingold and Tilford 1981): a subtree is drawn the same
//! wherever it hangs, two subtrees stand as close as their facing outlines allow on every level,
//! and a parent stands in the middle above its children.

/// The shape of a tree: children of each node.
pub(crate) type Children = Vec<Option<(usize, usize)>>;

/// The outline of a subtree: on each level below its root, how far its outermost nodes lie to
/// the left and right of the root.
struct Outline {
    left: Vec<f64>,
    right: Vec<f64>,
}

/// Columns of the nodes, neighbours on a level at least `spacing` apart, the leftmost at 0.
///
/// `children` lists the nodes so that children come after their parents; the first is the root.
pub(crate) fn columns(children: &Children, spacing: f64) -> Vec<f64> {
    let mut outlines: Vec<Option<Outline>> = children.iter().map(|_| None).collect();
    // How far the left child lies left of its parent, the right one as far to the right.
    let mut halves = vec![0.0; children.len()];
    for node in (0..children.len()).rev() {
        let outline = match children[node] {
            None => Outline {
                left: vec![0.0],
                right: vec![0.0],
            },
            Some((left, right)) => {
                let left = outlines[left].take();
                let right = outlines[right].take();
                let (Some(left), Some(right)) = (left, right) else {
                    continue;
                };
                halves[node] = distance(&left, &right, spacing) / 2.0;
                joined(&left, &right, halves[node])
            }
        };
        outlines[node] = Some(outline);
    }
    let mut columns = vec![0.0; children.len()];
    for node in 0..children.len() {
        if let Some((left, right)) = children[node] {
            columns[left] = columns[node] - halves[node];
            columns[right] = columns[node] + halves[node];
        }
    }
    let leftmost = columns.iter().copied().fold(f64::INFINITY, f64::min);
    columns.iter_mut().for_each(|column| *column -= leftmost);
    columns
}

/// Least distance of the roots of two subtrees that keeps all of their nodes apart.
fn distance(left: &Outline, right: &Outline, spacing: f64) -> f64 {
    let facing = left.right.iter().zip(&right.left);
    facing
        .map(|(left, right)| left - right + spacing)
        .fold(spacing, f64::max)
}

/// The outline of two subtrees whose roots stand `half` to the left and right of their parent.
fn joined(left: &Outline, right: &Outline, half: f64) -> Outline {
    let levels = left.left.len().max(right.left.len());
    let side = |near: &[f64], near_shift: f64, far: &[f64], far_shift: f64| {
        let below = (0..levels).map(|level| match near.get(level) {
            Some(at) => at + near_shift,
            // The deeper of the two sticks out below the other.
            None => far[level] + far_shift,
        });
        std::iter::once(0.0).chain(below).collect()
    };
    Outline {
        left: side(&left.left, -half, &right.left, half),
        right: side(&right.right, half, &left.right, -half),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_stands_above_the_middle_of_its_children() {
        assert_eq!(columns(&vec![None], 10.0), [0.0]);
        let columns = columns(&vec![Some((1, 2)), None, None], 10.0);
        assert_eq!(columns, [5.0, 0.0, 10.0]);
    }

    #[test]
    fn subtrees_move_together_where_their_outlines_allow() {
        // The left child is a leaf: the right one's left child may stand below it.
        let children = vec![Some((1, 2)), None, Some((3, 4)), None, None];
        assert_eq!(columns(&children, 10.0), [5.0, 0.0, 10.0, 5.0, 15.0]);
    }

    #[test]
    fn mirrored_trees_are_drawn_mirrored() {
        let right = vec![
            Some((1, 2)),
            None,
            Some((3, 4)),
            None,
            Some((5, 6)),
            None,
            None,
        ];
        let left = vec![
            Some((1, 2)),
            Some((3, 4)),
            None,
            Some((5, 6)),
            None,
            None,
            None,
        ];
        let (right, left) = (columns(&right, 8.0), columns(&left, 8.0));
        let widest = right.iter().copied().fold(0.0, f64::max);
        let mirror = |node: usize| widest - right[node];
        // Nodes in mirrored order: 0, (2, 1), (4, 3), (6, 5).
        for (node, twin) in [(0, 0), (1, 2), (2, 1), (3, 4), (4, 3), (5, 6), (6, 5)] {
            assert!(
                (left[node] - mirror(twin)).abs() < 1e-9,
                "{left:?} {right:?}"
            );
        }
    }

    #[test]
    fn no_two_nodes_of_a_level_overlap() {
        // Trees grown at random by a fixed rule, breadth first.
        for seed in 1u64..60 {
            let mut state = seed;
            let mut children: Children = vec![None];
            let mut levels = vec![0usize];
            let mut node = 0;
            while node < children.len() {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                if levels[node] < 7 && (state >> 33) % 3 != 0 && children.len() < 200 {
                    let next = children.len();
                    children[node] = Some((next, next + 1));
                    children.extend([None, None]);
                    levels.extend([levels[node] + 1; 2]);
                }
                node += 1;
            }
            let columns = columns(&children, 10.0);
            for a in 0..children.len() {
                for b in a + 1..children.len() {
                    if levels[a] == levels[b] {
                        let gap = (columns[a] - columns[b]).abs();
                        assert!(
                            gap >= 10.0 - 1e-9,
                            "seed {seed}: {a} and {b} are {gap} apart"
                        );
                    }
                }
                if let Some((left, right)) = children[a] {
                    let middle = (columns[left] + columns[right]) / 2.0;
                    assert!((middle - columns[a]).abs() < 1e-9);
                }
            }
            assert!(columns.iter().all(|column| *column >= 0.0));
        }
    }
}
