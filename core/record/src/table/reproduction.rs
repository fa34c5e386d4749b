//! `reproduction.csv`: published figures beside measured ones.

use xbench_stats::Interval;

use super::{Lines, number, optional, triple, words};
use crate::error::StoreError;

/// What a published figure is beside the measured one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The measured interval meets the published figure, give or take its tolerance.
    Reproduced,
    /// The measured interval lies above it.
    Above,
    /// The measured interval lies below it.
    Below,
    /// Nothing was measured.
    NotMeasured,
}

impl Verdict {
    /// The verdict on `published`, give or take `tolerance`, for what was measured.
    #[must_use]
    pub fn of(published: f64, tolerance: f64, measured: Option<Interval>) -> Self {
        match measured {
            None => Self::NotMeasured,
            Some(interval) if interval.low > published + tolerance => Self::Above,
            Some(interval) if interval.high < published - tolerance => Self::Below,
            Some(_) => Self::Reproduced,
        }
    }

    /// The word in the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Above => "above",
            Self::Below => "below",
            Self::NotMeasured => "not measured",
        }
    }
}

/// A row of `reproduction.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReproductionRow {
    /// Name of the suite.
    pub suite: String,
    /// Label of the model.
    pub model: String,
    /// Recipe of its weights.
    pub preset: Option<String>,
    /// Id of the score.
    pub score: String,
    /// The published value.
    pub published: f64,
    /// What was measured; for a score without interval, low and high equal the mean.
    pub measured: Option<Interval>,
    /// Where it was published.
    pub source: String,
    /// The class it is about, if it is about one.
    pub class: Option<String>,
    /// The split it was measured on.
    pub split: String,
    /// Label of the explainer it is about, if it is about one.
    pub explainer: Option<String>,
    /// How far from the published value still counts as reproduced.
    pub tolerance: f64,
    /// Why it was not measured; empty where it was.
    pub reason: String,
}

/// `reproduction.csv`: `suite,model,preset,score,published,measured,low,high,difference,verdict,
/// source,class,split,explainer,tolerance,reason`.
///
/// # Errors
/// When a value is not finite.
pub fn reproduction(rows: &[ReproductionRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words(
        "suite,model,preset,score,published,measured,low,high,difference,verdict,source,\
         class,split,explainer,tolerance,reason",
    ))?;
    for row in rows {
        let mut fields = vec![
            row.suite.clone(),
            row.model.clone(),
            row.preset.clone().unwrap_or_default(),
            row.score.clone(),
            number(row.published)?,
        ];
        fields.extend(triple(row.measured)?);
        fields.push(optional(
            row.measured.map(|measured| measured.mean - row.published),
        )?);
        fields.push(
            Verdict::of(row.published, row.tolerance, row.measured)
                .word()
                .to_owned(),
        );
        fields.push(row.source.clone());
        fields.push(row.class.clone().unwrap_or_default());
        fields.push(row.split.clone());
        fields.push(row.explainer.clone().unwrap_or_default());
        fields.push(number(row.tolerance)?);
        fields.push(row.reason.clone());
        lines.push(fields)?;
    }
    lines.finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn reproduction_is_the_documented_table() {
        let row = |published: f64, measured: Option<Interval>| ReproductionRow {
            suite: "reproduction".into(),
            model: "lenet".into(),
            preset: Some("best".into()),
            score: "accuracy".into(),
            published,
            measured,
            source: "a study, \"LeNet\"".into(),
            class: None,
            split: "test".into(),
            explainer: None,
            tolerance: 0.0,
            reason: if measured.is_some() { "" } else { "no weights" }.into(),
        };
        let measured = Some(Interval {
            mean: 0.92,
            low: 0.915,
            high: 0.925,
            n: 10_000,
        });
        let rows = [
            row(0.9126, measured),
            row(0.92, measured),
            row(0.95, measured),
            row(0.95, None),
            ReproductionRow {
                tolerance: 0.03,
                class: Some("Shirt".into()),
                score: "f1".into(),
                ..row(0.95, measured)
            },
        ];
        assert_snapshot!(reproduction(&rows).unwrap(), @r#"
    suite,model,preset,score,published,measured,low,high,difference,verdict,source,class,split,explainer,tolerance,reason
    reproduction,lenet,best,accuracy,0.9126,0.92,0.915,0.925,0.0074,above,"a study, ""LeNet""",,test,,0,
    reproduction,lenet,best,accuracy,0.92,0.92,0.915,0.925,0,reproduced,"a study, ""LeNet""",,test,,0,
    reproduction,lenet,best,accuracy,0.95,0.92,0.915,0.925,-0.03,below,"a study, ""LeNet""",,test,,0,
    reproduction,lenet,best,accuracy,0.95,,,,,not measured,"a study, ""LeNet""",,test,,0,no weights
    reproduction,lenet,best,f1,0.95,0.92,0.915,0.925,-0.03,reproduced,"a study, ""LeNet""",Shirt,test,,0.03,
    "#);
    }

    #[test]
    fn the_verdict_allows_for_the_tolerance() {
        let measured = Some(Interval {
            mean: 0.5,
            low: 0.45,
            high: 0.55,
            n: 10,
        });
        for (published, tolerance, verdict) in [
            (0.45, 0.0, Verdict::Reproduced),
            (0.55, 0.0, Verdict::Reproduced),
            (0.44, 0.0, Verdict::Above),
            (0.56, 0.0, Verdict::Below),
            (0.4, 0.051, Verdict::Reproduced),
            (0.6, 0.051, Verdict::Reproduced),
            (0.6, 0.049, Verdict::Below),
        ] {
            assert_eq!(Verdict::of(published, tolerance, measured), verdict);
        }
        assert_eq!(Verdict::of(0.5, 1.0, None), Verdict::NotMeasured);
    }
}
