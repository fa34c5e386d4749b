//! Pictures of every kind: read as documented, or refused.

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgba, RgbaImage};
use xbench_data::{DataError, DataSet, Masks};

use crate::support::{IMAGES, Place, encoded, grey, halves, png};

const ALL_TEST: &str = "[divisions.all]\ntest = 1.0\n";

/// A set of the one picture `a/x.<extension>`, all of it tested on.
fn one(extension: &str, bytes: &[u8]) -> Place {
    let place = Place::new(&format!("{IMAGES}{ALL_TEST}"));
    place.write(&format!("a/x.{extension}"), bytes);
    place
}

/// The values of the first and last column, by channel.
fn sides(set: &DataSet) -> [[u8; 2]; 3] {
    let pixels = set.test.pixels(0).unwrap();
    [0, 1, 2].map(|c| [pixels[c * 64], pixels[c * 64 + 7]])
}

#[test]
fn sixteen_bits_are_scaled_and_noted() {
    let wide = ImageBuffer::from_fn(8, 8, |x, _| Luma([if x < 4 { 257 * 20 } else { u16::MAX }]));
    let set = one("png", &png(DynamicImage::ImageLuma16(wide))).load();
    assert_eq!(sides(&set), [[20, 255]; 3]);
    assert_eq!(
        set.notes,
        ["1 images had 16 bits a channel and were scaled to 8"]
    );
}

#[test]
fn palettes_and_transparency() {
    let palette = include_bytes!("../fixtures/palette.png");
    let set = one("png", palette).load();
    assert_eq!(sides(&set), [[200, 10], [100, 20], [50, 30]]);
    assert!(set.notes.is_empty());

    let transparent = include_bytes!("../fixtures/palette-transparent.png");
    let set = one("png", transparent).load();
    assert_eq!(sides(&set), [[255, 10], [255, 20], [255, 30]]);
    assert_eq!(
        set.notes,
        ["1 images had transparency and were laid on white"]
    );

    // Half transparent black on white is grey.
    let half = RgbaImage::from_pixel(8, 8, Rgba([0, 0, 0, 128]));
    assert_eq!(sides(&one("png", &png(half)).load()), [[127; 2]; 3]);
}

#[test]
fn cmyk_is_converted() {
    let set = one("jpg", include_bytes!("../fixtures/cmyk.jpg")).load();
    let [red, green, blue] = sides(&set);
    // Cyan, then magenta.
    assert!(red[0] < 20 && green[0] > 235 && blue[0] > 235, "{red:?}");
    assert!(red[1] > 235 && green[1] < 20 && blue[1] > 235, "{green:?}");
}

#[test]
fn grey_from_colour_is_luma_and_colour_from_grey_is_equal_channels() {
    let red = halves(8, 8, [200, 0, 0], [0, 0, 200]);
    let place = one("png", &png(red));
    let set = place.load_with("{colour: grey}").unwrap();
    assert_eq!(set.shape, [1, 8, 8]);
    assert!(set.id.ends_with("mine_colour-grey"), "{}", set.id);
    let pixels = set.test.pixels(0).unwrap();
    // 0.2126·200 = 42.5 and 0.0722·200 = 14.4.
    assert_eq!((pixels[0], pixels[7]), (43, 14));
    let set = one("png", &png(grey(8, 8, 77))).load();
    assert_eq!(sides(&set), [[77; 2]; 3]);
}

/// A JPEG whose EXIF orientation is the given one.
fn oriented(orientation: u8) -> Vec<u8> {
    let jpeg = encoded(halves(32, 16, [250; 3], [5; 3]), ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01".to_vec();
    exif.extend([
        0x01,
        0x12,
        0,
        3,
        0,
        0,
        0,
        1,
        0,
        orientation,
        0,
        0,
        0,
        0,
        0,
        0,
    ]);
    let mut out = jpeg[..2].to_vec();
    out.extend([0xff, 0xe1]);
    out.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    out.extend(exif);
    out.extend(&jpeg[2..]);
    out
}

#[test]
fn exif_orientation_is_applied_and_noted() {
    let set = one("jpg", &oriented(3)).load();
    let [[left, right], ..] = sides(&set);
    assert!(left < 20 && right > 235, "turned by 180 degrees");
    assert_eq!(set.notes, ["1 images were turned upright as EXIF says"]);
    // By 90 degrees: left becomes top.
    let set = one("jpg", &oriented(6)).load();
    let pixels = set.test.pixels(0).unwrap();
    assert!(pixels[0] > 235 && pixels[7] > 235 && pixels[63] < 20);
}

#[test]
fn one_pixel_is_enlarged_and_noted() {
    let set = one("png", &png(grey(1, 1, 9))).load();
    assert_eq!(set.test.pixels(0).unwrap(), [9; 192]);
    assert_eq!(
        set.notes,
        ["1 images were smaller than the set's size and were enlarged"]
    );
}

#[test]
fn a_header_of_20000_by_20000_is_refused_before_anything_is_allocated() {
    let mut bytes = png(grey(20, 20, 90));
    // IHDR: width at bytes 16..20, height at 20..24, its CRC at 29..33.
    bytes[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    one("png", &bytes).refused(&["a/x.png", "20000x20000", "50000000"]);
}

#[test]
fn what_breaks_off_is_refused_wherever_it_does() {
    let noisy = image::RgbImage::from_fn(64, 64, |x, y| {
        image::Rgb([
            ((x * 37) ^ (y * 11)) as u8,
            (x * y) as u8,
            (x + 3 * y) as u8,
        ])
    });
    for (format, extension) in [(ImageFormat::Png, "png"), (ImageFormat::Jpeg, "jpg")] {
        let whole = encoded(noisy.clone(), format);
        for part in 1..10 {
            let broken = &whole[..whole.len() * part / 10];
            let text = one(extension, broken).refused_with("");
            let needle = format!("a/x.{extension}");
            assert!(text.contains(&needle), "{format:?} {part}: {text}");
        }
    }
    one("png", b"").refused(&["a/x.png", "neither JPEG nor PNG"]);
    one("png", b"GIF89a....").refused(&["neither JPEG nor PNG"]);
}

#[test]
fn the_content_not_the_name_tells_the_format() {
    let jpeg = encoded(halves(8, 8, [250; 3], [5; 3]), ImageFormat::Jpeg);
    let set = one("png", &jpeg).load();
    assert!(sides(&set)[0][0] > 230);
}

fn masked(mask: &[u8]) -> Place {
    let place = Place::new(&format!(
        "{IMAGES}[images.masks]\nsuffix = \"_mask\"\n{ALL_TEST}"
    ));
    place.write("a/x.png", png(grey(16, 8, 50)));
    place.write("a/x_mask.png", mask);
    place
}

#[test]
fn a_mask_of_another_size_is_an_error_naming_both_unless_it_has_the_aspect() {
    let text = masked(&png(grey(16, 16, 255))).refused_with("");
    for needle in ["x_mask.png", "16x16", "x.png", "16x8", "aspect"] {
        assert!(text.contains(needle), "{text}");
    }
    let text = masked(&png(grey(8, 16, 255))).refused_with("");
    assert!(text.contains("EXIF"), "{text}");
    let set = masked(&png(halves(32, 16, [0; 3], [255; 3]))).load();
    let mask = set.test.mask(0).unwrap();
    assert_eq!(
        mask[..8],
        [false, false, false, false, true, true, true, true]
    );
    assert_eq!(
        set.notes,
        ["1 masks had another size than their image, of the same aspect"]
    );
}

#[test]
fn several_masks_of_one_image_are_united() {
    let place = masked(&png(halves(16, 8, [255; 3], [0; 3])));
    place.write("a/x_mask_1.png", png(halves(16, 8, [0; 3], [255; 3])));
    let set = place.load();
    assert_eq!(set.test.masks, Masks::Exact(vec![1; 64]));
    assert_eq!(set.test.len(), 1);
}

#[test]
fn values_of_a_mask_mean_what_the_description_says() {
    let with = |masks: &str, left: u8, right: u8| {
        let description = format!("{IMAGES}[images.masks]\nsuffix = \"-m\"\n{masks}{ALL_TEST}");
        let place = Place::new(&description);
        place.write("a/x.png", png(grey(8, 8, 50)));
        place.write("a/x-m.png", png(halves(8, 8, [left; 3], [right; 3])));
        place
    };
    let first = |place: Place| {
        let set = place.load();
        let mask = set.test.mask(0).unwrap();
        ([mask[0], mask[7]], set.notes)
    };
    assert_eq!(first(with("", 127, 128)), ([false, true], vec![]));
    let listed = "object = [255]\nunlabelled = [128]\n";
    let (mask, notes) = first(with(listed, 255, 128));
    assert_eq!(mask, [true, false]);
    assert_eq!(
        notes,
        ["1 masks have unlabelled pixels, which count as not object"]
    );
    let text = with(listed, 255, 7).refused_with("");
    assert!(
        text.contains("x-m.png") && text.contains("the value 7"),
        "{text}"
    );
}

#[test]
fn a_mask_that_is_transparent_is_not_object() {
    let mask = RgbaImage::from_fn(16, 8, |x, _| {
        Rgba([255, 255, 255, if x < 8 { 0 } else { 255 }])
    });
    let set = masked(&png(mask)).load();
    let mask = set.test.mask(0).unwrap();
    assert_eq!((mask[0], mask[7]), (false, true));
}

#[test]
fn a_mask_of_zeros_and_ones_is_not_taken_for_an_empty_one() {
    let ones = png(halves(16, 8, [0; 3], [1; 3]));
    masked(&ones).refused(&["x_mask.png", "the value 1", "object = [1]", "0 and 255"]);
    let empty = masked(&png(grey(16, 8, 0))).load();
    assert_eq!(empty.test.mask(0).unwrap(), [false; 64]);
    // What a lossy format leaves of black.
    let noise = masked(&png(halves(16, 8, [1; 3], [2; 3]))).load();
    assert_eq!(noise.test.mask(0).unwrap(), [false; 64]);
}

#[test]
fn a_header_of_more_than_any_memory_is_refused_in_plain_words() {
    let mut bytes = png(grey(20, 20, 90));
    bytes[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    one("png", &bytes).refused(&["a/x.png", "more pixels than are ever read", "smaller"]);
}

#[test]
fn a_damaged_mask_is_named() {
    let error = masked(b"nonsense").load_with("").unwrap_err();
    assert!(matches!(&error, DataError::Photo { .. }), "{error}");
    assert!(error.to_string().contains("x_mask.png"), "{error}");
}
