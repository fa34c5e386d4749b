//! EigenCAM: the feature maps' first principal component, whatever the class.
//!
//! The feature maps are read as a matrix A of units times maps with the singular value
//! decomposition A = U S V^T; the map is A V_1, the projection on the first right singular vector.
//! The explained output plays no part: all targets get the same map, which a class-sensitivity
//! score will show.
//!
//! A singular vector has no sign of its own, and the decomposition's choice varies between
//! libraries. Here the map has the sign under which it goes with the sum of the feature maps (their
//! inner product is positive); for rectified features without centring the map is then nowhere
//! negative (Perron and Frobenius). Where that product is zero, the map's value of largest
//! magnitude is positive.

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use super::activation_map::FeatureMaps;
use super::feature_maps::{Source, explain_by_activation};
use super::principal::{dot, leading_eigenvector, norm};

xbench_plugin::params! {
    /// Parameters of EigenCAM.
    pub struct EigencamParams {
        /// Name of the layer whose feature maps are projected; empty: the last convolution.
        layer: String = "";
        /// Subtract each feature map's mean first, as principal component analysis and some
        /// implementations do; the paper decomposes the maps as they are.
        centre: bool = false;
        /// Set negative values of the map to zero before it is enlarged; the paper keeps them.
        relu: bool = false;
    }
}

/// EigenCAM (Muhammad and Yeasin 2020, projection on the first right singular vector), enlarged
/// bilinearly to the image.
///
/// In units of the features. One forward row per image. Maps that are zero, or constant and
/// centred, give a map of zeros. Where the two largest singular values are equal the component is
/// not unique; the one that is shown is always the same.
#[derive(Clone, Debug)]
pub struct Eigencam {
    params: EigencamParams,
}

impl Plugin for Eigencam {
    const META: Meta = Meta {
        id: c"org.xbench.eigencam",
        name: c"EigenCAM",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"M. B. Muhammad, M. Yeasin, Eigen-CAM: Class Activation Map using Principal Components, 2020",
        summary: c"The first principal component of a convolution's feature maps; the same for all classes.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = EigencamParams;

    fn create(params: EigencamParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

/// Writes the projection of the features on their first right singular vector into `map`, zeroed.
fn project(features: FeatureMaps<'_>, centre: bool, map: &mut [f32]) {
    let units = features.units();
    // [maps, units].
    let rows: Vec<Vec<f64>> = features
        .iter()
        .map(|values| {
            let mean = if centre {
                values.iter().map(|&v| f64::from(v)).sum::<f64>() / units as f64
            } else {
                0.0
            };
            values.iter().map(|&v| f64::from(v) - mean).collect()
        })
        .collect();
    let projection = if rows.len() <= units {
        by_maps(&rows, units)
    } else {
        by_units(&rows, units)
    };
    let Some(projection) = projection else {
        return;
    };
    let mut total = vec![0.0_f64; units];
    for values in features.iter() {
        for (total, &value) in total.iter_mut().zip(values) {
            *total += f64::from(value);
        }
    }
    let sign = sign(&projection, &total);
    for (out, value) in map.iter_mut().zip(&projection) {
        *out = (sign * value) as f32;
    }
}

/// Through the matrix of the maps' inner products, [maps, maps]: its leading eigenvector is V_1.
fn by_maps(rows: &[Vec<f64>], units: usize) -> Option<Vec<f64>> {
    let n = rows.len();
    let mut gram = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let value = dot(&rows[i], &rows[j]);
            gram[i * n + j] = value;
            gram[j * n + i] = value;
        }
    }
    let weights = leading_eigenvector(&gram, n)?;
    let mut map = vec![0.0; units];
    for (row, weight) in rows.iter().zip(weights) {
        for (map, value) in map.iter_mut().zip(row) {
            *map += weight * value;
        }
    }
    Some(map)
}

/// Through the matrix of the units' inner products, [units, units]: its leading eigenvector is U_1,
/// and A V_1 = s_1 U_1.
fn by_units(rows: &[Vec<f64>], units: usize) -> Option<Vec<f64>> {
    let mut gram = vec![0.0; units * units];
    for row in rows {
        for (i, &a) in row.iter().enumerate() {
            for (place, &b) in gram[i * units..].iter_mut().zip(row) {
                *place += a * b;
            }
        }
    }
    let direction = leading_eigenvector(&gram, units)?;
    let square: f64 = gram
        .chunks_exact(units)
        .zip(&direction)
        .map(|(row, share)| share * dot(row, &direction))
        .sum();
    let length = square.max(0.0).sqrt();
    Some(direction.iter().map(|share| length * share).collect())
}

/// 1 or -1, after the rule above.
fn sign(map: &[f64], total: &[f64]) -> f64 {
    let product = dot(map, total);
    if product.abs() > 1e-9 * norm(map) * norm(total) {
        return product.signum();
    }
    let mut peak = 0.0_f64;
    for &value in map {
        // Only what stands out by more than rounding takes the first one's place.
        if value.abs() > peak.abs() * (1.0 + 1e-9) {
            peak = value;
        }
    }
    if peak < 0.0 { -1.0 } else { 1.0 }
}

impl Explainer for Eigencam {
    const NEEDS: &'static [&'static std::ffi::CStr] = &[capability::LAYERS];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let source = Source {
            layer: &self.params.layer,
            relu: self.params.relu,
        };
        explain_by_activation(
            ctx,
            model,
            batch,
            source,
            attribution,
            |_, features, map| project(features, self.params.centre, map),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projected(values: &[f32], units: usize, centre: bool) -> Vec<f32> {
        let mut map = vec![0.0; units];
        project(FeatureMaps::new(values, units), centre, &mut map);
        map
    }

    fn close(seen: &[f32], expected: &[f64]) {
        for (seen, expected) in seen.iter().zip(expected) {
            assert!(
                (f64::from(*seen) - expected).abs() < 1e-6,
                "{seen} {expected}"
            );
        }
    }

    #[test]
    fn two_maps_of_two_units_by_hand() {
        // A = [[2, 1], [1, 2]] (units by maps): A^T A = [[5, 4], [4, 5]] has 9 at (1, 1) / sqrt 2,
        // and A (1, 1) / sqrt 2 = (3, 3) / sqrt 2.
        let expected = 3.0 / 2.0_f64.sqrt();
        close(&projected(&[2.0, 1.0, 1.0, 2.0], 2, false), &[expected; 2]);
    }

    #[test]
    fn three_maps_of_two_units_by_hand() {
        // Maps (1, 0), (2, 0), (0, 1): units' inner products [[5, 0], [0, 1]], so U_1 = (1, 0) and
        // s_1 = sqrt 5. More maps than units takes the other way.
        close(
            &projected(&[1.0, 0.0, 2.0, 0.0, 0.0, 1.0], 2, false),
            &[5.0_f64.sqrt(), 0.0],
        );
    }

    #[test]
    fn centred_by_hand() {
        // Means 2 and 1; centred maps (-1, 0, 1) and (1, 0, -1) = -(first): V_1 = (1, -1) / sqrt 2,
        // projection (-1, 0, 1) * sqrt 2. The sums of the maps are (3, 3, 3): no sign from them, and
        // the first of the largest magnitudes becomes positive.
        let root = 2.0_f64.sqrt();
        close(
            &projected(&[1.0, 2.0, 3.0, 2.0, 1.0, 0.0], 3, true),
            &[root, 0.0, -root],
        );
        // With the second map halved the sums rise to the right, and so does the map:
        // centred (-1, 0, 1) and (0.5, 0, -0.5), V_1 = (2, -1) / sqrt 5.
        let scale = 2.5 / 5.0_f64.sqrt();
        close(
            &projected(&[1.0, 2.0, 3.0, 1.0, 0.5, 0.0], 3, true),
            &[-scale, 0.0, scale],
        );
    }

    #[test]
    fn one_map_is_itself() {
        close(&projected(&[0.0, 1.0, 3.0], 3, false), &[0.0, 1.0, 3.0]);
        close(&projected(&[-1.0, 0.0, -3.0], 3, false), &[-1.0, 0.0, -3.0]);
    }

    #[test]
    fn one_unit() {
        // (3, 4): the one unit's length.
        close(&projected(&[3.0, 4.0], 1, false), &[5.0]);
    }

    #[test]
    fn zero_and_constant_maps() {
        assert_eq!(projected(&[0.0; 6], 3, false), [0.0; 3]);
        assert_eq!(
            projected(&[2.0, 2.0, 2.0, 5.0, 5.0, 5.0], 3, true),
            [0.0; 3]
        );
        close(&projected(&[3.0, 3.0, 4.0, 4.0], 2, false), &[5.0, 5.0]);
    }

    #[test]
    fn both_ways_agree() {
        let values: Vec<f32> = (0..40).map(|i| (i as f32 * 1.7).sin().max(0.0)).collect();
        let rows: Vec<Vec<f64>> = values
            .chunks_exact(8)
            .map(|row| row.iter().map(|&v| f64::from(v)).collect())
            .collect();
        let (a, b) = (
            by_maps(&rows, 8).expect("not zero"),
            by_units(&rows, 8).expect("not zero"),
        );
        let sign = dot(&a, &b).signum();
        for (a, b) in a.iter().zip(&b) {
            assert!((a - sign * b).abs() < 1e-12, "{a} {b}");
        }
    }
}
