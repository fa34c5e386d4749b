//! What there is to do: every model with every explainer.

use std::ops::Range;

/// One model with one explainer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Place in [`Plan::cells`].
    pub index: usize,
    /// Index into [`crate::Checked::models`].
    pub model: usize,
    /// Index into [`crate::Checked::explainers`].
    pub explainer: usize,
    /// Why the two do not fit, such as `needs xbench.model.linear/1`: recorded, not run.
    pub unsupported: Option<String>,
}

/// All cells of a suite, models outermost, explainers in the suite's order, controls last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The cells.
    pub cells: Vec<Cell>,
}

impl Plan {
    /// The plan of `models` by the capabilities they provide and `explainers` by those they
    /// require; a requirement `a|b` is met by either. Pairs that are not wanted are left out.
    pub(crate) fn new(
        provides: &[&[String]],
        requires: &[&[String]],
        wanted: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let mut cells = Vec::with_capacity(provides.len() * requires.len());
        for (model, provided) in provides.iter().enumerate() {
            for (explainer, required) in requires.iter().enumerate() {
                if !wanted(model, explainer) {
                    continue;
                }
                let unsupported = missing(provided, required);
                cells.push(Cell {
                    index: cells.len(),
                    model,
                    explainer,
                    unsupported,
                });
            }
        }
        Self { cells }
    }

    /// The cells that can be run.
    pub fn runnable(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.unsupported.is_none())
    }
}

fn missing(provided: &[String], required: &[String]) -> Option<String> {
    let met = |need: &String| {
        need.split('|')
            .any(|one| provided.iter().any(|has| has == one.trim()))
    };
    let open: Vec<String> = required
        .iter()
        .filter(|need| !met(need))
        .map(|need| need.replace('|', " or "))
        .collect();
    (!open.is_empty()).then(|| format!("needs {}", open.join(", ")))
}

/// Cuts `n` rows into runs of `chunk`, the last one shorter. The positions are those in the
/// selection, so that any split over workers makes the same calls.
#[must_use]
pub fn chunk_rows(n: usize, chunk: usize) -> Vec<Range<usize>> {
    let chunk = chunk.max(1);
    (0..n)
        .step_by(chunk)
        .map(|start| start..n.min(start.saturating_add(chunk)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_pair_that_does_not_fit_says_what_is_missing() {
        let (full, bare) = (words(&["predict", "vjp"]), words(&["predict"]));
        let (gradient, any, either) = (
            words(&["vjp", "layers"]),
            words(&[]),
            words(&["vjp|linear"]),
        );
        let plan = Plan::new(&[&full, &bare], &[&gradient, &any, &either], |_, _| true);
        let told: Vec<Option<&str>> = plan
            .cells
            .iter()
            .map(|cell| cell.unsupported.as_deref())
            .collect();
        assert_eq!(
            told,
            [
                Some("needs layers"),
                None,
                None,
                Some("needs vjp, layers"),
                None,
                Some("needs vjp or linear"),
            ]
        );
        assert_eq!(
            plan.runnable().map(|cell| cell.index).collect::<Vec<_>>(),
            [1, 2, 4]
        );
        assert_eq!((plan.cells[4].model, plan.cells[4].explainer), (1, 1));
    }

    proptest! {
        #[test]
        fn chunks_partition_the_selection(n in 0_usize..3000, chunk in 0_usize..5000) {
            let chunks = chunk_rows(n, chunk);
            prop_assert!(chunks.iter().all(|part| !part.is_empty() && part.len() <= chunk.max(1)));
            let rows: Vec<usize> = chunks.into_iter().flatten().collect();
            prop_assert_eq!(rows, (0..n).collect::<Vec<_>>());
        }
    }
}
