//! Random changes of training images, the same geometry for image and mask.

use xbench_plugin::rng::CounterRng;

use super::Recipe;

/// What is done to one image in one epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// From a place in the result, in pixels from the middle, to one in the image:
    /// `[[xx, xy, x], [yx, yy, y]]`, the summands in shares of the side.
    map: [[f64; 3]; 2],
    /// Factors of brightness, contrast and saturation.
    colour: [f32; 3],
}

impl Change {
    /// Nothing is changed.
    pub const NONE: Change = Change {
        map: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        colour: [1.0; 3],
    };

    /// Decided by the epoch's generator and the image's number, not by its place in a batch: a cut of
    /// random area and aspect ratio, perhaps mirrored, out of the image turned about its middle.
    pub fn draw(recipe: &Recipe, epoch: CounterRng, image: u64) -> Self {
        let rng = epoch.stream(image);
        let either = |i, limit: f64| (2.0 * rng.uniform(i) - 1.0) * limit;
        let (sin, cos) = either(0, recipe.rotation.to_radians()).sin_cos();
        let area = recipe.crop + (1.0 - recipe.crop) * rng.uniform(1);
        let aspect = if recipe.crop < 1.0 {
            either(2, (4.0_f64 / 3.0).ln()).exp()
        } else {
            1.0
        };
        let (wide, high) = (
            (area * aspect).sqrt().min(1.0),
            (area / aspect).sqrt().min(1.0),
        );
        let (right, down) = (either(3, 0.5 * (1.0 - wide)), either(4, 0.5 * (1.0 - high)));
        let sign = |wanted: bool, i| {
            if wanted && rng.below(i, 2) == 1 {
                -1.0
            } else {
                1.0
            }
        };
        let (x, y) = (
            wide * sign(recipe.flip_horizontal, 5),
            high * sign(recipe.flip_vertical, 6),
        );
        Change {
            map: [
                [cos * x, -sin * y, cos * right - sin * down],
                [sin * x, cos * y, sin * right + cos * down],
            ],
            colour: [7, 8, 9].map(|i| (1.0 + either(i, recipe.colour_jitter)) as f32),
        }
    }

    /// Where pixel (x, y) of the result lies in an image of this size, in pixels from its first.
    fn place(&self, [height, width]: [usize; 2], x: usize, y: usize) -> [f64; 2] {
        let (h, w) = (height as f64, width as f64);
        let (u, v) = (x as f64 + 0.5 - w / 2.0, y as f64 + 0.5 - h / 2.0);
        let [a, b] = self.map;
        [
            a[0] * u + a[1] * v + a[2] * w + w / 2.0 - 0.5,
            b[0] * u + b[1] * v + b[2] * h + h / 2.0 - 0.5,
        ]
    }

    /// The changed image `[channels, height, width]`, 0 to 1, sampled bilinearly; beyond the edge it
    /// is black.
    pub fn image(&self, from: &[u8], [height, width]: [usize; 2], to: &mut [f32]) {
        let pixels = height * width;
        for y in 0..height {
            for x in 0..width {
                let [px, py] = self.place([height, width], x, y);
                let (left, top) = (px.floor(), py.floor());
                let (sx, sy) = ((px - left) as f32, (py - top) as f32);
                for (from, to) in from.chunks_exact(pixels).zip(to.chunks_exact_mut(pixels)) {
                    let at = |x: f64, y: f64| {
                        let inside = x >= 0.0 && y >= 0.0 && x < width as f64 && y < height as f64;
                        if inside {
                            f32::from(from[y as usize * width + x as usize])
                        } else {
                            0.0
                        }
                    };
                    let a = at(left, top) * (1.0 - sx) + at(left + 1.0, top) * sx;
                    let b = at(left, top + 1.0) * (1.0 - sx) + at(left + 1.0, top + 1.0) * sx;
                    to[y * width + x] = (a * (1.0 - sy) + b * sy) / 255.0;
                }
            }
        }
        self.recolour(to, pixels);
    }

    /// The changed mask, 0 or 1, its nearest pixels; beyond the edge there is no object.
    pub fn mask(&self, from: &[u8], [height, width]: [usize; 2], to: &mut [f32]) {
        for y in 0..height {
            for x in 0..width {
                let [px, py] = self.place([height, width], x, y).map(f64::round);
                let inside = px >= 0.0 && py >= 0.0 && px < width as f64 && py < height as f64;
                to[y * width + x] = if inside && from[py as usize * width + px as usize] != 0 {
                    1.0
                } else {
                    0.0
                };
            }
        }
    }

    /// Brightness, then contrast about the image's mean, then saturation about each pixel's grey.
    fn recolour(&self, image: &mut [f32], pixels: usize) {
        let [brightness, contrast, saturation] = self.colour;
        if self.colour == [1.0; 3] {
            return;
        }
        let sum: f64 = image.iter().map(|&v| f64::from(v)).sum();
        let mean = (sum / image.len().max(1) as f64) as f32 * brightness;
        for value in image.iter_mut() {
            *value = ((*value * brightness - mean) * contrast + mean).clamp(0.0, 1.0);
        }
        if image.len() == 3 * pixels {
            for i in 0..pixels {
                let place = [i, pixels + i, 2 * pixels + i];
                // Rec. 601 luma.
                let grey = 0.299 * image[i] + 0.587 * image[pixels + i] + 0.114 * image[place[2]];
                for p in place {
                    image[p] = (grey + saturation * (image[p] - grey)).clamp(0.0, 1.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [6, 8];

    fn picture() -> Vec<u8> {
        (0..48).map(|i| (i * 53 % 256) as u8).collect()
    }

    #[test]
    fn no_change_gives_the_image() {
        let (from, mut to) = (picture(), vec![9.0; 48]);
        Change::NONE.image(&from, SIZE, &mut to);
        for (to, from) in to.iter().zip(&from) {
            assert!((to - f32::from(*from) / 255.0).abs() < 1e-6);
        }
        Change::NONE.mask(&from, SIZE, &mut to);
        assert!(
            to.iter()
                .zip(&from)
                .all(|(t, f)| *t == f32::from(u8::from(*f > 0)))
        );
    }

    #[test]
    fn a_half_turn_and_a_mirror_move_every_pixel() {
        let from = picture();
        let mut to = vec![9.0; 48];
        let turn = Change {
            map: [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]],
            ..Change::NONE
        };
        turn.image(&from, SIZE, &mut to);
        for (to, from) in to.iter().zip(from.iter().rev()) {
            assert!((to - f32::from(*from) / 255.0).abs() < 1e-6);
        }
        let mirror = Change {
            map: [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            ..Change::NONE
        };
        mirror.image(&from, SIZE, &mut to);
        assert!((to[0] - f32::from(from[7]) / 255.0).abs() < 1e-6);
    }

    /// An image that is its own mask stays so: the same geometry for both.
    #[test]
    fn image_and_mask_go_together() {
        let size = [64, 64];
        let disc = |x: f64, y: f64| (x - 40.0).hypot(y - 25.0) < 14.0;
        let mask: Vec<u8> = (0..4096)
            .map(|i| u8::from(disc((i % 64) as f64, (i / 64) as f64)))
            .collect();
        let image: Vec<u8> = mask.iter().map(|m| m * 255).collect();
        let recipe = Recipe {
            colour_jitter: 0.0,
            ..Recipe::preset("full").unwrap()
        };
        let (mut a, mut b) = (vec![0.0; 4096], vec![0.0; 4096]);
        let mut changed = 0;
        for seed in 0..20 {
            let change = Change::draw(&recipe, CounterRng::new(5), seed);
            change.image(&image, size, &mut a);
            change.mask(&mask, size, &mut b);
            let differ = a
                .iter()
                .zip(&b)
                .filter(|(a, b)| (*a - *b).abs() > 0.75)
                .count();
            assert!(differ < 10, "{differ}");
            changed += usize::from(b.iter().zip(&mask).any(|(b, &m)| *b != f32::from(m)));
            let area = b.iter().sum::<f32>();
            assert!(area > 200.0, "{area}");
        }
        assert_eq!(changed, 20);
    }

    #[test]
    fn colours_by_hand() {
        let change = Change {
            colour: [0.5, 2.0, 1.0],
            ..Change::NONE
        };
        let mut image = vec![0.4, 0.8];
        change.recolour(&mut image, 2);
        // 0.2 and 0.4 about 0.3, doubled.
        assert!((image[0] - 0.1).abs() < 1e-6 && (image[1] - 0.5).abs() < 1e-6);
        let grey = Change {
            colour: [1.0, 1.0, 0.0],
            ..Change::NONE
        };
        let mut image = vec![1.0, 0.5, 0.0];
        grey.recolour(&mut image, 1);
        assert!(image.iter().all(|v| (v - 0.5925).abs() < 1e-6), "{image:?}");
    }
}
