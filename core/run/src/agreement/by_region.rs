//! Agreement within a region of the object: do two maps order the pixels of the outline, of the
//! inside, of the background alike?

use rayon::prelude::*;
use xbench_metrics::agreement::Measure;
use xbench_metrics::agreement::{AgreementSettings, PreparedMap};
use xbench_metrics::reduce_channels;

use super::{Maps, Pair, Values};
use crate::regions::REGIONS;

/// The Spearman correlation of each pair over the pixels of each region; an image without
/// `regions`, and a region where a map is constant, has no value.
///
/// Only ranks are compared: other measures speak of the whole picture.
pub(super) fn by_region(
    maps: &[Maps<'_>],
    [channels, height, width]: [usize; 3],
    pairs: &[Pair],
    settings: &AgreementSettings,
    regions: &[Option<Vec<u8>>],
) -> [Values; 3] {
    let row_len = channels * height * width;
    let of_image = |image: usize, region: u8| -> Vec<f64> {
        let Some(regions) = &regions[image] else {
            return vec![f64::NAN; pairs.len()];
        };
        let prepared: Vec<PreparedMap> = maps
            .iter()
            .map(|maps| {
                let map = maps
                    .values
                    .get(image * row_len..(image + 1) * row_len)
                    .and_then(|map| reduce_channels(map, channels).ok())
                    .unwrap_or_default();
                let pixels = map.iter().zip(regions);
                let part: Vec<f32> = pixels
                    .filter(|&(_, &of)| of == region)
                    .map(|(&value, _)| value)
                    .collect();
                PreparedMap::new(&part, [1, part.len()], &[Measure::Spearman], settings)
            })
            .collect();
        let score = |pair: &Pair| Measure::Spearman.compare(&prepared[pair.a], &prepared[pair.b]);
        pairs
            .iter()
            .map(|pair| score(pair).unwrap_or(f64::NAN))
            .collect()
    };
    let values = |region: usize| Values {
        pairs: pairs.to_vec(),
        measures: vec![Measure::Spearman],
        values: (0..regions.len())
            .into_par_iter()
            .map(|image| of_image(image, region as u8))
            .collect(),
    };
    debug_assert_eq!(REGIONS.len(), 3);
    [values(0), values(1), values(2)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Pairing;

    #[test]
    fn pixels_of_other_regions_do_not_count() {
        // Outline 0–2 ordered alike, inside 3–5 in opposite orders, background constant.
        let a = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 0.0, 0.0];
        let b = [2.0, 4.0, 9.0, 5.0, 4.0, 1.0, 0.0, 7.0];
        let cell = |explainer, values| Maps {
            model: 0,
            explainer,
            values,
        };
        let pair = Pair {
            a: 0,
            b: 1,
            pairing: Pairing::Explainers,
        };
        let settings = AgreementSettings {
            top_k_share: 0.5,
            segment: 1,
        };
        let regions = [Some(vec![0, 0, 0, 1, 1, 1, 2, 2])];
        let maps = [cell(0, &a[..]), cell(1, &b[..])];
        let [outline, inside, background] =
            by_region(&maps, [1, 2, 4], &[pair], &settings, &regions);
        assert!((outline.column(0, 0)[0].unwrap() - 1.0).abs() < 1e-12);
        assert!((inside.column(0, 0)[0].unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(background.column(0, 0), [None]);
        let [unmasked, ..] = by_region(&maps, [1, 2, 4], &[pair], &settings, &[None]);
        assert_eq!(unmasked.column(0, 0), [None]);
    }
}
