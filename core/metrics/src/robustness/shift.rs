//! Continuity under translation.

use super::magnitude_of;
use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// Writes `image` (`[channels, height, width]`) moved right by `by` columns (left where it is
/// negative) into `row`; the edge column fills what becomes free.
pub fn write_shifted<T: Copy>(image: &[T], width: usize, by: isize, row: &mut [T]) {
    let width = width.max(1);
    for (line, out) in image.chunks_exact(width).zip(row.chunks_exact_mut(width)) {
        for (column, value) in out.iter_mut().enumerate() {
            let from = (column as isize - by).clamp(0, width as isize - 1);
            *value = line[from as usize];
        }
    }
}

/// `continuity` of one image: max over shifts t of ‖a(x) − T₋ₜ a(Tₜ x)‖₁ / ‖x − Tₜ x‖₂.
///
/// Montavon, Samek and Müller 2018, section 7.1, for horizontal shifts by a few pixels. The map
/// of the shifted image is moved back before it is compared, over the columns that both show:
/// without that, an explainer whose map moves with the object, as it should, would be punished
/// for it. Maps are over the greatest magnitude of the image's own.
#[derive(Debug, Clone)]
pub struct Continuity<'a> {
    image: &'a [f32],
    map: &'a [f32],
    width: usize,
    scale: Result<f64, NotApplicable>,
    most: Option<f64>,
    flipped: usize,
}

impl<'a> Continuity<'a> {
    /// Begins with the image itself and its map, both `[channels, height, width]`.
    #[must_use]
    pub fn new(image: &'a [f32], map: &'a [f32], width: usize) -> Self {
        let fits = width > 0 && image.len() == map.len() && image.len().is_multiple_of(width);
        Self {
            image,
            map,
            width,
            scale: if fits {
                magnitude_of(map)
            } else {
                Err(NotApplicable::LengthMismatch)
            },
            most: None,
            flipped: 0,
        }
    }

    /// Has the image no score whatever its shifts? Then they need not be explained.
    #[must_use]
    pub fn hopeless(&self) -> bool {
        self.scale.is_err()
    }

    /// Counts a shift that makes the model give another class: it is left out.
    pub fn add_flip(&mut self) {
        self.flipped += 1;
    }

    /// Takes a shift that the explainer has no finite map of: the image has no score.
    pub fn add_non_finite(&mut self) {
        if self.scale.is_ok() {
            self.scale = Err(NotApplicable::NonFinite);
        }
    }

    /// Takes the shift by `by` columns: the shifted image and its map.
    pub fn add(&mut self, by: isize, shifted: &[f32], map: &[f32]) {
        let Ok(greatest) = self.scale else { return };
        if map.iter().any(|value| !value.is_finite()) {
            self.add_non_finite();
            return;
        }
        let moved = super::distance(self.image, shifted);
        if moved == 0.0 {
            return;
        }
        let gap = by.unsigned_abs().min(self.width);
        // Column c of the image stands in column c + by of the shifted one.
        let (own, other) = if by >= 0 { (0, gap) } else { (gap, 0) };
        let mut change = 0.0;
        for (line, shifted) in self
            .map
            .chunks_exact(self.width)
            .zip(map.chunks_exact(self.width))
        {
            let pairs = line[own..].iter().zip(&shifted[other..]);
            change += pairs
                .map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs())
                .sum::<f64>();
        }
        let ratio = change / greatest / moved;
        self.most = Some(self.most.map_or(ratio, |most| most.max(ratio)));
    }

    /// The score; lower is better, from 0.
    ///
    /// # Errors
    /// A constant or non-finite map; [`NotApplicable::ClassChanges`] where every shift that
    /// changes the image changes its class; [`NotApplicable::UnchangedInput`] where none does.
    pub fn score(&self) -> Score {
        self.scale?;
        match self.most {
            Some(most) => finite(most),
            None if self.flipped > 0 => Err(NotApplicable::ClassChanges),
            None => Err(NotApplicable::UnchangedInput),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: [f32; 6] = [0.0, 1.0, 0.0, 0.0, 2.0, 0.0];

    fn shifted(by: isize) -> Vec<f32> {
        let mut row = vec![0.0; 6];
        write_shifted(&IMAGE, 3, by, &mut row);
        row
    }

    #[test]
    fn the_edge_fills_what_becomes_free() {
        assert_eq!(shifted(1), [0.0, 0.0, 1.0, 0.0, 0.0, 2.0]);
        assert_eq!(shifted(-1), [1.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
        assert_eq!(shifted(2), [0.0; 6]);
        assert_eq!(shifted(0), IMAGE);
        assert_eq!(shifted(-7), [0.0; 6]);
        let mut line = [0; 3];
        write_shifted(&[7, 8, 9], 3, 1, &mut line);
        assert_eq!(line, [7, 7, 8]);
    }

    #[test]
    fn continuity_by_hand() {
        // The map of the image shifted by 1, moved back: columns 1 and 2 against 0 and 1.
        let map = [1.0, 4.0, 0.0, 0.0, 2.0, 0.0];
        let mut score = Continuity::new(&IMAGE, &map, 3);
        let other = [9.0, 1.0, 3.0, 9.0, 0.0, 2.0];
        score.add(1, &shifted(1), &other);
        // |1−1| + |4−3| + |0−0| + |2−2| = 1, over 4, over √(1+1+4+4).
        assert!((score.score().unwrap() - 0.25 / 10f64.sqrt()).abs() < 1e-12);
        // To the left: columns 0 and 1 against 1 and 2. |4−9| + |0−1| + |2−9| + |0−0| = 13.
        score.add(-1, &shifted(-1), &other);
        assert!((score.score().unwrap() - 13.0 / 4.0 / 10f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn an_explainer_that_moves_with_the_image_is_continuous() {
        let mut score = Continuity::new(&IMAGE, &IMAGE, 3);
        for by in [1, -1] {
            score.add(by, &shifted(by), &shifted(by));
        }
        assert_eq!(score.score(), Ok(0.0));
    }

    #[test]
    fn what_cannot_be_scored_says_why() {
        let flat = [1.0; 6];
        assert_eq!(
            Continuity::new(&IMAGE, &flat, 3).score(),
            Err(NotApplicable::ConstantAttribution)
        );
        let mut still = Continuity::new(&flat, &IMAGE, 3);
        still.add(1, &flat, &IMAGE);
        assert_eq!(still.score(), Err(NotApplicable::UnchangedInput));
        let mut flipped = Continuity::new(&IMAGE, &IMAGE, 3);
        flipped.add_flip();
        assert_eq!(flipped.score(), Err(NotApplicable::ClassChanges));
        flipped.add(1, &shifted(1), &[f32::NAN; 6]);
        assert_eq!(flipped.score(), Err(NotApplicable::NonFinite));
        for (image, width) in [(&IMAGE[..5], 3), (&IMAGE[..], 0), (&IMAGE[..], 4)] {
            assert_eq!(
                Continuity::new(image, &IMAGE, width).score(),
                Err(NotApplicable::LengthMismatch)
            );
        }
    }
}
