//! The data: a set that there is, rows that it has, a class that it knows.

use std::path::PathBuf;

use xbench_data::{Locate, Selection, SetInfo, SetRef};

use super::Checker;
use crate::document::{DataDoc, SelectDoc, SetDoc, SplitDoc, TargetDoc};
use crate::error::SuiteError;
use crate::read::At;
use crate::suite::{Data, SplitName, Target};

impl Checker<'_> {
    /// The set, and what is known of it without reading it; of a description nothing is.
    fn set(&mut self, name: &At<SetDoc>) -> (SetRef, Option<SetInfo>) {
        let refuse = |checker: &mut Self, error: &dyn std::fmt::Display| {
            let text = error.to_string();
            let mut lines = text.lines().map(str::trim);
            let error = SuiteError::new(lines.next().unwrap_or_default());
            checker.refuse(name.at, lines.fold(error, SuiteError::help));
        };
        let set: SetRef = match name.value.0.parse() {
            Ok(set) => set,
            Err(error) => {
                refuse(self, &error);
                return (SetRef::named(&name.value.0), None);
            }
        };
        if set.is_path() {
            return (set, None);
        }
        let known: Vec<String> = xbench_data::known().into_iter().map(|set| set.id).collect();
        if !known.contains(&set.name) {
            let error = SuiteError::new(format!("unknown data set \"{}\"", set.name)).among(
                &set.name,
                known.iter().map(String::as_str),
                "known data sets",
            );
            self.refuse(name.at, error);
            return (set, None);
        }
        match xbench_data::info(&set, &Locate::offline()) {
            Ok(info) => (set, Some(info)),
            Err(error) => {
                refuse(self, &error);
                (set, None)
            }
        }
    }

    pub(super) fn data(&mut self, data: DataDoc) -> (Data, Option<SetInfo>) {
        let (set, info) = self.set(&data.set);
        let otherwise = data.otherwise.map(|otherwise| {
            let (other, _) = self.set(&otherwise);
            self.ensure(
                other != set,
                otherwise.at,
                "\"otherwise\" names the same set".to_owned(),
                "name another set, or leave it out",
            );
            other
        });
        let split = match data.split {
            SplitDoc::Train => SplitName::Train,
            SplitDoc::Validation => SplitName::Validation,
            SplitDoc::Test => SplitName::Test,
            SplitDoc::Photos => SplitName::Photos,
        };
        let size = info.as_ref().and_then(|set| match split {
            SplitName::Train => set.train,
            SplitName::Validation => set.validation,
            SplitName::Test => set.test,
            SplitName::Photos => set.photos,
        });
        let size = size.unwrap_or(usize::MAX);
        let (select, last, some) = match data.select.value {
            SelectDoc::All => (Selection::All, 0, true),
            SelectDoc::First(n) => (Selection::First(n), n, n > 0),
            SelectDoc::Range([start, end]) => (Selection::Range(start..end), end, start < end),
            SelectDoc::Balanced(n) => (Selection::Balanced(n), n, n > 0),
        };
        let at = data.select.at;
        self.ensure(
            some && size > 0,
            at,
            format!("\"select: {select}\" selects nothing of the split \"{split}\""),
            "select at least one row of a split that the set has",
        );
        self.ensure(
            last <= size || size == 0,
            at,
            format!("\"select: {select}\" goes beyond the split \"{split}\""),
            &format!("it has {size} rows"),
        );
        let data = Data {
            set,
            root: data.root.map(PathBuf::from),
            split,
            select,
            otherwise,
        };
        (data, info)
    }

    pub(super) fn target(&mut self, target: &At<TargetDoc>, set: Option<&SetInfo>) -> Target {
        match target.value {
            TargetDoc::Predicted => Target::Predicted,
            TargetDoc::Label => Target::Label,
            TargetDoc::Class(class) => {
                let known = set
                    .map(|set| set.classes.len())
                    .filter(|&classes| classes > 0);
                let classes = known.unwrap_or(usize::MAX);
                self.ensure(
                    class < classes,
                    target.at,
                    format!("there is no class {class}"),
                    &format!("the set has {classes} classes, counted from 0"),
                );
                Target::Class(class)
            }
        }
    }
}
