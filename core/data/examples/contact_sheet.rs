//! Writes a picture of ten images of each class of a set, object masks outlined in red
//! and planted causes in green, to look at:
//!
//! `cargo run --release -p xbench-data --example contact_sheet -- garments sheet.png`

use std::error::Error;
use std::path::Path;

use image::{Rgb, RgbImage};
use xbench_data::{Locate, Selection, Splits, load, mask, select};

const ZOOM: u32 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let id = arguments.next().ok_or("name a data set, then a PNG file")?;
    let out = arguments.next().ok_or("name a PNG file to write")?;
    let outlined = arguments.next().is_none_or(|flag| flag != "--bare");

    let set = load(
        &id.parse()?,
        &Locate {
            splits: Splits::TestOnly,
            ..Locate::from_environment()
        },
    )?;
    let k = set.classes.len();
    let rows = select(&set.test, k, &Selection::Balanced(10 * k))?;
    let [channels, h, w] = set.test.plane();
    let (cell_w, cell_h) = (w as u32 * ZOOM + 4, h as u32 * ZOOM + 4);
    let mut sheet = RgbImage::from_pixel(cell_w * 10, cell_h * k as u32, Rgb([40, 60, 110]));
    let mut used = vec![0u32; k];
    for row in rows {
        let class = set.test.label(row);
        let (left, top) = (used[class] * cell_w + 2, class as u32 * cell_h + 2);
        used[class] += 1;
        let outline = |m: Option<Vec<bool>>| m.map(|m| mask::regions(&m, h, w).outline);
        let object = outline(set.test.mask(row));
        let cause = outline(set.test.cause(row));
        let image = set.test.pixels(row).ok_or("a table has no pictures")?;
        for y in 0..h as u32 * ZOOM {
            for x in 0..w as u32 * ZOOM {
                let at = (y / ZOOM) as usize * w + (x / ZOOM) as usize;
                let marked = |m: &Option<Vec<bool>>| m.as_ref().is_some_and(|m| m[at]);
                let colour = [0, 1, 2].map(|c| image[c.min(channels - 1) * w * h + at]);
                let corner = x % ZOOM == 0 && y % ZOOM == 0;
                let shown = match (outlined && corner, marked(&object), marked(&cause)) {
                    (true, _, true) => Rgb([0, 255, 0]),
                    (true, true, false) => Rgb([255, 0, 0]),
                    _ => Rgb(colour),
                };
                sheet.put_pixel(left + x, top + y, shown);
            }
        }
    }
    sheet.save(Path::new(&out))?;
    Ok(())
}
