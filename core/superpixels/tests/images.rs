//! SLIC and quickshift on images whose segments are plain to see, and on any image.

use proptest::prelude::*;
use xbench_superpixels::{
    Error, QuickshiftParams, Segments, Shape, SlicParams, grid, quickshift, slic,
};

const fn shape(channels: usize, height: usize, width: usize) -> Shape {
    Shape {
        channels,
        height,
        width,
    }
}

/// Is every segment one piece of 4-neighbours, and are labels 0..count in order of appearance?
fn is_sound(segments: &Segments, shape: Shape) -> bool {
    let labels = segments.labels();
    if labels.len() != shape.pixels() {
        return false;
    }
    let mut next = 0;
    for &label in labels {
        if label > next {
            return false;
        }
        next = next.max(label + 1);
    }
    let members = segments.members();
    next as usize == segments.count()
        && (0..segments.count()).all(|segment| {
            let pixels = members.of(segment);
            let mut reached = vec![pixels[0]];
            let mut at = 0;
            while at < reached.len() {
                let (y, x) = (reached[at] / shape.width, reached[at] % shape.width);
                for &other in pixels {
                    let (oy, ox) = (other / shape.width, other % shape.width);
                    if y.abs_diff(oy) + x.abs_diff(ox) == 1 && !reached.contains(&other) {
                        reached.push(other);
                    }
                }
                at += 1;
            }
            reached.len() == pixels.len()
        })
}

#[test]
fn slic_finds_four_quarters_of_colour() {
    // Quarters cut off centre, in four colours: segments must follow them, not the grid.
    let shape = shape(3, 16, 16);
    let colours = [
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [1.0, 1.0, 0.0],
    ];
    let quarter = |pixel: usize| 2 * usize::from(pixel / 16 >= 7) + usize::from(pixel % 16 >= 9);
    let image: Vec<f32> = (0..3)
        .flat_map(|channel| (0..256).map(move |pixel| colours[quarter(pixel)][channel]))
        .collect();
    let params = SlicParams {
        segments: 4,
        ..SlicParams::default()
    };
    let segments = slic(&image, shape, &params).expect("segments");
    assert_eq!(segments.count(), 4);
    for pixel in 0..256 {
        assert_eq!(segments.labels()[pixel] as usize, quarter(pixel), "{pixel}");
    }
}

#[test]
fn slic_on_one_colour_is_the_grid_of_centres() {
    let params = SlicParams {
        segments: 16,
        ..SlicParams::default()
    };
    let segments = slic(&[0.5; 64], shape(1, 8, 8), &params).expect("segments");
    assert_eq!(segments, grid(8, 8, 2).expect("a grid"));
}

#[test]
fn slic_may_have_a_segment_per_pixel_or_one_for_all() {
    let image: Vec<f32> = (0..12).map(|i| i as f32).collect();
    for (wanted, found) in [(1, 1), (12, 12), (1000, 12)] {
        let params = SlicParams {
            segments: wanted,
            ..SlicParams::default()
        };
        let segments = slic(&image, shape(1, 3, 4), &params).expect("segments");
        assert_eq!(segments.count(), found);
    }
}

#[test]
fn quickshift_separates_two_halves() {
    // Grey halves far apart in colour and a small kernel: no tree crosses the edge.
    let shape = shape(1, 12, 12);
    let image: Vec<f32> = (0..144)
        .map(|i| if i % 12 < 5 { 0.0 } else { 1.0 })
        .collect();
    let params = QuickshiftParams {
        kernel_size: 2.0,
        max_distance: 10.0,
        colour_ratio: 1.0,
    };
    let segments = quickshift(&image, shape, &params).expect("segments");
    assert!(is_sound(&segments, shape));
    for segment in 0..segments.count() {
        let sides: Vec<bool> = segments
            .members()
            .of(segment)
            .iter()
            .map(|pixel| pixel % 12 < 5)
            .collect();
        assert!(sides.iter().all(|&side| side == sides[0]), "{segment}");
    }
}

#[test]
fn quickshift_joins_all_where_nothing_is_too_far() {
    // One colour: density is highest in the middle and every way leads there.
    let params = QuickshiftParams {
        kernel_size: 4.0,
        ..QuickshiftParams::default()
    };
    let segments = quickshift(&[0.3; 49], shape(1, 7, 7), &params).expect("segments");
    assert_eq!(segments.count(), 1);
    // With no reach each pixel stays alone.
    let params = QuickshiftParams {
        max_distance: 0.5,
        ..params
    };
    let segments = quickshift(&[0.3; 49], shape(1, 7, 7), &params).expect("segments");
    assert_eq!(segments.count(), 49);
}

#[test]
fn quickshift_fits_its_kernel_to_small_images() {
    // Black and white squares, 7 pixels a side.
    let image: Vec<f32> = (0..28 * 28)
        .map(|i| ((i / 28 / 7 + i % 28 / 7) % 2) as f32)
        .collect();
    let count = |kernel_size| {
        let params = QuickshiftParams {
            kernel_size,
            ..QuickshiftParams::default()
        };
        quickshift(&image, shape(1, 28, 28), &params)
            .expect("segments")
            .count()
    };
    assert_eq!(QuickshiftParams::default().kernel_size, 0.0);
    assert_eq!((count(0.0), count(1.0)), (16, 16));
    assert_eq!(count(4.0), 1, "the lime package's kernel takes in all");
    // A side of one pixel has a kernel, too.
    let thin = quickshift(
        &[0.0, 1.0, 0.0],
        shape(1, 1, 3),
        &QuickshiftParams::default(),
    );
    assert!(thin.is_ok());
}

#[test]
fn what_has_no_meaning_is_refused() {
    let (slics, shifts) = (SlicParams::default(), QuickshiftParams::default());
    for (image, shape) in [
        (vec![], shape(1, 0, 0)),
        (vec![0.0; 3], shape(1, 2, 2)),
        (vec![0.0, f32::NAN, 0.0, 0.0], shape(1, 2, 2)),
        (vec![0.0, f32::INFINITY, 0.0, 0.0], shape(1, 2, 2)),
    ] {
        assert!(slic(&image, shape, &slics).is_err());
        assert!(quickshift(&image, shape, &shifts).is_err());
    }
    let image = [0.0; 4];
    for params in [
        SlicParams {
            segments: 0,
            ..slics
        },
        SlicParams {
            compactness: 0.0,
            ..slics
        },
        SlicParams {
            compactness: f64::NAN,
            ..slics
        },
        SlicParams { rounds: 0, ..slics },
    ] {
        let error = slic(&image, shape(1, 2, 2), &params).expect_err("refused");
        assert!(matches!(error, Error::Parameter { .. }), "{error}");
    }
    for params in [
        QuickshiftParams {
            kernel_size: 0.05,
            ..shifts
        },
        QuickshiftParams {
            kernel_size: f64::NAN,
            ..shifts
        },
        QuickshiftParams {
            max_distance: -1.0,
            ..shifts
        },
        QuickshiftParams {
            colour_ratio: 2.0,
            ..shifts
        },
    ] {
        assert!(quickshift(&image, shape(1, 2, 2), &params).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn segments_of_any_image_are_whole(
        channels in 1_usize..5,
        height in 1_usize..14,
        width in 1_usize..14,
        seed in 0_u64..1000,
        wanted in 1_usize..60,
        compactness in 0.01_f64..100.0,
        kernel_size in 0.5_f64..5.0,
        max_distance in 1.0_f64..50.0,
    ) {
        let shape = shape(channels, height, width);
        // Few values, so that there are ties.
        let image: Vec<f32> = (0..channels * height * width)
            .map(|i| ((i as u64 * 2_654_435_761 + seed * 97) >> 7) as f32 % 5.0)
            .collect();
        let slics = SlicParams { segments: wanted, compactness, rounds: 10 };
        let found = slic(&image, shape, &slics).expect("segments");
        prop_assert!(is_sound(&found, shape));
        prop_assert_eq!(&found, &slic(&image, shape, &slics).expect("segments"));
        let shifts = QuickshiftParams { kernel_size, max_distance, colour_ratio: 0.5 };
        let found = quickshift(&image, shape, &shifts).expect("segments");
        prop_assert!(is_sound(&found, shape));
    }
}
