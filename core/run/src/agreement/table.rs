//! `agreement_groups.csv`.

use xbench_record::StoreError;

use crate::csv_text::{CsvText, estimate};
use crate::summary::AgreementGroup;

/// A row per group, score and class; `class` is empty for all rows, `region` for the whole
/// picture.
pub(crate) fn group_table(data_set: &str, groups: &[AgreementGroup]) -> Result<String, StoreError> {
    let mut text = CsvText::new("dataset,pairing,of,class,region,score,pairs,value,low,high,n")?;
    for group in groups {
        let mut row = vec![
            data_set.to_owned(),
            group.pairing.word().to_owned(),
            group.of.clone(),
            group.class.clone().unwrap_or_default(),
            group.region.clone().unwrap_or_default(),
            group.score.clone(),
            group.pairs.to_string(),
        ];
        row.extend(estimate(group.value)?);
        text.push(row)?;
    }
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{Estimate, Pairing};

    #[test]
    fn it_is_the_documented_table() {
        let group = |class: Option<&str>, value| AgreementGroup {
            pairing: Pairing::Explainers,
            of: "lenet".to_owned(),
            class: class.map(str::to_owned),
            region: None,
            score: "spearman".to_owned(),
            pairs: 6,
            value,
        };
        let value = Estimate {
            value: 0.25,
            low: 0.125,
            high: 0.5,
            n: 64,
        };
        let rows = [group(None, Some(value)), group(Some("Bag, large"), None)];
        assert_eq!(
            group_table("garments", &rows).unwrap(),
            "dataset,pairing,of,class,region,score,pairs,value,low,high,n\n\
             garments,explainers,lenet,,,spearman,6,0.25,0.125,0.5,64\n\
             garments,explainers,lenet,\"Bag, large\",,spearman,6,,,,0\n"
        );
    }
}
