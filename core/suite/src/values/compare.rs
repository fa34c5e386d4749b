//! Models compared with other models: who, by which explainers and scores.

use super::Checker;
use super::reproduction::Figures;
use crate::document::CompareDoc;
use crate::error::SuiteError;
use crate::read::At;
use crate::suite::Compare;

impl Checker<'_> {
    pub(super) fn compare(
        &mut self,
        rows: Vec<At<CompareDoc>>,
        about: &Figures<'_>,
    ) -> Vec<Compare> {
        let mut all: Vec<Compare> = Vec::with_capacity(rows.len());
        for At { at, value: row } in rows {
            for model in row.models.iter().chain(&row.against) {
                let known = about.models.iter().map(|one| one.name.as_str());
                self.one_of(at, model, known, "model");
            }
            for explainer in &row.explainers {
                let known = about.explainers.iter().chain(about.controls);
                let known = known.map(|one| one.name.as_str());
                self.one_of(at, explainer, known, "explainer");
            }
            let overlap = row.models.iter().find(|one| row.against.contains(one));
            if let Some(both) = overlap {
                self.refuse(
                    at,
                    SuiteError::new(format!("\"{both}\" is compared with itself"))
                        .help("name it on one side"),
                );
            }
            self.ensure(
                !(row.models.is_empty()
                    || row.against.is_empty()
                    || row.explainers.is_empty()
                    || row.scores.is_empty()),
                at,
                "a comparison needs models, others, explainers and scores".to_owned(),
                "name at least one of each",
            );
            self.ensure(
                all.iter().all(|earlier| earlier.name != row.name),
                at,
                format!("the comparison \"{}\" occurs twice", row.name),
                "give one of them another name",
            );
            for id in &row.scores {
                if let Some(score) = self.score(id, at)
                    && !score.family.per_explanation()
                {
                    let text = format!("\"{}\" is not a score of one explanation", score.id);
                    self.refuse(at, SuiteError::new(text));
                }
            }
            all.push(Compare {
                name: row.name,
                models: row.models,
                against: row.against,
                explainers: row.explainers,
                scores: row.scores.into_iter().map(|id| id.0).collect(),
            });
        }
        all
    }
}
