//! How close together the highest pixels lie.

use crate::not_applicable::finite;
use crate::{NotApplicable, RankedMagnitude, Score};

/// Share of the pixels that stand for the map.
const SHARE: f64 = 0.2;

/// Compactness of the fifth of the pixels with the greatest absolute attribution:
/// `100 · diagonal · (1 / √hull area) · (points / length of their minimum spanning tree)`.
///
/// MST-C of Mesgari et al. 2026. The points are those at or above the 80th percentile of |a|; a
/// pixel without attribution is never one of them. The tree is the Euclidean minimum spanning
/// tree of all points (Prim 1957), so far-off groups lengthen it, however many neighbours lie
/// nearer.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] where the sides do not fit the map, and
/// [`NotApplicable::NoExtent`] where the points span no area: fewer than three, or on one line.
pub fn mst_compactness(magnitude: &RankedMagnitude, height: usize, width: usize) -> Score {
    let map = magnitude.as_map();
    if height.checked_mul(width) != Some(map.len()) {
        return Err(NotApplicable::LengthMismatch);
    }
    let places = map.len() - ((1.0 - SHARE) * (map.len() - 1) as f64).ceil() as usize;
    let cutoff = map
        .order()
        .get(places.max(1) - 1)
        .map_or(0.0, |&pixel| map.values()[pixel as usize]);
    let points: Vec<Point> = (0..map.len())
        .filter(|&pixel| map.values()[pixel] >= cutoff && map.values()[pixel] > 0.0)
        .map(|pixel| Point {
            x: (pixel % width) as i64,
            y: (pixel / width) as i64,
        })
        .collect();
    let area = hull_area(&points);
    if area == 0.0 {
        return Err(NotApplicable::NoExtent);
    }
    let diagonal = (height as f64).hypot(width as f64);
    finite(100.0 * diagonal / area.sqrt() * points.len() as f64 / tree_length(&points))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    x: i64,
    y: i64,
}

/// Twice the signed area of a triangle.
fn turn(a: Point, b: Point, c: Point) -> i64 {
    (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
}

/// Area of the convex hull (Andrew 1979); 0 for fewer than three points or points on one line.
fn hull_area(points: &[Point]) -> f64 {
    let mut sorted = points.to_vec();
    sorted.sort_unstable();
    let half = |points: &mut dyn Iterator<Item = Point>| {
        let mut chain: Vec<Point> = Vec::new();
        for point in points {
            while let [.., a, b] = chain[..]
                && turn(a, b, point) <= 0
            {
                chain.pop();
            }
            chain.push(point);
        }
        chain.pop();
        chain
    };
    let mut hull = half(&mut sorted.iter().copied());
    hull.extend(half(&mut sorted.iter().rev().copied()));
    let Some(&first) = hull.first() else {
        return 0.0;
    };
    let double: i64 = hull
        .windows(2)
        .map(|pair| turn(first, pair[0], pair[1]))
        .sum();
    double as f64 / 2.0
}

/// Length of the Euclidean minimum spanning tree.
fn tree_length(points: &[Point]) -> f64 {
    let mut outside = points.to_vec();
    let Some(mut newest) = outside.pop() else {
        return 0.0;
    };
    // Squared distance of each point outside to the tree; whole numbers compare exactly.
    let mut nearest = vec![i64::MAX; outside.len()];
    let mut length = 0.0;
    while !outside.is_empty() {
        let mut next = 0;
        for (place, point) in outside.iter().enumerate() {
            let (dx, dy) = (point.x - newest.x, point.y - newest.y);
            nearest[place] = nearest[place].min(dx * dx + dy * dy);
            if nearest[place] < nearest[next] {
                next = place;
            }
        }
        length += (nearest.swap_remove(next) as f64).sqrt();
        newest = outside.swap_remove(next);
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn magnitude(values: &[f32]) -> RankedMagnitude {
        RankedMagnitude::new(values).unwrap()
    }

    fn points(coordinates: &[(i64, i64)]) -> Vec<Point> {
        coordinates.iter().map(|&(x, y)| Point { x, y }).collect()
    }

    #[test]
    fn hull_and_tree_by_hand() {
        let square = points(&[(0, 0), (2, 0), (2, 2), (0, 2), (1, 1)]);
        assert_eq!(hull_area(&square), 4.0);
        // Four corners to the middle
        assert!((tree_length(&square) - 4.0 * 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(hull_area(&points(&[(0, 0), (3, 3), (5, 5)])), 0.0);
        assert_eq!(hull_area(&points(&[(1, 1)])), 0.0);
        assert_eq!(tree_length(&points(&[(0, 0), (3, 4)])), 5.0);
    }

    #[test]
    fn compactness_by_hand() {
        // 5 × 4: the top fifth is four pixels, here a unit square: hull 1, tree 3.
        let mut map = [0.0; 20];
        for pixel in [6, 7, 11, 12] {
            map[pixel] = -1.0 - pixel as f32;
        }
        let expected = 100.0 * 41f64.sqrt() * 4.0 / 3.0;
        let found = mst_compactness(&magnitude(&map), 4, 5).unwrap();
        assert!((found - expected).abs() < 1e-9);
        // One of them at the far corner: hull and tree grow, compactness falls.
        map.swap(12, 19);
        assert!(mst_compactness(&magnitude(&map), 4, 5).unwrap() < found / 2.0);
    }

    #[test]
    fn points_without_area_have_no_compactness() {
        let line: Vec<f32> = (0..20)
            .map(|pixel| if pixel < 4 { 1.0 } else { 0.0 })
            .collect();
        let none = Err(NotApplicable::NoExtent);
        assert_eq!(mst_compactness(&magnitude(&line), 4, 5), none);
        assert_eq!(mst_compactness(&magnitude(&[0.0; 20]), 4, 5), none);
        assert_eq!(mst_compactness(&magnitude(&line), 1, 20), none);
        assert_eq!(mst_compactness(&magnitude(&[1.0]), 1, 1), none);
        assert_eq!(
            mst_compactness(&magnitude(&line), 4, 4),
            Err(NotApplicable::LengthMismatch)
        );
    }
}
