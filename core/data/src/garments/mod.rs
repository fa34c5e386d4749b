//! `garments`: a set drawn by the program.
//!
//! Ten classes with Fashion-MNIST's names at 28×28, drawn as polygons with varied
//! proportions, place, tilt, fabric, light and details. What a photograph cannot give is
//! known exactly here: which pixels are garment (at least half of a pixel's 16 samples),
//! and, in `garments-shortcut`, which pixels give the class away.
//!
//! The same garments appear in all variants, image by image; only what is behind or
//! beside them differs:
//!
//! - `garments`: a textured ground that may be darker or lighter than the garment, so
//!   that neither the input's magnitude nor whatever multiplies by the input lands in
//!   the mask by itself;
//! - `garments-plain`: black ground, as in Fashion-MNIST;
//! - `garments-cluttered`: the textured ground with distracting shapes on it, whose visible
//!   pixels are [`crate::Split::distractors`];
//! - `garments-shortcut`: the textured ground and, in the upper left corner, a watermark
//!   of 4×4 pixels that encodes the class, in both splits; its place is
//!   [`crate::Split::cause`].
//!
//! The confusable pairs (shirt and pullover, T-shirt and short-sleeved shirt) differ in
//! collars, buttons and hems a pixel or two wide: a network of two small convolutions
//! trained for five epochs gets 98% of the test split of `garments` right.
//!
//! Every image is a function of (version, split, index) and of nothing else, computed by
//! operations whose results IEEE 754 fixes. The digest of each split is pinned and
//! checked when it is drawn.

mod bag;
mod bottoms;
mod ground;
mod paint;
mod raster;
mod shoes;
mod tops;

use std::path::PathBuf;

use paint::{Canvas, Fabric, Noise, Pattern};

use raster::{PIXELS, Placement, Point};

use crate::digest;
use crate::error::{DataError, Result};
use crate::fashion_mnist::CLASSES;
use crate::locate::Splits;
use crate::random::Random;
use crate::set::{DataSet, Masks, Origin, Split, Values};

pub(crate) const VERSION: u32 = 1;
/// Images in the training split.
pub(crate) const TRAIN: usize = 10_000;
/// Images in the test split.
pub(crate) const TEST: usize = 1_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Textured,
    Plain,
    Cluttered,
    Shortcut,
}

struct Pinned {
    id: &'static str,
    variant: Variant,
    train: &'static str,
    test: &'static str,
}

const PINNED: [Pinned; 4] = [
    Pinned {
        id: "garments",
        variant: Variant::Textured,
        train: "367b8050ba72e0746e18c191cbdafa0ad29c6d63d8918f8b0d2f16b9ef3ec198",
        test: "d8ebdf6e0d5dbfcc8071b435a20766df9abba3e921ebad422a834642a7698f9b",
    },
    Pinned {
        id: "garments-plain",
        variant: Variant::Plain,
        train: "f51a3f25b46c295ba412953d6c171fb71c6df495cbb7f4181c2b10e76e979d52",
        test: "a10aeb5131de7b36bf546a246f14f0cda7fd590ac172e6133e5e1b5e980dbd9f",
    },
    Pinned {
        id: "garments-cluttered",
        variant: Variant::Cluttered,
        train: "b74beacc2b0a2f5a3d6491e2ee888dd170b729baeecf8a0ed91c85c8f509efb5",
        test: "d55ca783fb92e93d072b111be08fde5abdab4d5c64ad422d8e970102557f0f48",
    },
    Pinned {
        id: "garments-shortcut",
        variant: Variant::Shortcut,
        train: "9e84b7fd5f5f8a801716a047f9a15542eb557bce78f2564d638083ca28ff0f2d",
        test: "9ed06682bab38cab1347f28db3a4ba2f616e3520b32a2f58b4341740f44226c6",
    },
];

fn pinned(id: &str) -> Result<&'static Pinned> {
    PINNED
        .iter()
        .find(|p| p.id == id)
        .ok_or_else(|| DataError::UnknownSet {
            id: id.to_owned(),
            known: PINNED.map(|p| p.id).join(", "),
        })
}

pub(crate) fn content_hash(id: &str) -> Result<[u8; 32]> {
    let pinned = pinned(id)?;
    Ok(digest::content_hash(
        id,
        VERSION,
        &[pinned.train, pinned.test],
    ))
}

pub(crate) fn load(id: &str, splits: Splits) -> Result<DataSet> {
    let pinned = pinned(id)?;
    let empty = || draw_split(pinned.variant, 0, 0);
    let (train, test) = match splits {
        Splits::All => (
            verified(pinned, 0, TRAIN, pinned.train)?,
            verified(pinned, 1, TEST, pinned.test)?,
        ),
        Splits::TestOnly => (empty(), verified(pinned, 1, TEST, pinned.test)?),
        Splits::PhotosOnly => return Err(DataError::no_photos(id)),
    };
    Ok(DataSet {
        id: id.to_owned(),
        version: VERSION,
        classes: CLASSES.map(str::to_owned).to_vec(),
        features: Vec::new(),
        shape: vec![1, 28, 28],
        train,
        validation: empty(),
        test,
        photos: empty(),
        content_hash: content_hash(id)?,
        origin: Origin::Generated,
        notes: Vec::new(),
    })
}

fn verified(pinned: &Pinned, split: u64, count: usize, expected: &str) -> Result<Split> {
    let drawn = draw_split(pinned.variant, split, count);
    let found = split_digest(&drawn);
    if found == expected {
        return Ok(drawn);
    }
    Err(DataError::ChecksumMismatch {
        path: PathBuf::from(format!(
            "{}/{}",
            pinned.id,
            ["train", "test"][split as usize]
        )),
        expected: expected.to_owned(),
        found,
        remedy: "this machine draws other pictures than the one the set was made on; \
                 report it with the processor's and compiler's name"
            .to_owned(),
    })
}

fn split_digest(split: &Split) -> String {
    let masks: &[u8] = match &split.masks {
        Masks::Exact(masks) => masks,
        Masks::None | Masks::Partial { .. } | Masks::Rule => &[],
    };
    let pixels: &[u8] = match &split.values {
        Values::Pixels(pixels) => pixels,
        Values::Features(_) => &[],
    };
    // The pinned digests take one byte a label; there are ten classes.
    let labels: Vec<u8> = split.labels.iter().map(|&label| label as u8).collect();
    let cause = split.cause.as_deref().unwrap_or_default();
    digest::hex(&digest::sha256_of(&[pixels, &labels, masks, cause]))
}

/// One image's pixels, object mask, cause and distractors.
struct Drawn {
    label: u8,
    pixels: [u8; PIXELS],
    mask: [u8; PIXELS],
    cause: [u8; PIXELS],
    distractors: [u8; PIXELS],
}

fn draw_split(variant: Variant, split: u64, count: usize) -> Split {
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(count.max(1));
    let share = count.div_ceil(threads);
    // Each thread draws a run of images; an image depends on its index alone.
    let runs: Vec<Vec<Drawn>> = std::thread::scope(|scope| {
        let draw_run = |start: usize| {
            let end = (start + share).min(count);
            (start.min(end)..end)
                .map(|i| draw(variant, split, i as u64))
                .collect::<Vec<_>>()
        };
        let handles: Vec<_> = (0..threads)
            .map(|t| scope.spawn(move || draw_run(t * share)))
            .collect();
        handles
            .into_iter()
            .map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let mut drawn = Split {
        shape: vec![1, 28, 28],
        labels: Vec::with_capacity(count),
        ..Split::default()
    };
    let mut pixels = Vec::with_capacity(count * PIXELS);
    let mut masks = Vec::with_capacity(count * PIXELS);
    let (mut causes, mut distractors) = (Vec::new(), Vec::new());
    for image in runs.iter().flatten() {
        pixels.extend_from_slice(&image.pixels);
        drawn.labels.push(u16::from(image.label));
        masks.extend_from_slice(&image.mask);
        if variant == Variant::Shortcut {
            causes.extend_from_slice(&image.cause);
        }
        if variant == Variant::Cluttered {
            distractors.extend_from_slice(&image.distractors);
        }
    }
    drawn.values = Values::Pixels(pixels);
    drawn.masks = Masks::Exact(masks);
    drawn.cause = (variant == Variant::Shortcut).then_some(causes);
    drawn.distractors = (variant == Variant::Cluttered).then_some(distractors);
    drawn
}

/// The class of image `index`: every run of ten holds each class once, shuffled.
fn class_of(split: u64, index: u64) -> usize {
    let mut order: [usize; 10] = std::array::from_fn(|class| class);
    let mut random = Random::new(&[u64::from(VERSION), split, index / 10, 1]);
    for last in (1..10).rev() {
        order.swap(last, random.below(last + 1));
    }
    order[(index % 10) as usize]
}

fn draw(variant: Variant, split: u64, index: u64) -> Drawn {
    let class = class_of(split, index);
    let object = Random::new(&[u64::from(VERSION), split, index, 2]);
    let (canvas, tone) = Sketch::garment(class, object);
    // One ground for all variants: clutter and watermark come on top of it.
    let mut random = Random::new(&[u64::from(VERSION), split, index, 3]);
    let mut clutter = [false; PIXELS];
    let behind = match variant {
        Variant::Plain => [0.0; PIXELS],
        Variant::Textured | Variant::Cluttered | Variant::Shortcut => {
            let ground_tone = ground::ground_tone(&mut random, tone);
            let mut behind = ground::textured(&mut random, ground_tone);
            if variant == Variant::Cluttered {
                clutter = ground::clutter(&mut random, &mut behind);
            }
            behind
        }
    };
    let mut drawn = Drawn {
        label: class as u8,
        pixels: [0; PIXELS],
        mask: [0; PIXELS],
        cause: [0; PIXELS],
        distractors: [0; PIXELS],
    };
    for (pixel, behind) in behind.iter().enumerate() {
        let (tone, cover) = canvas.pixel(pixel);
        let value = tone * cover + behind * (1.0 - cover);
        drawn.pixels[pixel] = (value * 255.0 + 0.5) as u8;
        drawn.mask[pixel] = u8::from(cover >= 0.5);
        drawn.distractors[pixel] = u8::from(clutter[pixel] && cover < 0.5);
    }
    if variant == Variant::Shortcut {
        for (pixel, value) in ground::watermark(class) {
            drawn.pixels[pixel] = value;
            drawn.mask[pixel] = 0;
            drawn.cause[pixel] = 1;
        }
    }
    drawn
}

/// A garment in the making: its random draws and its canvas.
struct Sketch {
    random: Random,
    canvas: Canvas,
    tone: f64,
}

impl Sketch {
    /// Draws a garment of the class; also gives its mean tone.
    fn garment(class: usize, mut random: Random) -> (Canvas, f64) {
        // Half extents in pixels.
        let (width, height) = match class {
            1 => (11.5, 12.6),
            3 => (11.5, 12.6),
            5 | 7 | 9 => (12.4, 12.2),
            8 => (11.8, 11.8),
            _ => (12.2, 12.0),
        };
        let scale = random.range(0.80, 0.98);
        let (width, height) = (
            width * scale * random.range(0.94, 1.04),
            height * scale * random.range(0.94, 1.03),
        );
        // Rotation by the rational circle, and a little shear.
        let t = 0.10 * random.bell();
        let (c, s) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        let shear = 0.09 * random.bell();
        let placement = Placement {
            x: (c * width, s * width),
            y: ((shear * c - s) * height, (shear * s + c) * height),
            centre: (14.0 + 2.2 * random.bell(), 14.0 + 2.0 * random.bell()),
        };
        let tone = random.range(0.26, 0.92);
        let mut sketch = Self {
            random,
            canvas: Canvas::new(placement),
            tone,
        };
        match class {
            0 => tops::t_shirt(&mut sketch),
            1 => bottoms::trouser(&mut sketch),
            2 => tops::pullover(&mut sketch),
            3 => bottoms::dress(&mut sketch),
            4 => tops::coat(&mut sketch),
            5 => shoes::sandal(&mut sketch),
            6 => tops::shirt(&mut sketch),
            7 => shoes::sneaker(&mut sketch),
            8 => bag::bag(&mut sketch),
            _ => shoes::ankle_boot(&mut sketch),
        }
        (sketch.canvas, tone)
    }

    fn fabric(&mut self, pattern: Pattern) -> Fabric {
        let random = &mut self.random;
        Fabric {
            tone: self.tone,
            pattern,
            contrast: random.range(0.07, 0.17),
            light: (0.10 * random.bell(), 0.10 * random.bell()),
            folds: random.range(0.02, 0.08),
            grain: random.range(0.0, 0.03),
            noise: Noise::new(random.bits()),
            key: random.bits(),
        }
    }

    fn across(&mut self, low: f64, high: f64) -> Pattern {
        Pattern::Across {
            period: self.random.range(low, high),
            phase: self.random.unit(),
        }
    }

    fn along(&mut self, low: f64, high: f64) -> Pattern {
        Pattern::Along {
            period: self.random.range(low, high),
            phase: self.random.unit(),
        }
    }

    fn checks(&mut self) -> Pattern {
        Pattern::Checks {
            period: self.random.range(0.26, 0.46),
            phase: self.random.unit(),
        }
    }

    fn dots(&mut self) -> Pattern {
        Pattern::Dots {
            period: self.random.range(0.28, 0.42),
            phase: self.random.unit(),
        }
    }

    /// A difference in tone of 0.7 times a size between the two, away from the nearer extreme.
    fn shift(&mut self, low: f64, high: f64) -> f64 {
        let size = 0.7 * self.random.range(low, high);
        if self.tone > 0.5 { -size } else { size }
    }

    /// Fills a part that belongs to the object.
    fn lay(&mut self, points: &[Point], fabric: &Fabric) {
        let part = raster::fill(points, &self.canvas.placement);
        self.canvas.lay(&part, fabric);
    }

    /// Draws a line that belongs to the object: straps, handles.
    fn stroke(&mut self, points: &[Point], width: f64, fabric: &Fabric) {
        let part = raster::stroke(points, width, &self.canvas.placement);
        self.canvas.lay(&part, fabric);
    }

    /// Fills a part of the surface, within the object only.
    fn detail(&mut self, points: &[Point], fabric: &Fabric) {
        let part = raster::fill(points, &self.canvas.placement);
        self.canvas.trim(&part, fabric);
    }

    /// Draws a line on the surface, within the object only.
    fn line(&mut self, points: &[Point], width: f64, fabric: &Fabric) {
        let part = raster::stroke(points, width, &self.canvas.placement);
        self.canvas.trim(&part, fabric);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask;

    #[test]
    fn every_split_has_its_pinned_digest() {
        let mut wrong = Vec::new();
        for pinned in &PINNED {
            for (split, count, expected) in [(0, TRAIN, pinned.train), (1, TEST, pinned.test)] {
                let found = split_digest(&draw_split(pinned.variant, split, count));
                if found != expected {
                    wrong.push(format!("{} split {split}: {found}", pinned.id));
                }
            }
        }
        assert!(wrong.is_empty(), "digests differ:\n{}", wrong.join("\n"));
    }

    #[test]
    fn an_image_does_not_depend_on_how_many_are_drawn() {
        let few = draw_split(Variant::Cluttered, 1, 7);
        let many = draw_split(Variant::Cluttered, 1, 40);
        (0..7).for_each(|i| assert_eq!(few.pixels(i), many.pixels(i)));
        assert_eq!(few.labels, many.labels[..7]);
    }

    #[test]
    fn classes_are_balanced_in_every_run_of_ten() {
        let split = draw_split(Variant::Plain, 0, 60);
        for run in split.labels.chunks(10) {
            let mut run = run.to_vec();
            run.sort_unstable();
            assert_eq!(run, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        }
    }

    #[test]
    fn variants_show_the_same_garments_and_differ_only_around_them() {
        let textured = draw_split(Variant::Textured, 1, 50);
        let plain = draw_split(Variant::Plain, 1, 50);
        let cluttered = draw_split(Variant::Cluttered, 1, 50);
        assert_eq!(textured.masks, plain.masks);
        assert_eq!(textured.masks, cluttered.masks);
        assert_ne!(textured.values, cluttered.values);
        for i in 0..50 {
            let Some(mask) = plain.mask(i) else {
                panic!("no mask")
            };
            let (Some(a), Some(b)) = (textured.pixels(i), plain.pixels(i)) else {
                panic!("no pixels")
            };
            let inside = mask::erode(&mask, 28, 28);
            let same = |p: usize| a[p] == b[p];
            // A pixel whose neighbours are all garment is nearly always wholly covered.
            let differing = (0..PIXELS).filter(|&p| inside[p] && !same(p)).count();
            assert!(
                differing <= 40,
                "image {i}: {differing} inner pixels differ"
            );
            assert!(
                (0..PIXELS).all(|p| !mask[p] || b[p] > 0),
                "image {i}: black garment pixel"
            );
        }
    }

    #[test]
    fn masks_are_of_plausible_size() {
        let split = draw_split(Variant::Textured, 1, 300);
        for i in 0..300 {
            let size = split
                .mask(i)
                .map_or(0, |m| m.iter().filter(|&&b| b).count());
            assert!(
                (60..700).contains(&size),
                "image {i}, class {}: {size}",
                split.label(i)
            );
        }
    }

    #[test]
    fn the_ground_is_darker_or_lighter_about_equally_often() {
        let split = draw_split(Variant::Textured, 1, 400);
        let mut lighter = 0;
        for i in 0..400 {
            let (Some(mask), Some(pixels)) = (split.mask(i), split.pixels(i)) else {
                panic!("no mask")
            };
            let mean = |inside: bool| {
                let of = || (0..PIXELS).filter(|&p| mask[p] == inside);
                of().map(|p| f64::from(pixels[p])).sum::<f64>() / of().count() as f64
            };
            lighter += u32::from(mean(true) > mean(false));
        }
        assert!(
            (120..=320).contains(&lighter),
            "garment lighter in {lighter} of 400"
        );
    }

    #[test]
    fn the_watermark_tells_the_class_and_its_place_is_the_cause() {
        let split = draw_split(Variant::Shortcut, 0, 40);
        let mut seen = std::collections::BTreeMap::new();
        for i in 0..40 {
            let (Some(cause), Some(mask), Some(pixels)) =
                (split.cause(i), split.mask(i), split.pixels(i))
            else {
                panic!("no masks")
            };
            assert_eq!(cause.iter().filter(|&&b| b).count(), 16);
            assert!((0..PIXELS).all(|p| !(cause[p] && mask[p])));
            let mark: Vec<u8> = (0..PIXELS)
                .filter(|&p| cause[p])
                .map(|p| pixels[p])
                .collect();
            assert!(mark.iter().all(|&v| v == 0 || v == 255));
            assert_eq!(*seen.entry(mark).or_insert(split.label(i)), split.label(i));
        }
        assert_eq!(seen.len(), 10);
    }

    #[test]
    fn distractors_lie_beside_the_garment_where_the_ground_changed() {
        let textured = draw_split(Variant::Textured, 1, 60);
        let cluttered = draw_split(Variant::Cluttered, 1, 60);
        assert!(textured.distractors.is_none() && cluttered.cause.is_none());
        let mut most = 0;
        for i in 0..60 {
            let (Some(distractors), Some(mask)) = (cluttered.distractors(i), cluttered.mask(i))
            else {
                panic!("no masks")
            };
            let (Some(before), Some(after)) = (textured.pixels(i), cluttered.pixels(i)) else {
                panic!("no pixels")
            };
            assert!((0..PIXELS).all(|p| !(distractors[p] && mask[p])));
            let changed = (0..PIXELS).filter(|&p| before[p] != after[p]);
            // Half-covered edges change too; what is marked hardly ever keeps its tone.
            let marked = distractors.iter().filter(|&&d| d).count();
            let kept = (0..PIXELS).filter(|&p| distractors[p] && before[p] == after[p]);
            assert!(changed.count() >= marked - kept.count());
            most = most.max(marked);
        }
        assert!((40..500).contains(&most), "{most}");
    }

    #[test]
    fn the_content_hash_is_the_same_with_one_split() -> Result<()> {
        let one = load("garments-plain", Splits::TestOnly)?;
        let both = load("garments-plain", Splits::All)?;
        assert_eq!(one.content_hash, both.content_hash);
        assert_eq!(one.test.values, both.test.values);
        assert!(one.train.is_empty() && both.train.len() == TRAIN);
        Ok(())
    }
}
