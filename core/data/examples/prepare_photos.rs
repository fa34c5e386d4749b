//! Prepares photographs and writes a picture of each beside what a model would see:
//!
//! `cargo run --release -p xbench-data --example prepare_photos -- sheet.png *.jpg`

use std::error::Error;
use std::io::Write as _;
use std::path::Path;

use image::{Rgb, RgbImage, imageops};
use xbench_data::photo::{PhotoOptions, SIDE, prepare_file};

const CELL: u32 = 5 * SIDE as u32;
const COLUMNS: u32 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments
        .next()
        .ok_or("name a PNG file to write, then photographs")?;
    let photos: Vec<String> = arguments.collect();
    let rows = (photos.len() as u32).div_ceil(COLUMNS);
    let mut sheet = RgbImage::new(COLUMNS * (2 * CELL + 12), rows * (CELL + 8));
    let options = PhotoOptions {
        thumbnail_side: CELL,
        ..PhotoOptions::default()
    };
    let mut log = std::io::stderr().lock();
    for (i, photo) in photos.iter().enumerate() {
        let prepared = prepare_file(Path::new(photo), &options)?;
        writeln!(log, "{photo}\n  {}", prepared.steps.join("\n  "))?;
        let left = i64::from(i as u32 % COLUMNS * (2 * CELL + 12));
        let top = i64::from(i as u32 / COLUMNS * (CELL + 8));
        let original = prepared.original;
        let original = RgbImage::from_raw(original.width, original.height, original.rgb)
            .ok_or("a thumbnail of the wrong length")?;
        imageops::replace(&mut sheet, &original, left, top);
        let seen = RgbImage::from_fn(CELL, CELL, |x, y| {
            let at = (y / 5) as usize * SIDE + (x / 5) as usize;
            Rgb([prepared.pixels[at]; 3])
        });
        imageops::replace(&mut sheet, &seen, left + i64::from(CELL) + 2, top);
    }
    sheet.save(Path::new(&out))?;
    Ok(())
}
