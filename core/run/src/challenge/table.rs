//! `randomisation.csv`: the curves behind the scores that are means over layers.

use xbench_record::StoreError;
use xbench_stats::{Resamples, mean_intervals_masked};

use crate::cells::LayerCurve;
use crate::csv_text::{CsvText, estimate};
use crate::summary::Estimate;

/// The curves of a cell.
pub(crate) struct CellCurves<'a> {
    /// Label of the model.
    pub(crate) model: &'a str,
    /// Label of the explainer.
    pub(crate) explainer: &'a str,
    /// From the output down.
    pub(crate) curves: &'a [LayerCurve],
}

/// A row per layer; `depth` counts the layers that are random, from the output down.
pub(crate) fn curve_table(
    data_set: &str,
    cells: &[CellCurves<'_>],
    resamples: &Resamples,
) -> Result<String, StoreError> {
    let mut text = CsvText::new("dataset,model,explainer,score,depth,layer,value,low,high,n")?;
    for cell in cells {
        let columns: Vec<&[Option<f64>]> = cell
            .curves
            .iter()
            .map(|curve| curve.column.values.as_slice())
            .collect();
        let values = mean_intervals_masked(&columns, resamples);
        let mut score = "";
        let mut depth = 0;
        for (curve, value) in cell.curves.iter().zip(values) {
            if score != curve.score {
                (score, depth) = (&curve.score, 0);
            }
            depth += 1;
            let mut row = vec![
                data_set.to_owned(),
                cell.model.to_owned(),
                cell.explainer.to_owned(),
                curve.score.clone(),
                depth.to_string(),
                curve.layer.clone(),
            ];
            row.extend(estimate(value.map(Estimate::from))?);
            text.push(row)?;
        }
    }
    text.finish()
}

#[cfg(test)]
mod tests {
    use xbench_record::Column;

    use super::*;

    #[test]
    fn it_is_the_documented_table() {
        let curve = |score: &str, layer: &str, values: [Option<f64>; 2]| LayerCurve {
            score: score.to_owned(),
            layer: layer.to_owned(),
            column: Column {
                values: values.to_vec(),
                ..Column::default()
            },
        };
        let curves = [
            curve("mprt", "head", [Some(0.5), Some(0.5)]),
            curve("mprt", "block, first", [Some(0.25), None]),
            curve("smooth_mprt", "head", [None, None]),
        ];
        let cell = CellCurves {
            model: "lenet",
            explainer: "gradcam",
            curves: &curves,
        };
        let resamples = Resamples::new(2, 200, 1);
        assert_eq!(
            curve_table("garments", &[cell], &resamples).unwrap(),
            "dataset,model,explainer,score,depth,layer,value,low,high,n\n\
             garments,lenet,gradcam,mprt,1,head,0.5,0.5,0.5,2\n\
             garments,lenet,gradcam,mprt,2,\"block, first\",0.25,,,1\n\
             garments,lenet,gradcam,smooth_mprt,1,head,,,,0\n"
        );
    }
}
