//! Where in the picture the attribution lies: on the object's outline, inside it, or on the
//! background; for all rows and class by class.
//!
//! Next to a share stands the region's own share of the image, which is what a map without an
//! opinion gets. Regions are those of [`xbench_data::mask::regions`]: the outline is the mask less
//! its erosion by the 3 × 3 cross.

use xbench_data::mask::regions;
use xbench_metrics::reduce_channels;
use xbench_record::StoreError;
use xbench_stats::{Resamples, mean_intervals_masked};

use crate::cells::CellResult;
use crate::csv_text::{CsvText, estimate};
use crate::session::Session;
use crate::summary::{Estimate, RegionShare};

/// The regions' names, in the order of every list here.
pub(crate) const REGIONS: [&str; 3] = ["outline", "inside", "background"];

/// The regions of one image's mask, as a number for each pixel; `None` where there is no mask, or
/// it marks nothing or everything.
pub(crate) fn regions_of(session: &Session<'_>, row: usize) -> Option<Vec<u8>> {
    let mask = session.split().mask(row)?;
    if mask.iter().all(|&inside| inside) || !mask.contains(&true) {
        return None;
    }
    let [_, height, width] = session.layout().plane();
    let cut = regions(&mask, height, width);
    let number = |pixel: usize| u8::from(cut.inside[pixel]) + 2 * u8::from(cut.background[pixel]);
    Some((0..mask.len()).map(number).collect())
}

/// Shares of the positive attribution of every cell with maps; none for a set without masks.
pub(crate) fn shares(
    session: &Session<'_>,
    results: &[CellResult],
    resamples: &Resamples,
) -> Vec<RegionShare> {
    let rows: Vec<Option<Vec<u8>>> = session
        .rows
        .iter()
        .map(|&row| regions_of(session, row))
        .collect();
    if rows.iter().all(Option::is_none) {
        return Vec::new();
    }
    let labels = session.split().labels_of(&session.rows);
    let classes: Vec<Option<&String>> = std::iter::once(None)
        .chain(session.set.classes.iter().map(Some))
        .collect();
    let of_class = |values: &[Option<f64>], class: usize| -> Vec<Option<f64>> {
        let rows = values.iter().zip(&labels);
        rows.map(|(value, &label)| value.filter(|_| class == 0 || label + 1 == class))
            .collect()
    };
    let areas = by_region(
        rows.iter()
            .map(|regions| regions.as_deref().and_then(area_shares)),
    );
    let shape = session.layout().plane();
    let mut found = Vec::new();
    for result in results.iter().filter(|result| result.is_ok()) {
        let maps = result.attributions.chunks_exact(shape.iter().product());
        let shares = by_region(maps.zip(&rows).map(|(map, regions)| {
            let map = reduce_channels(map, shape[0]).ok()?;
            positive_shares(&map, regions.as_deref()?)
        }));
        let columns: Vec<Vec<Option<f64>>> = (0..classes.len())
            .flat_map(|class| shares.iter().map(move |values| (class, values)))
            .map(|(class, values)| of_class(values, class))
            .collect();
        let slices: Vec<&[Option<f64>]> = columns.iter().map(Vec::as_slice).collect();
        let mut values = mean_intervals_masked(&slices, resamples).into_iter();
        for (class, name) in classes.iter().enumerate() {
            for (region, areas) in REGIONS.iter().zip(&areas) {
                found.push(RegionShare {
                    model: session.checked.models[result.model].label.clone(),
                    explainer: session.checked.explainers[result.explainer].label.clone(),
                    class: name.cloned(),
                    region: (*region).to_owned(),
                    area: mean(&of_class(areas, class)),
                    share: values.next().flatten().map(Estimate::from),
                });
            }
        }
    }
    found
}

/// One list of rows for each region, of rows with a value for each region.
fn by_region(rows: impl Iterator<Item = Option<[f64; 3]>>) -> [Vec<Option<f64>>; 3] {
    let mut lists = [const { Vec::new() }; 3];
    for row in rows {
        for (region, list) in lists.iter_mut().enumerate() {
            list.push(row.map(|values| values[region]));
        }
    }
    lists
}

fn mean(values: &[Option<f64>]) -> Option<f64> {
    let present: Vec<f64> = values.iter().copied().flatten().collect();
    (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64)
}

fn area_shares(regions: &[u8]) -> Option<[f64; 3]> {
    positive_shares(&vec![1.0; regions.len()], regions)
}

/// Σ a⁺ over each region over Σ a⁺; `None` where no attribution is positive or one is not finite.
fn positive_shares(map: &[f32], regions: &[u8]) -> Option<[f64; 3]> {
    let mut sums = [0.0; 3];
    for (&value, &region) in map.iter().zip(regions) {
        sums[usize::from(region)] +=
            f64::from(value).max(if value.is_nan() { f64::NAN } else { 0.0 });
    }
    let total: f64 = sums.iter().sum();
    (total > 0.0 && total.is_finite()).then(|| sums.map(|sum| sum / total))
}

/// `regions.csv`: a row per cell, class and region; `class` is empty for all rows.
pub(crate) fn table(data_set: &str, shares: &[RegionShare]) -> Result<String, StoreError> {
    let mut text = CsvText::new("dataset,model,explainer,class,region,area,share,low,high,n")?;
    for share in shares {
        let mut row = vec![
            data_set.to_owned(),
            share.model.clone(),
            share.explainer.clone(),
            share.class.clone().unwrap_or_default(),
            share.region.clone(),
            share
                .area
                .map_or(Ok(String::new()), xbench_record::table::number)?,
        ];
        row.extend(estimate(share.share)?);
        text.push(row)?;
    }
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_by_hand() {
        // outline 3 + 0, inside 1, background 4; negative values do not count
        let map = [3.0, -2.0, 1.0, 4.0];
        let shares = positive_shares(&map, &[0, 0, 1, 2]).unwrap();
        assert_eq!(shares, [0.375, 0.125, 0.5]);
        assert_eq!(area_shares(&[0, 0, 1, 2]).unwrap(), [0.5, 0.25, 0.25]);
    }

    #[test]
    fn maps_without_positive_attribution_have_no_shares() {
        assert_eq!(positive_shares(&[-1.0, 0.0], &[0, 2]), None);
        assert_eq!(positive_shares(&[f32::NAN, 1.0], &[0, 2]), None);
        assert_eq!(positive_shares(&[f32::INFINITY, 1.0], &[0, 2]), None);
    }

    #[test]
    fn it_is_the_documented_table() {
        let share = RegionShare {
            model: "lenet".to_owned(),
            explainer: "ig".to_owned(),
            class: None,
            region: "outline".to_owned(),
            area: Some(0.125),
            share: Some(Estimate {
                value: 0.5,
                low: 0.25,
                high: 0.75,
                n: 9,
            }),
        };
        let none = RegionShare {
            class: Some("Bag".to_owned()),
            area: None,
            share: None,
            ..share.clone()
        };
        assert_eq!(
            table("garments", &[share, none]).unwrap(),
            "dataset,model,explainer,class,region,area,share,low,high,n\n\
             garments,lenet,ig,,outline,0.125,0.5,0.25,0.75,9\n\
             garments,lenet,ig,Bag,outline,,,,,0\n"
        );
    }
}
