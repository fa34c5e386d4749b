//! Colours and marks that tell classes apart, with colour-blind eyes and in grey print too.

use image::{Rgb, RgbImage};

use crate::colour::blend;

/// Paul Tol's "muted" qualitative scheme (SRON/EPS/TN/09-002), its pale grey darkened to be seen
/// on white.
const COLOURS: [Rgb<u8>; 10] = [
    Rgb([0x33, 0x22, 0x88]),
    Rgb([0xdd, 0x8a, 0x2e]),
    Rgb([0x44, 0xaa, 0x99]),
    Rgb([0xcc, 0x66, 0x77]),
    Rgb([0x11, 0x77, 0x33]),
    Rgb([0x66, 0xb8, 0xe8]),
    Rgb([0x88, 0x22, 0x55]),
    Rgb([0x99, 0x99, 0x33]),
    Rgb([0xaa, 0x44, 0x99]),
    Rgb([0x55, 0x55, 0x55]),
];

/// The colour of a class; repeats after ten.
pub(super) fn colour(class: usize) -> Rgb<u8> {
    COLOURS[class % COLOURS.len()]
}

/// The outline of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Disc,
    Square,
    Triangle,
    Diamond,
    Cross,
}

/// The mark of a class: neighbours in the list differ, and the pair of colour and mark repeats
/// only after fifty.
pub(super) fn mark(class: usize) -> Mark {
    const MARKS: [Mark; 5] = [
        Mark::Disc,
        Mark::Square,
        Mark::Triangle,
        Mark::Diamond,
        Mark::Cross,
    ];
    MARKS[(class + class / COLOURS.len()) % MARKS.len()]
}

impl Mark {
    /// Whether the mark of radius 1 covers a point. All marks have about the disc's area.
    fn covers(self, x: f64, y: f64) -> bool {
        match self {
            Self::Disc => x * x + y * y <= 1.0,
            Self::Square => x.abs().max(y.abs()) <= 0.88,
            Self::Triangle => y <= 0.95 && y >= -1.25 + 1.8 * x.abs(),
            Self::Diamond => x.abs() + y.abs() <= 1.25,
            Self::Cross => x.abs().min(y.abs()) <= 0.36 && x.abs().max(y.abs()) <= 1.25,
        }
    }

    /// Draws the mark around (`x`, `y`) on `picture`, with smoothed edges. What falls outside is
    /// cut off.
    pub(super) fn draw(
        self,
        picture: &mut RgbImage,
        (x, y): (f64, f64),
        radius: f64,
        colour: Rgb<u8>,
        opacity: f64,
    ) {
        const SUB: u32 = 4;
        let reach = (radius * 1.3).ceil() as i64 + 1;
        for row in y as i64 - reach..=y as i64 + reach {
            for column in x as i64 - reach..=x as i64 + reach {
                let (Ok(px), Ok(py)) = (u32::try_from(column), u32::try_from(row)) else {
                    continue;
                };
                let mut covered = 0;
                for i in 0..SUB * SUB {
                    let at = |cell: i64, step: u32, centre: f64| {
                        (cell as f64 + (f64::from(step) + 0.5) / f64::from(SUB) - centre) / radius
                    };
                    covered += u32::from(self.covers(at(column, i % SUB, x), at(row, i / SUB, y)));
                }
                if covered > 0
                    && let Some(pixel) = picture.get_pixel_mut_checked(px, py)
                {
                    let share = f64::from(covered) / f64::from(SUB * SUB);
                    *pixel = blend(*pixel, colour, share * opacity);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn fifty_classes_differ_in_colour_or_mark() {
        let looks: HashSet<String> = (0..50)
            .map(|class| format!("{:?} {:?}", colour(class), mark(class)))
            .collect();
        assert_eq!(looks.len(), 50);
    }

    #[test]
    fn marks_have_about_one_area_and_stay_inside() {
        for mark in (0..5).map(mark) {
            let mut picture = RgbImage::from_pixel(60, 60, Rgb([255; 3]));
            mark.draw(&mut picture, (30.0, 30.0), 20.0, Rgb([0; 3]), 1.0);
            let dark = picture.pixels().filter(|p| p[0] < 128).count() as f64;
            let disc = std::f64::consts::PI * 400.0;
            assert!(
                (0.7..1.3).contains(&(dark / disc)),
                "{mark:?} {}",
                dark / disc
            );
        }
        let mut small = RgbImage::new(4, 4);
        Mark::Disc.draw(&mut small, (-2.0, 9.0), 5.0, Rgb([9; 3]), 0.5);
    }
}
