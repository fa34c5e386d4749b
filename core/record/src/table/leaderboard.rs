//! `leaderboard.csv`: a row per model and explainer.

use xbench_stats::Interval;

use super::{Lines, optional, triple, words, yes_or_no};
use crate::error::StoreError;
use crate::record::Status;

/// A row of `leaderboard.csv`: one model with one explainer.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaderboardRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// Label of the explainer.
    pub explainer: String,
    /// How the cell ended.
    pub status: Status,
    /// Images explained.
    pub n: usize,
    /// Scores in the order of the table's columns; `None` where a score has no value.
    pub scores: Vec<Option<Interval>>,
    /// Mean rank over the ranking scores and images; 1 is best.
    pub mean_rank: Option<f64>,
    /// Group of explainers that the data do not tell apart; 1 is best.
    pub rank_group: Option<usize>,
    /// Interval of the mean rank: low, high.
    pub mean_rank_ends: Option<(f64, f64)>,
    /// Share of resamples in which it comes first, and the interval of its place: low, high.
    pub place: Option<(f64, f64, f64)>,
    /// Groups it belongs to; no two rows that share one are told apart.
    pub rank_groups: Vec<usize>,
    /// Whether it ranks better than every control that does not see the mask; `None` for a
    /// control, or without any.
    pub beats_controls: Option<bool>,
    /// Rows sent forward through the model per image.
    pub forward_rows: Option<f64>,
    /// Rows sent backward per image.
    pub backward_rows: Option<f64>,
    /// Median time per image in milliseconds.
    pub ms_per_image: Option<f64>,
}

/// `leaderboard.csv`: `dataset,model,explainer,status,n`, for each of `scores`
/// `<score>,<score>_low,<score>_high`, then
/// `mean_rank,rank_group,forward_rows,backward_rows,ms_per_image`, then
/// `mean_rank_low,mean_rank_high,p_first,place_low,place_high,rank_groups,beats_controls`.
///
/// # Errors
/// When a row has another number of scores, or a value is not finite.
pub fn leaderboard(scores: &[&str], rows: &[LeaderboardRow]) -> Result<String, StoreError> {
    let mut header = words("dataset,model,explainer,status,n");
    for score in scores {
        header.extend([
            (*score).to_owned(),
            format!("{score}_low"),
            format!("{score}_high"),
        ]);
    }
    header.extend(words(
        "mean_rank,rank_group,forward_rows,backward_rows,ms_per_image,mean_rank_low,\
         mean_rank_high,p_first,place_low,place_high,rank_groups,beats_controls",
    ));
    let mut lines = Lines::new(header)?;
    for row in rows {
        let mut fields = vec![
            row.dataset.clone(),
            row.model.clone(),
            row.explainer.clone(),
            row.status.to_string(),
            row.n.to_string(),
        ];
        for score in &row.scores {
            fields.extend(triple(*score)?);
        }
        fields.push(optional(row.mean_rank)?);
        fields.push(
            row.rank_group
                .map_or_else(String::new, |group| group.to_string()),
        );
        for cost in [row.forward_rows, row.backward_rows, row.ms_per_image] {
            fields.push(optional(cost)?);
        }
        for end in [
            row.mean_rank_ends.map(|ends| ends.0),
            row.mean_rank_ends.map(|ends| ends.1),
            row.place.map(|place| place.0),
            row.place.map(|place| place.1),
            row.place.map(|place| place.2),
        ] {
            fields.push(optional(end)?);
        }
        let groups: Vec<String> = row.rank_groups.iter().map(usize::to_string).collect();
        fields.push(groups.join(" "));
        fields.push(row.beats_controls.map_or("", yes_or_no).to_owned());
        lines.push(fields)?;
    }
    lines.finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn interval(mean: f64) -> Option<Interval> {
        Some(Interval {
            mean,
            low: mean - 0.125,
            high: mean + 1.0 / 3.0,
            n: 256,
        })
    }

    #[test]
    fn leaderboard_is_the_documented_table() {
        let row = LeaderboardRow {
            dataset: "fashion-mnist".into(),
            model: "lenet".into(),
            explainer: "ig".into(),
            status: Status::Ok,
            n: 256,
            scores: vec![interval(0.75), None],
            mean_rank: Some(2.25),
            rank_group: Some(1),
            mean_rank_ends: Some((2.0, 2.5)),
            place: Some((0.875, 1.0, 2.0)),
            rank_groups: vec![1, 2],
            beats_controls: Some(true),
            forward_rows: Some(51.0),
            backward_rows: Some(51.0),
            ms_per_image: Some(1.234_567_89),
        };
        let unsupported = LeaderboardRow {
            explainer: "cam".into(),
            status: Status::Unsupported,
            n: 0,
            scores: vec![None, None],
            mean_rank: None,
            rank_group: None,
            mean_rank_ends: None,
            place: None,
            rank_groups: Vec::new(),
            beats_controls: None,
            forward_rows: None,
            backward_rows: None,
            ms_per_image: None,
            ..row.clone()
        };
        assert_snapshot!(leaderboard(&["auroc", "deletion_auc"], &[row.clone(), unsupported]).unwrap(), @r#"
        dataset,model,explainer,status,n,auroc,auroc_low,auroc_high,deletion_auc,deletion_auc_low,deletion_auc_high,mean_rank,rank_group,forward_rows,backward_rows,ms_per_image,mean_rank_low,mean_rank_high,p_first,place_low,place_high,rank_groups,beats_controls
        fashion-mnist,lenet,ig,ok,256,0.75,0.625,1.083333,,,,2.25,1,51,51,1.234568,2,2.5,0.875,1,2,1 2,yes
        fashion-mnist,lenet,cam,unsupported,0,,,,,,,,,,,,,,,,,,
        "#);
        assert_snapshot!(leaderboard(&[], &[]).unwrap(), @r#"dataset,model,explainer,status,n,mean_rank,rank_group,forward_rows,backward_rows,ms_per_image,mean_rank_low,mean_rank_high,p_first,place_low,place_high,rank_groups,beats_controls"#);
        assert!(leaderboard(&["auroc"], &[row]).is_err());
    }
}
