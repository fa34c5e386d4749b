//! Images of a set in rows and columns.

use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};
use xbench_describe::Description;
use xbench_describe::images::ImageDescription;

use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE};
use crate::figure::FigureError;

const MARGIN: u32 = 24;
const GAP: u32 = 6;
/// Side of a sample: small images are enlarged to about this, large ones reduced to it.
const SAMPLE: u32 = 84;
/// Side of a mean image, likewise.
const MEAN: u32 = 140;
const LONGEST_LABEL: u32 = 230;
const LINE: u32 = Font::BODY.height() + 5;
/// Classes beyond these are left out, with a line that says so.
const MOST_CLASSES: usize = 100;
const MEANS_ACROSS: usize = 5;

/// Some images of each class: a row per class, its name at the left.
pub(super) fn samples(description: &Description) -> Result<RgbImage, FigureError> {
    let classes = description.classes.len().min(MOST_CLASSES);
    let of_class = |class: usize| description.samples.iter().filter(move |s| s.class == class);
    let across = (0..classes).map(|c| of_class(c).count()).max().unwrap_or(0) as u32;
    let names: Vec<String> = description.classes[..classes]
        .iter()
        .map(|name| Font::BODY.elide_middle(name, LONGEST_LABEL))
        .collect();
    let longest = names.iter().map(|name| Font::BODY.width(name)).max();
    let label = longest.unwrap_or(0);
    let size = cell_size(&description.shape, SAMPLE);
    let header = Font::TITLE.height() + 10 + LINE + 8;
    let left = MARGIN + label + 12;
    let top = MARGIN + header;
    let (title, note) = (
        format!("Images of {}", description.set),
        note(description, "drawn at random, class by class"),
    );
    let least = 2 * MARGIN + Font::TITLE.width(&title).max(Font::BODY.width(&note));
    let width = (left + across * (size.0 + GAP) + MARGIN).max(least);
    let height = u64::from(top + MARGIN) + classes as u64 * u64::from(size.1 + GAP);
    let mut canvas = Canvas::new(&title, u64::from(width), height)?;
    heading(&mut canvas, &title, &note);
    for (class, name) in names.iter().enumerate() {
        let y = top + class as u32 * (size.1 + GAP);
        let middle = y + size.1.saturating_sub(Font::BODY.height()) / 2;
        canvas.text_right(left - 12, middle, name, Font::BODY, INK);
        for (column, sample) in of_class(class).enumerate() {
            let levels: Vec<f32> = sample.pixels.iter().map(|&v| f32::from(v)).collect();
            let x = left + column as u32 * (size.0 + GAP);
            canvas.paste(x, y, &picture(&levels, &description.shape, size));
            canvas.frame(x, y, size.0, size.1, RULE);
        }
    }
    Ok(canvas.finish())
}

/// The mean image of each class, five across, its class below it.
pub(super) fn class_means(
    description: &Description,
    images: &ImageDescription,
) -> Result<RgbImage, FigureError> {
    let means: Vec<(usize, &Vec<f32>)> = images
        .means
        .iter()
        .enumerate()
        .take(MOST_CLASSES)
        .filter_map(|(class, mean)| Some((class, mean.as_ref()?)))
        .collect();
    let size = cell_size(&description.shape, MEAN);
    let cell_width = (size.0 + 2 * GAP).max(150);
    let across = means.len().clamp(1, MEANS_ACROSS) as u32;
    let down = means.len().div_ceil(MEANS_ACROSS) as u32;
    let step = size.1 + LINE + 12;
    let top = MARGIN + Font::TITLE.height() + 10 + LINE + 8;
    let title = format!("Mean image of each class: {}", description.set);
    let note = note(description, &format!("split {}", images.means_of));
    let least = 2 * MARGIN + Font::TITLE.width(&title).max(Font::BODY.width(&note));
    let width = (2 * MARGIN + across * cell_width).max(least);
    let height = u64::from(top + MARGIN) + u64::from(down) * u64::from(step);
    let mut canvas = Canvas::new(&title, u64::from(width), height)?;
    heading(&mut canvas, &title, &note);
    for (place, (class, mean)) in means.into_iter().enumerate() {
        let (column, row) = (place % MEANS_ACROSS, place / MEANS_ACROSS);
        let cell = MARGIN + column as u32 * cell_width;
        let (x, y) = (cell + (cell_width - size.0) / 2, top + row as u32 * step);
        let levels: Vec<f32> = mean.iter().map(|v| v * 255.0).collect();
        canvas.paste(x, y, &picture(&levels, &description.shape, size));
        canvas.frame(x, y, size.0, size.1, RULE);
        let name = description.classes.get(class).map_or("", String::as_str);
        let name = Font::BODY.elide_middle(name, cell_width - 4);
        canvas.text_centred((cell, cell_width), y + size.1 + 4, &name, Font::BODY, INK);
    }
    Ok(canvas.finish())
}

fn heading(canvas: &mut Canvas, title: &str, note: &str) {
    canvas.text(MARGIN, MARGIN, title, Font::TITLE, INK);
    let y = MARGIN + Font::TITLE.height() + 10;
    canvas.text(MARGIN, y, note, Font::BODY, FAINT_INK);
}

fn note(description: &Description, first: &str) -> String {
    let (c, h, w) = plane(&description.shape);
    let colours = if c == 3 { "colour" } else { "grey" };
    let cut = description.classes.len().saturating_sub(MOST_CLASSES);
    let cut = if cut > 0 {
        format!("; {cut} more classes")
    } else {
        String::new()
    };
    format!("{first}; {w}x{h} pixels, {colours}{cut}")
}

fn plane(shape: &[usize]) -> (usize, usize, usize) {
    match *shape {
        [c, h, w] => (c, h, w),
        _ => (1, 1, shape.iter().product()),
    }
}

/// Width and height of a drawn image of about `cell` pixels, in its own proportions.
fn cell_size(shape: &[usize], cell: u32) -> (u32, u32) {
    let (_, h, w) = plane(shape);
    let longest = h.max(w).max(1) as u32;
    let side = |length: usize| {
        if longest <= cell {
            // Whole multiples keep pixels square and sharp.
            length as u32 * (cell / longest)
        } else {
            (length as u32 * cell).div_ceil(longest)
        }
    };
    (side(w).max(1), side(h).max(1))
}

/// Levels 0–255, `[c, h, w]`, as a picture of `size`: three channels as red, green and blue,
/// otherwise the first as grey.
fn picture(levels: &[f32], shape: &[usize], size: (u32, u32)) -> RgbImage {
    let (c, h, w) = plane(shape);
    let level = |channel: usize, x: u32, y: u32| {
        let at = (channel * h + y as usize) * w + x as usize;
        levels
            .get(at)
            .map_or(0, |v| v.round().clamp(0.0, 255.0) as u8)
    };
    let own = RgbImage::from_fn(w as u32, h as u32, |x, y| {
        if c == 3 {
            Rgb([0, 1, 2].map(|channel| level(channel, x, y)))
        } else {
            Rgb([level(0, x, y); 3])
        }
    });
    let filter = if size.0 >= w as u32 {
        FilterType::Nearest
    } else {
        FilterType::Triangle
    };
    resize(&own, size.0, size.1, filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_proportions() {
        assert_eq!(cell_size(&[1, 28, 28], 84), (84, 84));
        assert_eq!(cell_size(&[1, 30, 20], 84), (40, 60));
        assert_eq!(cell_size(&[3, 256, 128], 84), (42, 84));
        assert_eq!(cell_size(&[1, 1, 1], 84), (84, 84));
        assert_eq!(cell_size(&[1, 1000, 1], 84), (1, 84));
    }

    #[test]
    fn three_channels_are_colours() {
        let levels = [255.0, 10.0, 0.0, 20.0, 0.0, 30.0];
        let drawn = picture(&levels, &[3, 1, 2], (2, 1));
        assert_eq!(drawn.get_pixel(0, 0), &Rgb([255, 0, 0]));
        assert_eq!(drawn.get_pixel(1, 0), &Rgb([10, 20, 30]));
    }
}
