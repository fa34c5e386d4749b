//! The order of a map, with its ties.
//!
//! Every score that depends on order starts here, so that a map is sorted once and ties mean the
//! same everywhere. A map from an upsampled layer or a background of exact zeros has large
//! groups of equal values; breaking them by pixel number would reward the scan order.

use crate::{DrawKey, NotApplicable};

/// A map sorted by falling attribution, with the boundaries of its groups of equal values.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedMap {
    values: Vec<f32>,
    /// Pixel numbers by falling value.
    order: Vec<u32>,
    /// Where each tie group ends in `order`.
    ends: Vec<u32>,
}

impl RankedMap {
    /// Sorts a map of d attributions. `0.0` and `-0.0` are equal.
    ///
    /// # Errors
    /// [`NotApplicable::Empty`] for a map without pixels, [`NotApplicable::NonFinite`] for one
    /// with NaN or infinite values.
    pub fn new(attribution: &[f32]) -> Result<Self, NotApplicable> {
        if attribution.is_empty() {
            return Err(NotApplicable::Empty);
        }
        // One integer per pixel, falling value above, pixel number below: integers sort several
        // times faster than floats through a comparison of partial order.
        let mut keys = Vec::with_capacity(attribution.len());
        let mut finite = true;
        for (index, &value) in attribution.iter().enumerate() {
            finite &= value.is_finite();
            let bits = (value + 0.0).to_bits();
            let rising = if bits >> 31 == 1 {
                !bits
            } else {
                bits | 1 << 31
            };
            keys.push((u64::from(!rising) << 32) | index as u64);
        }
        if !finite {
            return Err(NotApplicable::NonFinite);
        }
        keys.sort_unstable();
        let mut ends = Vec::with_capacity(keys.len());
        for position in 1..keys.len() {
            if keys[position] >> 32 != keys[position - 1] >> 32 {
                ends.push(position as u32);
            }
        }
        ends.push(keys.len() as u32);
        Ok(Self {
            values: attribution.to_vec(),
            order: keys.iter().map(|&key| key as u32).collect(),
            ends,
        })
    }

    /// The number of pixels d, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a ranked map is never empty")]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The attributions in pixel order.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The pixels by falling attribution; tied pixels stand in pixel order, which means nothing.
    #[must_use]
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// The groups of equal attribution, highest first: the pixels of each.
    pub fn tie_groups(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let group = &self.order[start..end as usize];
            start = end as usize;
            group
        })
    }

    /// Whether all attributions are equal.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.ends.len() == 1
    }

    /// The rank of each pixel, in pixel order: 1 for the smallest attribution, tied pixels
    /// sharing the mean of their places.
    #[must_use]
    pub fn average_ranks(&self) -> Vec<f64> {
        let mut ranks = vec![0.0; self.len()];
        let mut before = 0;
        for group in self.tie_groups() {
            let falling = before as f64 + (group.len() as f64 + 1.0) / 2.0;
            let rank = self.len() as f64 + 1.0 - falling;
            for &pixel in group {
                ranks[pixel as usize] = rank;
            }
            before += group.len();
        }
        ranks
    }

    /// The pixels by falling attribution, each group of ties in a random order drawn from `key`.
    ///
    /// A score computed along this order is an unbiased estimate of its mean over all orders.
    #[must_use]
    pub fn shuffled_order(&self, key: DrawKey) -> Vec<u32> {
        let mut order = self.order.clone();
        let mut draws = key.draws(0);
        let mut start = 0;
        for &end in &self.ends {
            draws.shuffle(&mut order[start..end as usize]);
            start = end as usize;
        }
        order
    }
}

/// The ranked absolute values of a map, for scores that ask how much and not which way.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedMagnitude(RankedMap);

impl RankedMagnitude {
    /// Sorts the absolute values of a map.
    ///
    /// # Errors
    /// As [`RankedMap::new`].
    pub fn new(attribution: &[f32]) -> Result<Self, NotApplicable> {
        let magnitude: Vec<f32> = attribution.iter().map(|value| value.abs()).collect();
        RankedMap::new(&magnitude).map(Self)
    }

    /// The ranked absolute values of a ranked map; sorts only if the map has negative values.
    #[must_use]
    pub fn of(map: &RankedMap) -> Self {
        let lowest = map
            .order
            .last()
            .map_or(0.0, |&pixel| map.values[pixel as usize]);
        if lowest >= 0.0 {
            return Self(map.clone());
        }
        // A ranked map is neither empty nor non-finite, so neither is its magnitude.
        Self::new(&map.values).unwrap_or_else(|_| Self(map.clone()))
    }

    /// The ranked absolute values as a map.
    #[must_use]
    pub fn as_map(&self) -> &RankedMap {
        &self.0
    }
}

/// Sums a channel-first map `[channels, d]` over its channels into one of length d.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] if the length is no multiple of `channels` or `channels`
/// is 0.
pub fn reduce_channels(values: &[f32], channels: usize) -> Result<Vec<f32>, NotApplicable> {
    if channels == 0 || !values.len().is_multiple_of(channels) {
        return Err(NotApplicable::LengthMismatch);
    }
    let pixels = values.len() / channels;
    let mut sums = values[..pixels].to_vec();
    for channel in values.chunks_exact(pixels.max(1)).skip(1) {
        for (sum, value) in sums.iter_mut().zip(channel) {
            *sum += value;
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_mean_rank() {
        let map = RankedMap::new(&[0.0, 2.0, -0.0, -1.0, 2.0, 5.0]).unwrap();
        assert_eq!(map.average_ranks(), [2.5, 4.5, 2.5, 1.0, 4.5, 6.0]);
        let groups: Vec<&[u32]> = map.tie_groups().collect();
        assert_eq!(groups, [&[5][..], &[1, 4], &[0, 2], &[3]]);
    }

    #[test]
    fn order_agrees_with_float_comparison() {
        let values = [
            1e-30f32,
            -1e-30,
            3.5,
            -3.5,
            0.0,
            f32::MAX,
            f32::MIN,
            1e-45,
            -1e-45,
        ];
        let map = RankedMap::new(&values).unwrap();
        let sorted: Vec<f32> = map
            .order()
            .iter()
            .map(|&pixel| values[pixel as usize])
            .collect();
        assert!(
            sorted.windows(2).all(|pair| pair[0] > pair[1]),
            "{sorted:?}"
        );
    }

    #[test]
    fn bad_maps_are_refused() {
        assert_eq!(RankedMap::new(&[]), Err(NotApplicable::Empty));
        assert_eq!(
            RankedMap::new(&[1.0, f32::NAN]),
            Err(NotApplicable::NonFinite)
        );
        assert_eq!(
            RankedMap::new(&[f32::INFINITY]),
            Err(NotApplicable::NonFinite)
        );
    }

    #[test]
    fn shuffled_order_moves_only_ties_and_not_by_index() {
        let map = RankedMap::new(&[1.0, 1.0, 7.0, 1.0, 0.0]).unwrap();
        let mut first_of_ties = [0i32; 5];
        for item in 0..3000 {
            let order = map.shuffled_order(DrawKey::new(0, "deletion_auc", item));
            assert_eq!((order[0], order[4]), (2, 4));
            first_of_ties[order[1] as usize] += 1;
        }
        assert_eq!((first_of_ties[2], first_of_ties[4]), (0, 0));
        assert!(
            [0, 1, 3]
                .iter()
                .all(|&pixel: &usize| (first_of_ties[pixel] - 1000).abs() < 130)
        );
    }

    #[test]
    fn magnitude_ranks_absolute_values() {
        let signed = RankedMap::new(&[-3.0, 1.0, 0.0, 2.0]).unwrap();
        let magnitude = RankedMagnitude::of(&signed);
        assert_eq!(magnitude.as_map().order(), [0, 3, 1, 2]);
        assert_eq!(magnitude, RankedMagnitude::new(signed.values()).unwrap());
        let positive = RankedMap::new(&[3.0, 0.0]).unwrap();
        assert_eq!(RankedMagnitude::of(&positive).as_map(), &positive);
    }

    #[test]
    fn channels_are_summed() {
        assert_eq!(
            reduce_channels(&[1.0, 2.0, 10.0, 20.0], 2).unwrap(),
            [11.0, 22.0]
        );
        assert_eq!(
            reduce_channels(&[1.0, 2.0, 3.0], 2),
            Err(NotApplicable::LengthMismatch)
        );
        assert_eq!(
            reduce_channels(&[1.0], 0),
            Err(NotApplicable::LengthMismatch)
        );
        assert_eq!(reduce_channels(&[], 3).unwrap(), [0.0f32; 0]);
    }
}
