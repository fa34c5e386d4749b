//! A partition of pixels, and the simplest one.

use crate::error::Error;

/// Channels, height and width of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Colour channels.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

impl Shape {
    /// Pixels of one channel.
    #[must_use]
    pub const fn pixels(self) -> usize {
        self.height * self.width
    }

    /// Checks that `values` is a finite image of this shape.
    pub(crate) fn check(self, values: &[f32]) -> Result<(), Error> {
        let shape = vec![self.channels, self.height, self.width];
        let length = [self.height, self.width]
            .iter()
            .try_fold(self.channels, |product, &extent| {
                product.checked_mul(extent)
            });
        if shape.contains(&0) {
            return Err(Error::Empty(shape));
        }
        if length != Some(values.len()) || u32::try_from(self.pixels()).is_err() {
            let found = values.len();
            return Err(Error::Length { shape, found });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(place) => Err(Error::NotFinite(place)),
            None => Ok(()),
        }
    }
}

/// A partition of `[height, width]` pixels, or of a table's columns.
///
/// Every pixel has one segment; segments are numbered 0 to `count` - 1 without gaps, in the order in
/// which their first pixels come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    labels: Vec<u32>,
    count: usize,
}

impl Segments {
    /// The partition in which places of one label share a segment. Labels may be any numbers.
    ///
    /// # Errors
    /// When there are no labels.
    pub fn new(mut labels: Vec<u32>) -> Result<Self, Error> {
        if labels.is_empty() {
            return Err(Error::Empty(vec![0]));
        }
        let mut numbers = std::collections::BTreeMap::new();
        for label in &mut labels {
            let next = numbers.len() as u32;
            *label = *numbers.entry(*label).or_insert(next);
        }
        Ok(Self {
            labels,
            count: numbers.len(),
        })
    }

    /// The segment of each place, `[height * width]` row by row.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Segments there are; at least 1.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The places of each segment.
    #[must_use]
    pub fn members(&self) -> Members {
        let mut starts = vec![0; self.count + 1];
        for &label in &self.labels {
            starts[label as usize + 1] += 1;
        }
        for segment in 0..self.count {
            starts[segment + 1] += starts[segment];
        }
        let mut places = vec![0; self.labels.len()];
        let mut next = starts.clone();
        for (place, &label) in self.labels.iter().enumerate() {
            places[next[label as usize]] = place;
            next[label as usize] += 1;
        }
        Members { starts, places }
    }
}

/// The places of each segment, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    starts: Vec<usize>,
    places: Vec<usize>,
}

impl Members {
    /// Segments there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// The places of a segment; never empty.
    ///
    /// # Panics
    /// When there is no such segment.
    #[must_use]
    pub fn of(&self, segment: usize) -> &[usize] {
        &self.places[self.starts[segment]..self.starts[segment + 1]]
    }
}

/// Square cells of `cell` pixels a side, cut at the right and lower border.
///
/// # Errors
/// When an extent or `cell` is 0.
pub fn grid(height: usize, width: usize, cell: usize) -> Result<Segments, Error> {
    if cell == 0 {
        return Err(Error::Parameter {
            name: "cell",
            value: "0".to_owned(),
            allowed: "at least 1",
        });
    }
    if height == 0 || width == 0 {
        return Err(Error::Empty(vec![height, width]));
    }
    let across = width.div_ceil(cell);
    let labels = (0..height)
        .flat_map(|y| (0..width).map(move |x| (y / cell * across + x / cell) as u32))
        .collect();
    Segments::new(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_cut_at_the_border() {
        let segments = grid(3, 5, 2).expect("a grid");
        #[rustfmt::skip]
        assert_eq!(segments.labels(), [
            0, 0, 1, 1, 2,
            0, 0, 1, 1, 2,
            3, 3, 4, 4, 5,
        ]);
        assert_eq!(segments.count(), 6);
        assert_eq!(segments.members().of(1), [2, 3, 7, 8]);
        assert_eq!(segments.members().of(5), [14]);
        assert_eq!(segments.members().count(), 6);
    }

    #[test]
    fn a_cell_may_be_a_pixel_or_the_whole() {
        assert_eq!(grid(2, 3, 1).expect("a grid").count(), 6);
        assert_eq!(grid(2, 3, 9).expect("a grid").count(), 1);
    }

    #[test]
    fn labels_are_numbered_by_first_appearance() {
        let segments = Segments::new(vec![7, 7, 2, 9, 2]).expect("labels");
        assert_eq!(segments.labels(), [0, 0, 1, 2, 1]);
        assert_eq!(segments.count(), 3);
    }

    #[test]
    fn nothing_is_refused() {
        assert!(Segments::new(vec![]).is_err());
        assert!(grid(0, 3, 1).is_err());
        assert!(grid(3, 0, 1).is_err());
        assert!(grid(3, 3, 0).is_err());
    }
}
