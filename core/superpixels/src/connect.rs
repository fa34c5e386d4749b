//! Segments in one piece.

use std::collections::BTreeMap;

use crate::segments::Shape;

/// Gives every label its largest piece (of 4-neighbours; the first of equals) and each other piece to
/// the segment that it borders longest (the first of equals).
pub(crate) fn connect(labels: &[u32], shape: Shape) -> Vec<u32> {
    let (pieces, sizes, owners) = pieces(labels, shape);
    let mut largest: BTreeMap<u32, usize> = BTreeMap::new();
    for (piece, &owner) in owners.iter().enumerate() {
        let best = largest.entry(owner).or_insert(piece);
        if sizes[piece] > sizes[*best] {
            *best = piece;
        }
    }
    // The segment of each piece; none for those that are still to be given away.
    let mut segment: Vec<Option<u32>> = owners
        .iter()
        .enumerate()
        .map(|(piece, owner)| (largest[owner] == piece).then_some(*owner))
        .collect();
    let borders = borders(&pieces, sizes.len(), shape);
    // A stray piece may lie among stray pieces; each round gives at least one of them away, because
    // the image is one piece as a whole and some segment is kept.
    while segment.contains(&None) {
        let before = segment.clone();
        for (piece, place) in segment.iter_mut().enumerate() {
            if place.is_some() {
                continue;
            }
            let mut shared: BTreeMap<u32, usize> = BTreeMap::new();
            for (&neighbour, &length) in &borders[piece] {
                if let Some(label) = before[neighbour] {
                    *shared.entry(label).or_default() += length;
                }
            }
            let mut best = None;
            for (label, length) in shared {
                if best.is_none_or(|(_, longest)| length > longest) {
                    best = Some((label, length));
                }
            }
            *place = best.map(|(label, _)| label);
        }
    }
    pieces.iter().filter_map(|&piece| segment[piece]).collect()
}

/// Connected pieces: the piece of each pixel; the size and the label of each piece, in raster order.
fn pieces(labels: &[u32], shape: Shape) -> (Vec<usize>, Vec<usize>, Vec<u32>) {
    let none = usize::MAX;
    let mut piece = vec![none; labels.len()];
    let (mut sizes, mut owners, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for start in 0..labels.len() {
        if piece[start] != none {
            continue;
        }
        let (label, number) = (labels[start], sizes.len());
        let mut size = 0;
        piece[start] = number;
        open.push(start);
        while let Some(pixel) = open.pop() {
            size += 1;
            let (y, x) = (pixel / shape.width, pixel % shape.width);
            let around = [
                (y > 0).then(|| pixel - shape.width),
                (x > 0).then(|| pixel - 1),
                (x + 1 < shape.width).then_some(pixel + 1),
                (y + 1 < shape.height).then_some(pixel + shape.width),
            ];
            for next in around.into_iter().flatten() {
                if piece[next] == none && labels[next] == label {
                    piece[next] = number;
                    open.push(next);
                }
            }
        }
        sizes.push(size);
        owners.push(label);
    }
    (piece, sizes, owners)
}

/// For each piece its neighbours and the length of the border with each.
fn borders(pieces: &[usize], count: usize, shape: Shape) -> Vec<BTreeMap<usize, usize>> {
    let mut borders = vec![BTreeMap::new(); count];
    let mut meet = |a: usize, b: usize| {
        if a != b {
            *borders[a].entry(b).or_insert(0) += 1;
            *borders[b].entry(a).or_insert(0) += 1;
        }
    };
    for y in 0..shape.height {
        for x in 0..shape.width {
            let pixel = y * shape.width + x;
            if x + 1 < shape.width {
                meet(pieces[pixel], pieces[pixel + 1]);
            }
            if y + 1 < shape.height {
                meet(pieces[pixel], pieces[pixel + shape.width]);
            }
        }
    }
    borders
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn shape(height: usize, width: usize) -> Shape {
        Shape {
            channels: 1,
            height,
            width,
        }
    }

    #[test]
    fn a_stray_piece_goes_where_its_border_is_longest() {
        #[rustfmt::skip]
        let labels = [
            0, 0, 0, 2,
            0, 0, 0, 2,
            1, 0, 2, 2,
            1, 1, 2, 0,
        ];
        #[rustfmt::skip]
        let expected = [
            0, 0, 0, 2,
            0, 0, 0, 2,
            1, 0, 2, 2,
            1, 1, 2, 2,
        ];
        assert_eq!(connect(&labels, shape(4, 4)), expected);
    }

    #[test]
    fn strays_among_strays_are_given_away_in_turn() {
        // 1 keeps its first piece; the second 1 touches the stray 0 alone.
        let labels = [0, 0, 1, 0, 1];
        assert_eq!(connect(&labels, shape(1, 5)), [0, 0, 1, 1, 1]);
        let labels = [1, 0, 0, 0, 2, 2, 0, 2, 0];
        assert_eq!(connect(&labels, shape(1, 9)), [1, 0, 0, 0, 2, 2, 2, 2, 2]);
    }
}
