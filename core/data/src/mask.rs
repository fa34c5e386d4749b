//! Object masks on a pixel grid: the rule for sets with a black ground, and the named
//! regions of a mask.
//!
//! All masks are `[h, w]`, row-major, `true` on the object. The structuring element is
//! the 3×3 cross: a pixel and its four neighbours.

/// A mask cut into three bands that together cover the image once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    /// Object pixels that touch the background or the image's edge: the mask minus its
    /// erosion by the cross.
    pub outline: Vec<bool>,
    /// Object pixels that do not: the erosion.
    pub inside: Vec<bool>,
    /// Everything that is not object.
    pub background: Vec<bool>,
}

/// The object in an image whose background is exactly 0: pixels above 0 in any channel,
/// morphologically closed with the cross.
///
/// `pixels` is `[channels, height, width]`. Zero pixels within a garment (a dark
/// stripe one pixel wide, say) are thus object.
///
/// # Panics
/// If `pixels` has another length.
pub fn object_by_rule(pixels: &[u8], channels: usize, height: usize, width: usize) -> Vec<bool> {
    assert_eq!(
        pixels.len(),
        channels * height * width,
        "pixels must be [channels, height, width]"
    );
    let plane = height * width;
    let lit: Vec<bool> = (0..plane)
        .map(|i| (0..channels).any(|c| pixels[c * plane + i] > 0))
        .collect();
    close(&lit, height, width)
}

/// Morphological closing with the cross: dilation, then erosion.
///
/// The image is padded with background first, so that the result is that on an
/// unbounded ground: closing never removes a pixel, not even at the edge.
///
/// # Panics
/// If `mask` is not of length `height·width`.
pub fn close(mask: &[bool], height: usize, width: usize) -> Vec<bool> {
    assert_eq!(mask.len(), height * width, "mask must be [height, width]");
    let (ph, pw) = (height + 2, width + 2);
    let mut padded = vec![false; ph * pw];
    for (y, row) in mask.chunks_exact(width.max(1)).enumerate() {
        padded[(y + 1) * pw + 1..][..width].copy_from_slice(row);
    }
    // On the padding itself the erosion sees less than there is, but only the
    // image's own pixels are read back.
    let closed = erode(&dilate(&padded, ph, pw), ph, pw);
    (0..height)
        .flat_map(|y| closed[(y + 1) * pw + 1..][..width].iter().copied())
        .collect()
}

/// Dilation by the cross: a pixel is set when it or one of its four neighbours is.
///
/// # Panics
/// If `mask` is not of length `height·width`.
pub fn dilate(mask: &[bool], height: usize, width: usize) -> Vec<bool> {
    cross(mask, height, width, |own, neighbours| {
        own || neighbours.contains(&Some(true))
    })
}

/// Erosion by the cross: a pixel stays when it and all its four neighbours are set;
/// beyond the image's edge all is background.
///
/// # Panics
/// If `mask` is not of length `height·width`.
pub fn erode(mask: &[bool], height: usize, width: usize) -> Vec<bool> {
    cross(mask, height, width, |own, neighbours| {
        own && neighbours == [Some(true); 4]
    })
}

/// Cuts the image into outline, inside and background.
///
/// # Panics
/// If `mask` is not of length `height·width`.
pub fn regions(mask: &[bool], height: usize, width: usize) -> Regions {
    let inside = erode(mask, height, width);
    Regions {
        outline: mask
            .iter()
            .zip(&inside)
            .map(|(&object, &inside)| object && !inside)
            .collect(),
        background: mask.iter().map(|&object| !object).collect(),
        inside,
    }
}

fn cross(
    mask: &[bool],
    height: usize,
    width: usize,
    keep: impl Fn(bool, [Option<bool>; 4]) -> bool,
) -> Vec<bool> {
    assert_eq!(mask.len(), height * width, "mask must be [height, width]");
    let mut out = Vec::with_capacity(mask.len());
    for y in 0..height {
        for x in 0..width {
            let i = y * width + x;
            let neighbours = [
                (y > 0).then(|| mask[i - width]),
                (y + 1 < height).then(|| mask[i + width]),
                (x > 0).then(|| mask[i - 1]),
                (x + 1 < width).then(|| mask[i + 1]),
            ];
            out.push(keep(mask[i], neighbours));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid(rows: &[&str]) -> (Vec<bool>, usize, usize) {
        let mask = rows
            .iter()
            .flat_map(|row| row.bytes().map(|b| b == b'#'))
            .collect();
        (mask, rows.len(), rows[0].len())
    }

    fn text(mask: &[bool], width: usize) -> Vec<String> {
        let glyph = |&b: &bool| if b { '#' } else { '.' };
        mask.chunks(width)
            .map(|row| row.iter().map(glyph).collect())
            .collect()
    }

    #[test]
    fn closing_fills_a_hole_and_a_one_pixel_gap() {
        let (mask, h, w) = grid(&[".....", ".###.", ".#.#.", ".###.", "....."]);
        assert_eq!(
            text(&close(&mask, h, w), w),
            [".....", ".###.", ".###.", ".###.", "....."]
        );
        // Two bars a pixel apart: the gap closes except at its open ends, where the
        // dilation has nothing above or below to reach from.
        let (mask, h, w) = grid(&[".....", ".#.#.", ".#.#.", ".#.#.", "....."]);
        assert_eq!(
            text(&close(&mask, h, w), w),
            [".....", ".#.#.", ".###.", ".#.#.", "....."]
        );
    }

    #[test]
    fn closing_keeps_single_pixels_and_the_image_edge() {
        let (mask, h, w) = grid(&["#..", "...", "..#"]);
        assert_eq!(close(&mask, h, w), mask);
        let full = vec![true; 6];
        assert_eq!(close(&full, 2, 3), full);
        assert_eq!(close(&[], 0, 0), Vec::<bool>::new());
    }

    #[test]
    fn the_rule_takes_any_channel_above_zero() {
        assert_eq!(
            object_by_rule(&[0, 1, 0, 0, 0, 7], 2, 1, 3),
            [false, true, true]
        );
        assert_eq!(object_by_rule(&[9, 0, 9], 1, 1, 3), [true, false, true]);
    }

    #[test]
    fn regions_of_a_square() {
        let (mask, h, w) = grid(&["###..", "###..", "###..", "###.."]);
        let regions = regions(&mask, h, w);
        assert_eq!(
            text(&regions.inside, w),
            [".....", ".#...", ".#...", "....."]
        );
        assert_eq!(
            text(&regions.outline, w),
            ["###..", "#.#..", "#.#..", "###.."]
        );
        assert_eq!(text(&regions.background, w), ["...##"; 4]);
    }

    proptest! {
        #[test]
        fn closing_only_adds_and_does_so_once(
            (mask, h, w) in (1usize..9, 1usize..9).prop_flat_map(|(h, w)| {
                (proptest::collection::vec(any::<bool>(), h * w), Just(h), Just(w))
            })
        ) {
            let closed = close(&mask, h, w);
            prop_assert!(mask.iter().zip(&closed).all(|(&before, &after)| !before || after));
            prop_assert_eq!(close(&closed, h, w), closed);
        }

        #[test]
        fn regions_cover_each_pixel_once(mask in proptest::collection::vec(any::<bool>(), 42)) {
            let r = regions(&mask, 6, 7);
            for i in 0..42 {
                let times = [r.outline[i], r.inside[i], r.background[i]];
                prop_assert_eq!(times.iter().filter(|&&b| b).count(), 1);
            }
        }
    }
}
