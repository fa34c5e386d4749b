//! Examples a model is surest and least sure of: pictures with truth, prediction and probability.

use image::RgbImage;

use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE};
use crate::figure::FigureError;
use crate::panel::draw_picture_of;
use crate::strip::{RIGHT, WRONG};

/// A figure of examples in sections.
#[derive(Clone, Debug)]
pub struct Gallery {
    /// Above all: the model and the data.
    pub title: String,
    /// Sections from top to bottom; one without examples says so.
    pub sections: Vec<GallerySection>,
}

/// Examples that have something in common.
#[derive(Clone, Debug)]
pub struct GallerySection {
    /// What they have in common.
    pub title: String,
    /// The examples, most telling first.
    pub items: Vec<GalleryItem>,
}

/// An example.
#[derive(Clone, Debug)]
pub struct GalleryItem {
    /// What the model was given, as a picture (for grey inputs see [`crate::grey_image`]).
    pub picture: RgbImage,
    /// Name of the example: its row, or a file.
    pub label: String,
    /// The true class.
    pub truth: String,
    /// The predicted class.
    pub prediction: String,
    /// The probability of the prediction, 0–1.
    pub probability: f64,
}

const MARGIN: u32 = 20;
/// Six times 28, so that the pixels of the commonest pictures are all of one size.
const TILE: u32 = 168;
const GAP: u32 = 16;
const COLUMNS: usize = 8;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const HEADING_BLOCK: u32 = Font::BOLD.height() + 8;
const LINE: u32 = Font::BODY.height() + 2;
const CAPTION: u32 = 4 * LINE + 5;
const SECTION_GAP: u32 = 26;

/// Draws the figure, eight examples to a row, each with its prediction and probability (green
/// where right, red where wrong), its true class and its name.
///
/// # Errors
///
/// [`FigureError::Empty`] without sections or with a picture without pixels,
/// [`FigureError::TooLarge`] beyond 20,000 pixels a side.
pub fn gallery_image(gallery: &Gallery) -> Result<RgbImage, FigureError> {
    let items = || gallery.sections.iter().flat_map(|section| &section.items);
    if gallery.sections.is_empty() {
        return Err(FigureError::Empty {
            what: format!("the gallery {}", gallery.title),
        });
    }
    if let Some(item) = items().find(|item| item.picture.width() == 0 || item.picture.height() == 0)
    {
        return Err(FigureError::Empty {
            what: format!("the picture of {}", item.label),
        });
    }
    let widest = gallery.sections.iter().map(|section| section.items.len());
    let columns = widest.max().unwrap_or(0).clamp(4, COLUMNS) as u32;
    let width = 2 * MARGIN + columns * (TILE + GAP) - GAP;
    let height = u64::from(2 * MARGIN + TITLE_BLOCK - SECTION_GAP)
        + gallery.sections.iter().map(section_height).sum::<u64>();
    let mut canvas = Canvas::new("the gallery", width.into(), height)?;
    let title = Font::TITLE.elide(&gallery.title, width - 2 * MARGIN);
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    let mut top = MARGIN + TITLE_BLOCK;
    for section in &gallery.sections {
        let heading = Font::BOLD.elide(&section.title, width - 2 * MARGIN);
        canvas.text(MARGIN, top, &heading, Font::BOLD, INK);
        canvas.fill(
            MARGIN,
            top + Font::BOLD.height() + 2,
            width - 2 * MARGIN,
            1,
            RULE,
        );
        let first = top + HEADING_BLOCK;
        if section.items.is_empty() {
            canvas.text(MARGIN, first, "none", Font::BODY, FAINT_INK);
        }
        for (number, item) in section.items.iter().enumerate() {
            let (row, column) = ((number / COLUMNS) as u32, (number % COLUMNS) as u32);
            let x = MARGIN + column * (TILE + GAP);
            draw_item(&mut canvas, x, first + row * (TILE + CAPTION + GAP), item);
        }
        top += section_height(section) as u32;
    }
    Ok(canvas.finish())
}

/// Height of a section with the gap to the next.
fn section_height(section: &GallerySection) -> u64 {
    let body = match section.items.len().div_ceil(COLUMNS) as u64 {
        0 => u64::from(LINE),
        rows => rows * u64::from(TILE + CAPTION + GAP) - u64::from(GAP),
    };
    u64::from(HEADING_BLOCK + SECTION_GAP) + body
}

fn draw_item(canvas: &mut Canvas, x: u32, y: u32, item: &GalleryItem) {
    draw_picture_of(canvas, (x, y), TILE, &item.picture);
    let below = y + TILE + 5;
    let colour = if item.truth == item.prediction {
        RIGHT
    } else {
        WRONG
    };
    let prediction = Font::BOLD.elide(&item.prediction, TILE);
    canvas.text(x, below, &prediction, Font::BOLD, colour);
    let lines = [
        format!("probability {}", probability(item.probability)),
        format!("true {}", item.truth),
        item.label.clone(),
    ];
    for (i, line) in lines.iter().enumerate() {
        let y = below + (i as u32 + 1) * LINE;
        let ink = if i == 2 { FAINT_INK } else { INK };
        canvas.text(x, y, &Font::BODY.elide(line, TILE), Font::BODY, ink);
    }
}

/// Three digits, but never a certainty that is none.
fn probability(p: f64) -> String {
    if (0.9995..1.0).contains(&p) {
        ">.999".to_owned()
    } else {
        format!("{p:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn item(prediction: &str) -> GalleryItem {
        GalleryItem {
            picture: RgbImage::from_pixel(28, 28, Rgb([200; 3])),
            label: "test[17]".to_owned(),
            truth: "Dress".to_owned(),
            prediction: prediction.to_owned(),
            probability: 0.99999,
        }
    }

    #[test]
    fn sections_stand_below_each_other() {
        let gallery = Gallery {
            title: "lenet".to_owned(),
            sections: vec![
                GallerySection {
                    title: "right".to_owned(),
                    items: vec![item("Dress"); 9],
                },
                GallerySection {
                    title: "wrong".to_owned(),
                    items: vec![],
                },
            ],
        };
        let picture = gallery_image(&gallery).unwrap();
        assert_eq!(picture.width(), 2 * MARGIN + 8 * (TILE + GAP) - GAP);
        let step = TILE + CAPTION + GAP;
        assert_eq!(
            picture.height(),
            2 * MARGIN + TITLE_BLOCK + 2 * HEADING_BLOCK + SECTION_GAP + 2 * step - GAP + LINE
        );
        // The ninth begins the second row.
        let first = MARGIN + TITLE_BLOCK + HEADING_BLOCK;
        assert_eq!(
            *picture.get_pixel(MARGIN + 50, first + step + 50),
            Rgb([200; 3])
        );
    }

    #[test]
    fn a_probability_is_not_rounded_to_certainty() {
        assert_eq!(probability(1.0), "1.000");
        assert_eq!(probability(0.99997), ">.999");
        assert_eq!(probability(0.3125), "0.312");
    }

    #[test]
    fn a_gallery_of_nothing_is_refused() {
        let none = Gallery {
            title: String::new(),
            sections: vec![],
        };
        assert!(matches!(
            gallery_image(&none),
            Err(FigureError::Empty { .. })
        ));
        let mut empty = item("Dress");
        empty.picture = RgbImage::new(0, 4);
        let broken = Gallery {
            title: String::new(),
            sections: vec![GallerySection {
                title: String::new(),
                items: vec![empty],
            }],
        };
        assert!(
            gallery_image(&broken)
                .unwrap_err()
                .to_string()
                .contains("test[17]")
        );
    }
}
