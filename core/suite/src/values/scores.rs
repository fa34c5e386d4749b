//! Scores: ids and families that the catalogue has.

use xbench_metrics::{Family, ScoreInfo};

use super::Checker;
use crate::document::{ScoreDoc, ScoresDoc, ScoresWordDoc, score_words};
use crate::error::{Location, SuiteError};
use crate::read::At;
use crate::suite::{ScoreName, Scores};

impl Checker<'_> {
    pub(super) fn score(&mut self, id: &ScoreDoc, at: Location) -> Option<&'static ScoreInfo> {
        let found = xbench_metrics::find(&id.0);
        if found.is_none() {
            self.refuse(at, unknown_score(&id.0));
        }
        found
    }

    fn score_list(&mut self, list: Vec<At<ScoreDoc>>) -> Vec<ScoreName> {
        let mut names: Vec<ScoreName> = Vec::with_capacity(list.len());
        for At { at, value } in list {
            self.score(&value, at);
            self.ensure(
                names.iter().all(|name| name.id != value.0),
                at,
                format!("\"{}\" occurs twice", value.0),
                "name it once",
            );
            names.push(ScoreName { id: value.0, at });
        }
        names
    }

    pub(super) fn scores(&mut self, scores: ScoresDoc) -> Scores {
        match scores {
            ScoresDoc::Standard => Scores::Standard,
            ScoresDoc::All => Scores::All,
            ScoresDoc::Only(list) => Scores::Only(self.score_words(&list)),
        }
    }

    /// The scores of a list that may name families; each once, where it is first named.
    fn score_words(&mut self, list: &[At<ScoresWordDoc>]) -> Vec<ScoreName> {
        let mut names: Vec<ScoreName> = Vec::with_capacity(list.len());
        for (place, At { at, value }) in list.iter().enumerate() {
            let (at, word) = (*at, value.0.as_str());
            self.ensure(
                list[..place].iter().all(|earlier| earlier.value.0 != word),
                at,
                format!("\"{word}\" occurs twice"),
                "name it once",
            );
            let scores = scores_of_word(word);
            if scores.is_empty() {
                let families: Vec<&str> = Family::ALL.iter().map(|family| family.word()).collect();
                let error = SuiteError::new(format!("unknown score \"{word}\""))
                    .near(word, score_words())
                    .help("\"xbench scores\" lists the scores")
                    .help(format!(
                        "a list may also name families: {}",
                        families[1..].join(", ")
                    ));
                self.refuse(at, error);
            }
            for score in scores {
                if names.iter().all(|name| name.id != score.id) {
                    let id = score.id.to_owned();
                    names.push(ScoreName { id, at });
                }
            }
        }
        names
    }

    pub(super) fn ranking(&mut self, list: At<Vec<At<ScoreDoc>>>) -> Vec<ScoreName> {
        self.ensure(
            !list.value.is_empty(),
            list.at,
            "the ranking names no score".to_owned(),
            "name scores, or leave \"ranking\" out for those of faithfulness",
        );
        self.score_list(list.value)
    }
}

/// A score that the catalogue has not.
pub(super) fn unknown_score(id: &str) -> SuiteError {
    let known = xbench_metrics::catalogue().iter().map(|score| score.id);
    SuiteError::new(format!("unknown score \"{id}\""))
        .near(id, known)
        .help("\"xbench scores\" lists the scores")
}

/// The scores that a word of a list stands for: a score of that name, else a family.
fn scores_of_word(word: &str) -> Vec<&'static ScoreInfo> {
    if let Some(score) = xbench_metrics::find(word) {
        return vec![score];
    }
    xbench_metrics::catalogue()
        .iter()
        .filter(|score| match word {
            "standard" => score.standard,
            _ => score.family.word() == word,
        })
        .collect()
}
